"""Weight files of other programs, written here as those programs write them, for tests and the fuzzer."""

import io
import pickle
import struct
import zipfile

import h5py
import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

KERAS_NAMES = {
    f"conv{block}_{index}": f"block{block}_conv{index}" for block in range(1, 6) for index in range(1, 5)
} | {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}

#: Where each layout keeps a kernel and a bias: {0} is the layer's name, {1} the name by class and number.
KERAS_LAYOUTS = {
    "Keras 1": ("{0}/{0}_W_1:0", "{0}/{0}_b_1:0"),
    "Keras 1, whole model": ("model_weights/{0}/{0}_W:0", "model_weights/{0}/{0}_b:0"),
    "Keras 2": ("{0}/{0}/kernel:0", "{0}/{0}/bias:0"),
    "Keras 2, whole model": ("model_weights/{0}/{0}_1/kernel:0", "model_weights/{0}/{0}_1/bias:0"),
    "Keras 2, inside another model": ("vgg19/{0}/kernel:0", "vgg19/{0}/bias:0"),
    "Keras 2.12, by name": (
        "_layer_checkpoint_dependencies/{0}/vars/0",
        "_layer_checkpoint_dependencies/{0}/vars/1",
    ),
    "Keras 2.12, by number": (
        "_layer_checkpoint_dependencies/{1}/vars/0",
        "_layer_checkpoint_dependencies/{1}/vars/1",
    ),
    "Keras 3": ("layers/{0}/vars/0", "layers/{0}/vars/1"),
    "Keras 3, by number": ("layers/{1}/vars/0", "layers/{1}/vars/1"),
}


def keras_weights(network):
    """Weights as Keras keeps them: conv1_1 taking BGR, fully connected layers as matrices."""
    weights = {}
    for layer in network.convolutions:
        kernel = layer.kernel
        if layer.name == "conv1_1":
            kernel = np.stack([kernel[:, :, 2], kernel[:, :, 1], kernel[:, :, 0]], axis=2)
        elif layer.name.startswith("fc"):
            # Keras's Flatten runs over rows, then columns, then channels.
            height, width, inputs, _ = kernel.shape
            rows = [kernel[y, x, c] for y in range(height) for x in range(width) for c in range(inputs)]
            kernel = np.array(rows)
        weights[KERAS_NAMES[layer.name]] = kernel, layer.bias
    return weights


def write_keras(file, network, layout, slots=False):
    """Write an HDF5 file in one of `KERAS_LAYOUTS`, with the slots of Keras 2.11's Adam where asked."""
    counts = {"conv2d": 0, "dense": 0}
    with h5py.File(file, "w") as store:
        for name, arrays in keras_weights(network).items():
            kind = "conv2d" if name.startswith("block") else "dense"
            number = f"{kind}_{counts[kind]}" if counts[kind] else kind
            counts[kind] += 1
            for place, array in zip(KERAS_LAYOUTS[layout], arrays, strict=True):
                store[place.format(name, number)] = array
            if slots:
                for slot, value in (("m", 5), ("v", 7)):
                    for part, array in zip(("kernel", "bias"), arrays, strict=True):
                        place = f"optimizer_weights/Adam/{slot}/{name}/{part}:0"
                        store[place] = np.full(array.shape, value, np.float32)


def write_keras_archive(path, network, layout="Keras 3"):
    """Write a ``.keras`` file: a zip archive of HDF5 weights, beside configuration that is not read."""
    content = io.BytesIO()
    write_keras(content, network, layout)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.0.0"}')
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", content.getvalue())


def channels_first(network):
    """Kernels out×in×H×W; those of fully connected layers out×(in·H·W); conv1_1 takes BGR."""
    weights = {}
    for layer in network.convolutions:
        kernel = np.einsum("yxio->oiyx", layer.kernel)
        if layer.name == "conv1_1":
            kernel = np.stack([kernel[:, 2], kernel[:, 1], kernel[:, 0]], axis=1)
        if layer.name.startswith("fc"):
            kernel = kernel.reshape(len(kernel), -1)
        weights[layer.name] = np.ascontiguousarray(kernel), layer.bias
    return weights


def write_theano_keras(path, network):
    """Write what Keras 1 wrote with Theano, which lays kernels on the picture turned by 180°."""
    with h5py.File(path, "w") as store:
        for name, (kernel, bias) in channels_first(network).items():
            kernel = kernel[:, :, ::-1, ::-1] if kernel.ndim == 4 else kernel.T
            store[f"{KERAS_NAMES[name]}/{KERAS_NAMES[name]}_W"] = kernel
            store[f"{KERAS_NAMES[name]}/{KERAS_NAMES[name]}_b"] = bias


def torch_names(network):
    """Torchvision's names: a number for every convolution, ReLU and pooling."""
    names = {}
    for position, layer in enumerate(layer for layer in network.layers if layer.name[:2] not in ("fc", "pr")):
        if layer.kind == "convolution":
            names[layer.name] = f"features.{position}"
    return names | {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}


def torchvision_tensors(network):
    """The state of torchvision's network that sees what the given one sees: RGB, standardised pictures."""
    tensors = {}
    for name, (kernel, bias) in channels_first(network).items():
        if name == "conv1_1":
            kernel = kernel[:, ::-1] * 255 * np.array([0.229, 0.224, 0.225]).reshape(3, 1, 1)
        tensors[f"{torch_names(network)[name]}.weight"] = kernel.astype(np.float32)
        tensors[f"{torch_names(network)[name]}.bias"] = bias
    return tensors


def torch_pickle(tensors, legacy=False):
    """The pickle of a dictionary of tensors, opcode by opcode as torch.save writes it (protocol 2)."""

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def integers(values):
        return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"

    ordered = b"ccollections\nOrderedDict\n)R"
    parts = [b"\x80\x02", ordered, b"("]
    for key, (name, array) in enumerate(tensors.items()):
        strides = np.array(np.empty(array.shape, np.int8).strides or ())
        storage = text("storage") + b"ctorch\nFloatStorage\n" + text(str(key)) + text("cpu")
        storage += b"J" + struct.pack("<i", array.size) + (b"N" if legacy else b"")
        parts += [text(name), b"ctorch._utils\n_rebuild_tensor_v2\n((", storage, b"tQ"]
        parts += [b"K\x00", integers(array.shape), integers(strides), b"\x89", ordered, b"tR"]
    return b"".join([*parts, b"u}", text("_metadata"), ordered, b"sb."])


def write_torch(path, tensors):
    """Write the zip archive that torch.save writes since version 1.6."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("vgg19/data.pkl", torch_pickle(tensors))
        archive.writestr("vgg19/byteorder", "little")
        for key, array in enumerate(tensors.values()):
            archive.writestr(f"vgg19/data/{key}", array.astype("<f4").tobytes())
        archive.writestr("vgg19/version", "3\n")


def write_legacy_torch(path, tensors):
    """Write the file that torch.save wrote before version 1.6."""
    keys = [str(key) for key in range(len(tensors))]
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4}}
    with open(path, "wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, system):
            pickle.dump(value, file, protocol=2)
        file.write(torch_pickle(tensors, legacy=True))
        pickle.dump(keys[::-1], file, protocol=2)
        for key in keys[::-1]:
            array = tensors[list(tensors)[int(key)]]
            file.write(struct.pack("<q", array.size) + array.astype("<f4").tobytes())


def write_tf_slim(path, network, version):
    """Write a checkpoint of TF-Slim's names, of the first or second format."""
    with tf.Graph().as_default():
        model = "vgg_19" if "conv3_4" in network.names else "vgg_16"
        variables = [tf.compat.v1.Variable(100.0, name="global_step")]
        for layer in network.convolutions:
            scope = layer.name if layer.name.startswith("fc") else f"{layer.name[:5]}/{layer.name}"
            variables += [
                tf.compat.v1.Variable(layer.kernel, name=f"{model}/{scope}/weights"),
                tf.compat.v1.Variable(layer.bias, name=f"{model}/{scope}/biases"),
                tf.compat.v1.Variable(layer.bias * 0, name=f"{model}/{scope}/biases/Momentum"),
            ]
        saver = tf.compat.v1.train.Saver(variables, write_version=version)
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.variables_initializer(variables))
            saver.save(session, str(path), write_meta_graph=False, write_state=False)


def caffe_messages():
    """The messages of caffe.proto that a file of weights needs, for Google's library."""
    field = descriptor_pb2.FieldDescriptorProto
    messages = {
        "BlobShape": [("dim", 1, field.TYPE_INT64, True, True)],
        "BlobProto": [
            *((name, number, field.TYPE_INT32, False, False) for number, name in enumerate("nchw", start=1)),
            ("data", 5, field.TYPE_FLOAT, True, True),
            ("shape", 7, ".BlobShape", False, False),
        ],
        "V1LayerParameter": [
            ("bottom", 2, field.TYPE_STRING, True, False),
            ("name", 4, field.TYPE_STRING, False, False),
            ("type", 5, field.TYPE_INT32, False, False),
            ("blobs", 6, ".BlobProto", True, False),
        ],
        "LayerParameter": [
            ("name", 1, field.TYPE_STRING, False, False),
            ("type", 2, field.TYPE_STRING, False, False),
            ("blobs", 7, ".BlobProto", True, False),
        ],
        "NetParameter": [
            ("name", 1, field.TYPE_STRING, False, False),
            ("layers", 2, ".V1LayerParameter", True, False),
            ("force_backward", 5, field.TYPE_BOOL, False, False),
            ("layer", 100, ".LayerParameter", True, False),
        ],
    }
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", syntax="proto2")
    for message, fields in messages.items():
        description = file.message_type.add(name=message)
        for name, number, kind, repeated, packed in fields:
            label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            added = description.field.add(name=name, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = field.TYPE_MESSAGE, kind
            else:
                added.type = kind
            if packed:
                added.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("NetParameter"))


def write_caffe(path, network, current=False):
    """Write a Caffe model with the published, or the current, kind of layers."""
    net = caffe_messages()(name="VGG_ILSVRC_19_layers", force_backward=True)
    weights = channels_first(network)
    for layer in network.layers:
        if current:
            added = net.layer.add(name=layer.name, type=layer.kind)
        else:
            added = net.layers.add(name=layer.name, type=4, bottom=["below"])
        for array in weights.get(layer.name, ()):
            if current:
                blob = added.blobs.add(data=array.ravel())
                blob.shape.dim.extend(array.shape)
            else:
                shape = [1] * (4 - array.ndim) + list(array.shape)
                added.blobs.add(data=array.ravel(), **dict(zip("nchw", shape, strict=True)))
    path.write_bytes(net.SerializeToString())
