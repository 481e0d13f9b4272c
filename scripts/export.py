"""Write a net that train.py has trained so that other programs can use it.

    export.py CHECKPOINT NET.onnx           for onnxruntime, browsers, phones
    export.py CHECKPOINT NET.safetensors    for PyTorch: torchvision's and timm's ResNets
"""
import argparse
import os
import sys
from pathlib import Path

# These two folders before all others that may have a `utils` or a `resnet`.
sys.path[:0] = map(str, Path(__file__).resolve().parents[:2])
import commands

if __name__ == '__main__':
    commands.end_at_once()  # at Ctrl-C, as long as modules are loaded
import utils  # noqa: F401  before mxnet, for its threads

import mxnet as mx
import numpy as np

import checkpoint
import onnx_files
import pictures
import prediction
import torch_files
from files import whole

REAL = Path(__file__).resolve().parents[1] / 'data' / 'crockery'
EPILOG = """\
NET.onnx takes `pixels`, float32 of shape (pictures, channels, side, side), red first, from 0 to 1,
and gives `probabilities`; its metadata `about` (JSON) has the classes, the side and the colours.
predict.py runs it, too: predict.py NET.onnx PICTURE

NET.safetensors holds torchvision's names:
    net = torchvision.models.resnet18(num_classes=N)
    net.load_state_dict(safetensors.torch.load_file('NET.safetensors'))
Its metadata `about` says by which mean and std each channel, from 0 to 1, is to be normalised.
A net of grey pictures has one channel: take timm's, with in_chans=1.

exit status: 0 written, and the same as the net in MXNet; 1 not written, stderr says why
"""


def some_pictures(about):
    """Real and random pictures for a comparison, as pictures.read_picture gives them."""
    size, grey = about['size'], about['grey']
    paths = sorted(REAL.rglob('*.jpg'))[::40]
    noise = np.random.RandomState(0).randint(0, 256, (8, size, size, 1 if grey else 3), np.uint8)
    return [*noise, *(pictures.read_picture(path, size, grey) for path in paths)]


def compare(content, net, about):
    """The largest difference of a probability between ONNX bytes and the net.

    Over random and real pictures, all at once and one by one. Raises ValueError if it is too large.
    """
    running, images = onnx_files.session(content), some_pictures(about)
    wanted = prediction.predict(net, about, images, mx.cpu())
    found = [onnx_files.ask(running, images),
             np.concatenate([onnx_files.ask(running, [image]) for image in images])]
    error = max(abs(answer - wanted).max() for answer in found)
    if not error <= onnx_files.CLOSE:  # NaN too
        raise ValueError(f'the ONNX file would differ from the net by {error:.1e} in a '
                         'probability; nothing was written. Please report this.')
    return error


def export(options):
    """Writes what the command line asks for, and says so."""
    source, target = options.checkpoint, options.net
    if os.path.lexists(target):
        raise ValueError(f'{target} exists already; remove it, or choose another name')
    net, about = checkpoint.load_to_ask(source, mx.cpu())
    if target.suffix == '.onnx':
        content = onnx_files.to_onnx(net, about)
        error = compare(content, net, about)
        said = f"its probabilities differ from MXNet's by {error:.0e} at most"
    else:
        arrays = {name: p.asnumpy() for name, p in checkpoint.parameters(net).items()}
        content = torch_files.safetensors(arrays, about)
        said = f"weights of a ResNet-{about['depth']} by torchvision's names"
    with whole(target, 'wb') as file:
        file.write(content)
    print(f'{target}: {len(content) / 1e6:.1f} MB, {len(about["classes"])} classes, '
          f'{about["size"]} px; {said}')


def main(arguments):
    """Runs what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(
        description='Write a net that train.py has trained so that other programs can use it.',
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', metavar='CHECKPOINT', type=Path,
                        help='what train.py wrote, such as runs/NAME/best.ckpt')
    parser.add_argument('net', metavar='NET', type=Path,
                        help='the new file, whose name ends with .onnx or .safetensors')
    options = parser.parse_args(arguments)
    if options.net.suffix not in ('.onnx', '.safetensors'):
        parser.error(f'{options.net} has to end with .onnx or .safetensors')
    try:
        export(options)
    except BrokenPipeError:  # nobody reads on, see commands.run
        raise
    except (ValueError, OSError) as error:
        print(f'export.py: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('export.py: stopped; nothing was written', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(commands.run(main))
