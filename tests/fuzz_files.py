"""A small file of every kind that the program reads, for `fuzz.py` to damage."""

import dataclasses
import io
import json
from collections.abc import Mapping
from pathlib import Path

import imagecodecs
import numpy as np
import tensorflow as tf
import tifffile
from conftest import random_weights
from PIL import Image, ImageCms, PngImagePlugin
from weight_files import (
    torchvision_tensors,
    write_caffe,
    write_keras,
    write_keras_archive,
    write_legacy_torch,
    write_tf_slim,
    write_theano_keras,
    write_torch,
)

from neuralstyle.feedforward.checkpoints import OWN_NAMES, PUBLISHED_NAMES
from neuralstyle.feedforward.transform import initial_weights
from neuralstyle.networks.matconvnet import GENERATIONS, write_matconvnet
from neuralstyle.networks.network import assemble
from neuralstyle.recipes import RECIPES

V1 = tf.compat.v1.train.SaverDef.V1
V2 = tf.compat.v1.train.SaverDef.V2


def small_network():
    return assemble(random_weights((2, 2, 3, 3, 4)))


def write_all(folder: Path) -> list[tuple[str, str, str]]:
    """Write every file, and tell for each its kind, the file to damage and the file to name."""
    pictures = [("picture", name, name) for name in _pictures(folder)]
    networks = [("network", name, name) for name in _networks(folder)]
    checkpoints = [
        *(("network", f"slim.ckpt{ending}", "slim.ckpt") for ending in (".index", ".data-00000-of-00001")),
        *(("transform", f"own.ckpt{ending}", "own.ckpt") for ending in (".index", ".data-00000-of-00001")),
        ("transform", "published.ckpt", "published.ckpt"),
    ]
    write_tf_slim(folder / "slim.ckpt", small_network(), V2)
    _transform_checkpoint(folder / "own.ckpt", OWN_NAMES, V2)
    _transform_checkpoint(folder / "published.ckpt", PUBLISHED_NAMES, V1)
    records = [("record", name, name) for name in _records(folder)]
    np.savez(folder / "means.npz", **{layer.name: np.ones(layer.bias.shape) for layer in _convolutions()})
    others = [("means", "means.npz", "means.npz"), ("state", "run.unfinished", "run.unfinished")]
    np.savez(folder / "state.npz", **_state())
    (folder / "state.npz").rename(folder / "run.unfinished")
    return pictures + networks + checkpoints + records + others


def _convolutions():
    return small_network().convolutions


def _pictures(folder: Path) -> list[str]:
    """Pictures of all modes, with 8 and 16 bits, metadata and profiles."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:24, :32]
    smooth = np.stack([8 * x, 10 * y, 4 * (x + y)], axis=2) + rng.integers(0, 8, (24, 32, 3))
    rgb = Image.fromarray(smooth.clip(0, 255).astype(np.uint8))
    alpha = Image.fromarray((8 * x).clip(0, 255).astype(np.uint8))
    rgba = rgb.copy()
    rgba.putalpha(alpha)
    grey_alpha = rgba.convert("LA")
    palette = rgb.convert("P", palette=Image.Palette.ADAPTIVE)
    deep = (257 * smooth).clip(0, 65535).astype(np.uint16)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a picture"
    modes = {"1": rgb.convert("1"), "L": rgb.convert("L"), "P": palette, "RGB": rgb, "RGBA": rgba}
    modes |= {"LA": grey_alpha, "CMYK": rgb.convert("CMYK"), "I16": Image.fromarray(deep[..., 0])}
    modes |= {"F": Image.fromarray((deep[..., 0] / 65535).astype(np.float32))}
    kinds = {
        "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I16"),
        "jpg": ("L", "RGB", "CMYK"),
        "tif": ("1", "L", "P", "RGB", "RGBA", "CMYK", "I16", "F"),
        "webp": ("RGB", "RGBA"),
        "bmp": ("1", "L", "P", "RGB"),
        "gif": ("L", "P"),
    }
    names = []
    for suffix, of_kind in kinds.items():
        for mode in of_kind:
            names.append(f"{mode}.{suffix}")
            modes[mode].save(folder / names[-1])
    rgb.save(folder / "exif.jpg", exif=exif, icc_profile=profile, progressive=True)
    rgb.save(folder / "exif.png", exif=exif, icc_profile=profile)
    rgb.save(folder / "exif.webp", exif=exif, icc_profile=profile, lossless=True)
    palette.save(folder / "transparent.png", transparency=0)
    rgb.save(folder / "packed.tif", compression="tiff_lzw", icc_profile=profile)
    rgb.save(folder / "jpeg.tif", compression="jpeg")
    modes["1"].save(folder / "fax.tif", compression="group4")
    palette.save(folder / "palette.tif", compression="tiff_lzw")
    rgb.convert("YCbCr").save(folder / "ycbcr.tif", compression="jpeg")
    _lab(rgb).save(folder / "lab.tif", compression="tiff_lzw")
    tifffile.imwrite(folder / "deep.tif", deep, photometric="rgb", compression="deflate", predictor=True)
    tifffile.imwrite(folder / "tiles.tif", deep, photometric="rgb", tile=(16, 16))
    palette.save(folder / "film.gif", save_all=True, append_images=[palette.rotate(90), palette.rotate(180)])
    (folder / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    names += ["exif.jpg", "exif.png", "exif.webp", "transparent.png", "packed.tif", "jpeg.tif"]
    names += ["fax.tif", "palette.tif", "ycbcr.tif", "lab.tif"]
    return [*names, "deep.tif", "tiles.tif", "film.gif", "deep.png"]


def _lab(rgb: Image.Image) -> Image.Image:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.profileToProfile(rgb, *profiles, outputMode="LAB")


def _networks(folder: Path) -> list[str]:
    """A narrow network in every format of weights, but for checkpoints of several files."""
    network = small_network()
    for generation in GENERATIONS:
        write_matconvnet(network, folder / f"{generation}.mat", generation)
    write_matconvnet(network, folder / "stored.mat", compress=lambda data: _stored(data))
    write_keras(folder / "keras1.h5", network, "Keras 1")
    write_keras(folder / "keras2.h5", network, "Keras 2, whole model", slots=True)
    write_keras(folder / "keras3.h5", network, "Keras 3")
    write_keras(folder / "numbers.h5", network, "Keras 2.12, by number")
    write_theano_keras(folder / "theano.h5", network)
    write_keras_archive(folder / "keras3.keras", network)
    write_torch(folder / "torch.pth", torchvision_tensors(network))
    write_legacy_torch(folder / "legacy.pth", torchvision_tensors(network))
    write_tf_slim(folder / "slim1.ckpt", network, V1)
    write_caffe(folder / "old.caffemodel", network)
    write_caffe(folder / "new.caffemodel", network, current=True)
    names = [f"{generation}.mat" for generation in GENERATIONS] + ["stored.mat", "keras1.h5", "keras2.h5"]
    names += ["keras3.h5", "numbers.h5", "theano.h5", "keras3.keras", "torch.pth", "legacy.pth"]
    return [*names, "slim1.ckpt", "old.caffemodel", "new.caffemodel"]


def _stored(data: bytes) -> bytes:
    """A zlib stream that compresses nothing: damage reaches the numbers, and lengths inside."""
    import zlib

    return zlib.compress(data, 0)


def _transform_checkpoint(path: Path, names: Mapping[str, str], version: int) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        weights = initial_weights(0.05)
        variables = [tf.compat.v1.Variable(weights[name], name=called) for name, called in names.items()]
        session.run(tf.compat.v1.variables_initializer(variables))
        saver = tf.compat.v1.train.Saver(variables, write_version=version)
        saver.save(session, str(path), write_meta_graph=False, write_state=False)


def _encoded(value: object) -> object:
    """A recipe as records of format 1 keep it."""
    if dataclasses.is_dataclass(value):
        own = {field.name: _encoded(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return own if value in RECIPES.values() else {"name": type(value).__name__, **own}
    if isinstance(value, Mapping):
        return {key: _encoded(item) for key, item in value.items()}
    return [_encoded(item) for item in value] if isinstance(value, tuple | list) else value


def _record() -> dict:
    picture = {"path": "content.jpg", "sha256": 64 * "0", "width": 32, "height": 24}
    record = {"program": "neuralstyle", "format": 1, "recipe": _encoded(RECIPES["gatys"]), "seed": 7}
    record |= {"content": picture, "styles": [picture], "masks": [], "style_masks": [], "start": None}
    record |= {"network": {"name": "vgg19.mat", "sha256": 64 * "f"}, "options": {"bits": 8}}
    losses = {"total": 6.0, "content": 3.0, "style": 2.0, "tv": 1.0}
    result = {"width": 32, "height": 24, "iteration": 9, "losses": losses}
    return record | {"versions": {"neuralstyle": "0.1.0"}, "result": result}


def _records(folder: Path) -> list[str]:
    text = json.dumps(_record(), indent=2)
    (folder / "record.json").write_text(text)
    chunk = PngImagePlugin.PngInfo()
    chunk.add_itxt("neuralstyle", text)
    Image.new("RGB", (16, 16), "teal").save(folder / "record.png", pnginfo=chunk)
    chunk = PngImagePlugin.PngInfo()
    chunk.add_itxt("neuralstyle", text, zip=True)
    Image.new("RGB", (16, 16), "teal").save(folder / "packed.png", pnginfo=chunk)
    return ["record.json", "record.png", "packed.png"]


def _state() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    picture = rng.normal(size=(8, 10, 3)).astype(np.float32)
    header = {"program": "neuralstyle", "format": 1, "iteration": 2, "scale": 0, "best_total": 0.5}
    header["record"] = _record()
    stream = io.StringIO()
    json.dump(header, stream)
    return {
        "header": np.frombuffer(stream.getvalue().encode(), np.uint8),
        "history": np.arange(12.0).reshape(2, 6),
        "picture": picture,
        "best": picture + 1,
        "state.mean": picture * 0,
        "state.variance": picture**2,
    }
