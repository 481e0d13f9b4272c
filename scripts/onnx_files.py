"""A trained net as an ONNX file, which many programs run; running one needs no MXNet.

Input `pixels`, float32 of shape (pictures, 3 or 1 channels, size, size), red first, from 0 to 1;
output `probabilities`, float32 of shape (pictures, classes), whose rows add up to 1. The metadata
`about` is JSON: the classes' names, size, grey, and what the pixels are normalised by inside.
"""
import functools
import tempfile
from pathlib import Path

import numpy as np

from about import for_others, is_about, read_json

CLOSE = 1e-4  # how far a probability may be from MXNet's; trained nets come to some 1e-6


def pixels(images):
    """What the net takes, from pictures as pictures.read_picture gives them."""
    return np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) / 255


# ---------------------------------------------------------------------------------------------
# Writing


def graph(net, shape, names=('pixels', 'scores')):
    """The onnx.ModelProto of a hybridizable net; the size of the batch is left free.

    net: with parameters, on the CPU. shape: of one input, without the batch. names: what input and
    output are called.
    """
    import mxnet as mx
    import onnx
    params = {p.name: p.data(mx.cpu()) for p in net.collect_params().values()}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, 'net.onnx'))
        mx.onnx.export_model(net(mx.sym.var(names[0])), params, [(1, *shape)], np.float32, path,
                             dynamic=True, dynamic_input_shapes=[('batch', *shape)])
        model = onnx.load(path)
    # MXNet lists the weights among the inputs, and leaves some that nothing uses.
    used = {name for node in model.graph.node for name in node.input}
    weights = [weight for weight in model.graph.initializer if weight.name in used]
    inputs = [value for value in model.graph.input if value.name == names[0]]
    [out] = model.graph.output
    for node in model.graph.node:
        node.output[:] = [names[1] if name == out.name else name for name in node.output]
    del model.graph.input[:], model.graph.initializer[:], model.graph.output[:]
    model.graph.input.extend(inputs)
    model.graph.initializer.extend(weights)
    free = [None] * (len(out.type.tensor_type.shape.dim) - 1)
    model.graph.output.append(onnx.helper.make_tensor_value_info(
        names[1], onnx.TensorProto.FLOAT, ['batch', *free]))
    # MXNet writes the operators of this version and claims onnx's newest, where onnxruntime leaves
    # BN beside the convolutions, and takes twice as long.
    del model.opset_import[:]
    model.opset_import.add(version=13)
    model.ir_version = 7  # of the same release, so that older programs read the file, too
    onnx.checker.check_model(model, full_check=True)
    return model


def from_pixels(net, about):
    """The net with what `about` says of its pictures in front, and softmax behind it."""
    from mxnet import nd
    from mxnet.gluon import nn

    class FromPixels(nn.HybridBlock):
        def __init__(self):
            super().__init__()
            self.net = net
            for name in ('mean', 'std'):
                values = nd.array(about[name]).reshape((1, -1, 1, 1))
                setattr(self, name, self.params.get_constant(name, values))
                getattr(self, name).initialize()

        def hybrid_forward(self, F, pixels, mean, std):
            return F.softmax(self.net(F.broadcast_div(F.broadcast_sub(pixels, mean), std)))

    return FromPixels()


def to_onnx(net, about):
    """The bytes of an ONNX file of a net and its `about` (see about.py), from pixels to answers."""
    size, channels = about['size'], 1 if about['grey'] else 3
    model = graph(from_pixels(net, about), (channels, size, size), ('pixels', 'probabilities'))
    model.producer_name = 'resnet-notebooks'
    model.metadata_props.add(key='about', value=for_others(about))
    return model.SerializeToString()


# ---------------------------------------------------------------------------------------------
# Running


def session(content):
    """onnxruntime's session for the bytes of an ONNX file."""
    import onnxruntime
    return onnxruntime.InferenceSession(content, providers=['CPUExecutionProvider'])


def ask(running, images):
    """The probability of each class, (pictures, classes); images: see answers.predict_files."""
    return running.run(['probabilities'], {'pixels': pixels(images)})[0]


def load(path):
    """(ask, about) of an ONNX file that export.py wrote; ask takes pictures only.

    Raises FileNotFoundError, or ValueError for what is no such file.
    """
    if not path.exists():
        raise FileNotFoundError(f'there is no file {path}')
    try:
        running = session(path.read_bytes())
        about = read_json(running.get_modelmeta().custom_metadata_map.get('about', 'null'))
    except Exception as error:  # onnxruntime has a dozen kinds of its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f'{path} is not a whole ONNX file ({reason})') from None
    if not is_about(about):
        raise ValueError(f'{path} does not say which classes and pictures it is for: write it by '
                         'scripts/export.py')
    return functools.partial(ask, running), about
