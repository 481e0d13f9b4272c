"""Settings of every test run, those of the notebooks under nbval included."""
import os

import matplotlib

# Kernels inherit it: a progress bar would differ from the stored outputs at each run.
os.environ['TQDM_DISABLE'] = '1'

# No windows. Not by MPLBACKEND, which kernels would inherit in place of their own backend.
matplotlib.use('Agg')
