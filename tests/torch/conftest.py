"""Before torchvision is imported."""
import sys
import types

# Where only PyPI's build of torchvision can be had, which is for CUDA, its operators are missing.
# No ResNet uses one.
sys.modules['torchvision._meta_registrations'] = types.ModuleType('_meta_registrations')
