"""Weights as PyTorch keeps them: torchvision's names, .safetensors and .pth files, the hub.

Reading executes nothing that a file holds. This module needs neither MXNet nor PyTorch.
"""
import collections
import hashlib
import math
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np

from about import for_others, is_about, read_json

SUFFIXES = '.safetensors', '.pth', '.pt'
# Blocks a stage, and whether they are bottlenecks (He 2015, Table 1).
SHAPES = {((2, 2, 2, 2), False): 18, ((3, 4, 6, 3), False): 34, ((3, 4, 6, 3), True): 50,
          ((3, 4, 23, 3), True): 101, ((3, 8, 36, 3), True): 152}
# Of the pictures that torchvision's weights were trained on: each channel on the scale 0 to 1.
IMAGENET = {'mean': [0.485, 0.456, 0.406], 'std': [0.229, 0.224, 0.225]}


def is_one(path):
    """Whether the name of the file is one of PyTorch's."""
    return Path(path).suffix in SUFFIXES


# ---------------------------------------------------------------------------------------------
# Names


def torch_name(name):
    """What torchvision calls a parameter: '4.0.body.1.gamma' → 'layer1.0.bn1.weight'.

    Our names are the places in the nn.HybridSequential of notebook 05: 0 and 1 are the stem, 4 to 7
    the stages, 9 the last layer. In a block's body a convolution, its BN and a ReLU follow each
    other.
    """
    *place, kind = name.split('.')
    kind = {'gamma': 'weight', 'beta': 'bias'}.get(kind, kind)
    if len(place) == 1:
        layer = {'0': 'conv1', '1': 'bn1', '9': 'fc'}[place[0]]
    else:
        stage, block, part, i = place
        number, is_bn = divmod(int(i), 3)
        layer = f'layer{int(stage) - 3}.{block}.' + (
            f'{"bn" if is_bn else "conv"}{number + 1}' if part == 'body' else f'downsample.{i}')
    return f'{layer}.{kind}'


def our_name(name):
    """The other way: 'layer1.0.bn1.weight' → '4.0.body.1.gamma'. Other names stay as they are."""
    *place, kind = name.split('.')
    is_bn = place[-1:] == ['1'] or place[-1:] and place[-1].startswith('bn')
    if is_bn:
        kind = {'weight': 'gamma', 'bias': 'beta'}.get(kind, kind)
    if match := re.fullmatch(r'layer([1-4])\.(\d+)\.(?:(conv|bn)([123])|downsample\.([01]))',
                             '.'.join(place)):
        stage, block, layer, number, i = match.groups()
        layer = f'body.{3 * int(number) - 3 + (layer == "bn")}' if layer else f'downsample.{i}'
        return f'{int(stage) + 3}.{block}.{layer}.{kind}'
    first = {'conv1': '0', 'bn1': '1', 'fc': '9'}.get('.'.join(place))
    return f'{first}.{kind}' if first else name


# ---------------------------------------------------------------------------------------------
# Reading


def read(path):
    """(about, {our name: float32 array}) of a file of PyTorch's, path.

    A file that export.py wrote says what its classes and pictures are. Of any other one, such as
    torchvision's, `about` has depth, stride_on_first, grey, mean and std (ImageNet's), and numbers
    as names of the classes.

    Raises ValueError for what is no whole file of a ResNet with the names of torchvision's.
    """
    try:
        if not Path(path).is_file():
            raise ValueError('not a file')
        arrays, about = (read_safetensors if path.suffix == '.safetensors' else read_pth)(path)
        arrays = {our_name(name): array for name, array in arrays.items()
                  if not name.endswith('.num_batches_tracked')}
        for name, array in arrays.items():
            if array.dtype != np.float32:
                raise ValueError(f'{torch_name(name)} is {array.dtype}, not float32')
        return about or guess(arrays), arrays
    except Exception as error:  # damaged files make readers raise almost anything
        raise ValueError(f'{path} cannot be used ({error}): wanted are the weights of a ResNet of '
                         "18, 34, 50, 101 or 152 layers with torchvision's names, in a "
                         '.safetensors file or one that torch.save wrote') from None


def guess(arrays):
    """What the shapes of a ResNet's weights say of it; raises ValueError if it is none."""
    blocks = tuple(1 + max((int(name.split('.')[1]) for name in arrays
                            if re.match(rf'{stage}\.\d+\.', name)), default=-1)
                   for stage in (4, 5, 6, 7))
    depth = SHAPES.get((blocks, '4.0.body.6.weight' in arrays))
    if depth is None or '0.weight' not in arrays or '9.bias' not in arrays:
        raise ValueError('its layers are those of another net')
    if arrays['0.weight'].shape[1] != 3:
        raise ValueError('it has not learned from pictures in three colours')
    return {'depth': depth, 'classes': [str(i) for i in range(len(arrays['9.bias']))],
            'stride_on_first': False, 'grey': False, **IMAGENET}


def read_safetensors(path):
    """({name: array}, about or None) of a .safetensors file."""
    from safetensors import safe_open
    with safe_open(path, 'numpy') as file:
        about = (file.metadata() or {}).get('about')
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if about is not None and not is_about(about := read_json(about)):
        raise ValueError('what it says of its classes and pictures is damaged')
    return arrays, about


def read_pth(path):
    """({name: array}, None) of a zip file that torch.save wrote."""
    if not zipfile.is_zipfile(path):
        raise ValueError('damaged, or written by PyTorch before 1.6')
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():  # what torch.save writes takes no more room than here
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f'{member.filename} is compressed')
        if damaged := archive.testzip():
            raise ValueError(f'the checksum of {damaged} is wrong')
        [pickled] = [name for name in archive.namelist() if name.endswith('/data.pkl')]
        with archive.open(pickled) as file:
            state = StateReader(file, archive, pickled.removesuffix('.pkl')).load()
    if not isinstance(state, dict) or not all(
            isinstance(name, str) and isinstance(array, np.ndarray)
            for name, array in state.items()):
        raise ValueError('it is no dictionary of weights, such as net.state_dict() gives')
    return dict(state), None


def rebuild(values, offset, shape, strides, *_):
    """A tensor of these values, as torch._utils._rebuild_tensor_v2 makes it."""
    count = math.prod(shape)
    wanted = tuple(math.prod(shape[i + 1:]) for i in range(len(shape)))
    if tuple(strides) != wanted and count > 1 or not 0 <= offset <= len(values) - count:
        raise ValueError('a tensor is not stored row by row')
    return values[offset:offset + count].reshape(shape)


class StateReader(pickle.Unpickler):
    """Reads a state dictionary; whatever else a pickle may ask for is refused, not executed."""

    ALLOWED = {('collections', 'OrderedDict'): collections.OrderedDict,
               ('torch._utils', '_rebuild_tensor_v2'): rebuild,
               ('torch._utils', '_rebuild_parameter'): lambda tensor, *_: tensor,
               ('torch', 'FloatStorage'): '<f4', ('torch', 'LongStorage'): '<i8'}

    def __init__(self, file, archive, folder):
        super().__init__(file)
        self.archive, self.folder = archive, folder

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise ValueError(f'it asks for {module}.{name}, which is no weight; nothing was run')
        return self.ALLOWED[module, name]

    def persistent_load(self, pid):
        word, kind, key, _device, count = pid
        values = np.frombuffer(self.archive.read(f'{self.folder}/{key}'), kind)
        if word != 'storage' or len(values) != count:
            raise ValueError('there are bytes missing')
        return values


# ---------------------------------------------------------------------------------------------
# Fetching and writing


def fetch(depth):
    """The path of torchvision's ImageNet weights for a ResNet, from Hugging Face's hub.

    They are fetched once, into the hub's cache (HF_HOME). HF_ENDPOINT may name a mirror of the
    hub. Raises OSError if they are neither there nor to be had, or damaged.
    """
    import huggingface_hub as hub
    name = f'timm/resnet{depth}.tv_in1k', 'model.safetensors'
    try:
        try:
            path = Path(hub.hf_hub_download(*name, local_files_only=True))
        except hub.errors.LocalEntryNotFoundError:
            hub.get_hf_file_metadata(hub.hf_hub_url(*name))  # ends soon where nobody answers
            path = Path(hub.hf_hub_download(*name))
    except Exception as error:  # those of several libraries below it
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise OSError(
            f'the weights {name[0]} could not be fetched ({reason}). Name a mirror of the hub by '
            f'HF_ENDPOINT, or get its {name[1]} by another way and begin with it: '
            '--init-from FILE') from None
    checksum = path.resolve().name  # the cache names what it holds by the hub's checksum
    if re.fullmatch('[0-9a-f]{64}', checksum):
        with path.open('rb') as file:
            if hashlib.file_digest(file, 'sha256').hexdigest() != checksum:
                raise OSError(f'{path} is damaged: remove it, and repeat the command')
    return path


def safetensors(arrays, about):
    """The bytes of a .safetensors file that torchvision's and timm's ResNets load.

    arrays: {our name: float32 array}, of a net that `about` describes. Raises ValueError for a net
    that torchvision has not.
    """
    from safetensors.numpy import save
    if about['stride_on_first']:
        raise ValueError("torchvision has no such net: this one's stride is on the first 1 x 1 "
                         'convolution of a block')
    state = {torch_name(name): np.ascontiguousarray(array) for name, array in arrays.items()}
    for name in [name for name in state if name.endswith('running_mean')]:
        state[name.replace('running_mean', 'num_batches_tracked')] = np.array(0, np.int64)
    return save(state, metadata={'format': 'pt', 'about': for_others(about)})
