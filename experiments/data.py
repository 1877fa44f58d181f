"""Data sets for the experiments: Debian packages, and any folder of class folders.

The repository contains none of them. `fetch` downloads a package with `apt-get download`, which
needs no root rights, checks its SHA-256 digest and unpacks it into `.cache/cnnref/data`. On a
machine without apt the experiments cannot run, but the labs still show the stored results.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps

from experiments.rcc import read_rcc

__all__ = [
    "FASHION_MNIST",
    "GCOMPRIS",
    "Credit",
    "ImageSet",
    "MissingDataError",
    "Package",
    "credits_of",
    "fashion_mnist",
    "fetch",
    "image_folder",
    "photographs",
]

CACHE = Path(__file__).resolve().parents[1] / ".cache/cnnref/data"

_ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".webp")


class MissingDataError(Exception):
    """A data set is not available on this machine."""


@dataclass(frozen=True)
class Package:
    """A Debian package, pinned to one version.

    Attributes:
        name: its name in apt.
        version: its version.
        sha256: the digest of the `.deb` file.
    """

    name: str
    version: str
    sha256: str


GCOMPRIS = Package(
    "gcompris-qt-data", "3.1-2", "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f"
)
FASHION_MNIST = Package(
    "dataset-fashion-mnist",
    "0.0~git20200523.55506a9-1",
    "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
)

# The classes of photographs: the archive that contains them, and their folder in it.
_ACTIVITIES = "gcompris/src/activities"
_CLASSES = {
    "animals": [
        ("explore_farm_animals", "explore_farm_animals/resource/animals"),
        ("explore_world_animals", "explore_world_animals/resource/animals"),
    ],
    "fish": [("categorization", "categorization/resource/images/fishes")],
    "monuments": [("categorization", "categorization/resource/images/monuments")],
    "tools": [("categorization", "categorization/resource/images/tools")],
}
# A misspelt name in the README of the tools.
_MISSPELT = {"screDriver.webp": "screwDriver.webp"}


class ImageSet(NamedTuple):
    """Images with their classes.

    Attributes:
        images: uint8 tensor (N, channels, height, width).
        labels: int64 tensor (N,), indices into `names`.
        names: the names of the classes.
        files: where each image comes from, as `class/file`.
    """

    images: torch.Tensor
    labels: torch.Tensor
    names: list[str]
    files: list[str]


class Credit(NamedTuple):
    """Who made a photograph, under which licence, and where it was published."""

    author: str
    licence: str
    source: str


def fetch(package: Package, *, cache: Path = CACHE) -> Path:
    """Return the folder of an unpacked package, and download the package if necessary.

    Args:
        package: What to fetch.
        cache: Where packages are kept. A `.deb` file that you put there is used.

    Raises:
        MissingDataError: If apt or dpkg is missing, the download fails, or the file is not the
            expected one.
    """
    folder = cache / f"{package.name}_{package.version}"
    if folder.exists():
        return folder
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise MissingDataError(
                f"`{tool}` is missing, so the Debian package {package.name} cannot be downloaded "
                "and the experiment cannot run here. Its lab shows the stored results, and "
                "`image_folder` loads your own photographs"
            )
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        kept = sorted(cache.glob(f"{package.name}_*.deb"))
        archive = kept[0] if kept else _download(package, Path(scratch))
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != package.sha256:
            raise MissingDataError(
                f"the SHA-256 digest of {archive.name} is {digest} and must be {package.sha256}: "
                f"the file is not {package.name} {package.version}, or it was altered"
            )
        unpacked = Path(scratch) / "unpacked"
        subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True)
        unpacked.rename(folder)
    return folder


def _download(package: Package, folder: Path) -> Path:
    """Download a `.deb` file into a folder, and update the package lists if that fails at first."""
    download = ["apt-get", "download", "-qq", f"{package.name}={package.version}"]
    run = subprocess.run(download, cwd=folder, capture_output=True, text=True)
    if run.returncode:
        root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        if not root or shutil.which("sudo"):
            subprocess.run([*root, "apt-get", "update", "-qq"], capture_output=True)
        run = subprocess.run(download, cwd=folder, capture_output=True, text=True)
    files = sorted(folder.glob("*.deb"))
    if run.returncode or not files:
        raise MissingDataError(
            f"`{' '.join(download)}` failed (Debian 12 has this version):\n{run.stderr.strip()}"
        )
    return files[0]


def photographs(*, cache: Path = CACHE) -> Path:
    """Return a folder of class folders with photographs: animals, fish, monuments and tools.

    They belong to GCompris, a collection of games for children, and come from the Debian package
    `gcompris-qt-data`. All are in the public domain or CC0: see `credits_of`.

    Args:
        cache: Where packages are kept.

    Raises:
        MissingDataError: If the package is not available.
    """
    folder = cache / f"photographs_{GCOMPRIS.version}"
    if folder.exists():
        return folder
    archives = fetch(GCOMPRIS, cache=cache) / "usr/share/gcompris-qt/rcc"
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        unpacked = Path(scratch) / "unpacked"
        for name, places in _CLASSES.items():
            (unpacked / name).mkdir(parents=True)
            for archive, inside in places:
                for path, content in read_rcc((archives / f"{archive}.rcc").read_bytes()).items():
                    if path.startswith(f"{_ACTIVITIES}/{inside}/") and path.endswith(".webp"):
                        (unpacked / name / Path(path).name).write_bytes(content)
        unpacked.rename(folder)
    return folder


def credits_of(files: list[str], *, cache: Path = CACHE) -> dict[str, Credit]:
    """Return who made which photograph, from the READMEs next to them in the archives.

    Debian's copyright file is not used, because it still describes other pictures with the same
    names, from an earlier version.

    Args:
        files: Photographs of `photographs`, as `class/file`.
        cache: Where packages are kept.

    Raises:
        MissingDataError: If the package is not available.
        ValueError: If a photograph is not named in any README.
    """
    archives = fetch(GCOMPRIS, cache=cache) / "usr/share/gcompris-qt/rcc"
    known: dict[str, Credit] = {}
    for name, places in _CLASSES.items():
        for archive, inside in places:
            content = read_rcc((archives / f"{archive}.rcc").read_bytes())
            readme = content[f"{_ACTIVITIES}/{inside}/README"].decode()
            known |= {f"{name}/{file}": credit for file, credit in _credits(readme)}
    unnamed = [file for file in files if file not in known]
    if unnamed:
        raise ValueError(f"`files`: no README of {GCOMPRIS.name} names {', '.join(unnamed)}")
    return {file: known[file] for file in files}


def _credits(readme: str) -> Iterator[tuple[str, Credit]]:
    """Yield each file that a README names, and its credit."""
    for paragraph in re.split(r"\n\s*\n", readme.strip()):
        head, _, files = paragraph.partition("Files:")
        fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
        if "Source" in fields:
            credit = Credit(fields["Copyright"], fields["License"], fields["Source"])
            for file in files.split():
                yield _MISSPELT.get(file, file), credit


def image_folder(path: str | Path, size: int) -> ImageSet:
    """Load a folder of class folders: `path/cats/a.jpg`, `path/dogs/b.png` and so on.

    Each image is rotated as its EXIF data says, resized until its shorter side is `size`, and
    cropped to the square in its middle. Classes and files are sorted by name, so that the result is
    the same on every machine.

    Args:
        path: The folder.
        size: The side of the returned images, in pixels.

    Raises:
        ValueError: If `size` is too small, or the folder contains no class folders, or one of these
            contains no images.
    """
    if size < 1:
        raise ValueError(f"`size` ({size}) must be at least 1")
    folders = sorted(one for one in Path(path).iterdir() if one.is_dir())
    if not folders:
        raise ValueError(f"`path` ({path}) must contain a folder for each class")
    images, labels, files = [], [], []
    for label, folder in enumerate(folders):
        pictures = sorted(one for one in folder.iterdir() if one.suffix.lower() in _ENDINGS)
        if not pictures:
            raise ValueError(f"`path`: {folder} must contain images ({', '.join(_ENDINGS)})")
        for picture in pictures:
            with Image.open(picture) as opened:
                upright = ImageOps.exif_transpose(opened).convert("RGB")
            square = ImageOps.fit(upright, (size, size), Image.Resampling.BICUBIC)
            images.append(torch.from_numpy(np.array(square)).permute(2, 0, 1))
            labels.append(label)
            files.append(f"{folder.name}/{picture.name}")
    names = [folder.name for folder in folders]
    return ImageSet(torch.stack(images), torch.tensor(labels), names, files)


def fashion_mnist(part: str, *, cache: Path = CACHE) -> ImageSet:
    """Load Fashion-MNIST: grey pictures of clothes, 28×28, ten classes.

    Args:
        part: `"train"` for 60,000 images, `"test"` for 10,000.
        cache: Where packages are kept.

    Raises:
        ValueError: If `part` is neither of these.
        MissingDataError: If the package is not available.
    """
    stems = {"train": "train", "test": "t10k"}
    if part not in stems:
        raise ValueError(f"`part` ({part!r}) must be 'train' or 'test'")
    folder = fetch(FASHION_MNIST, cache=cache) / "usr/share/datasets/fashion-mnist"
    # The first 16 or 8 bytes contain the type and the sizes, which are known.
    images = gzip.decompress((folder / f"{stems[part]}-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / f"{stems[part]}-labels-idx1-ubyte.gz").read_bytes())[8:]
    names = ["T-shirt", "trousers", "pullover", "dress", "coat"]
    names += ["sandal", "shirt", "trainer", "bag", "ankle boot"]
    return ImageSet(
        torch.from_numpy(np.frombuffer(images, np.uint8).reshape(-1, 1, 28, 28).copy()),
        torch.from_numpy(np.frombuffer(labels, np.uint8).astype(np.int64)),
        names,
        [f"{part}/{index}" for index in range(len(labels))],
    )
