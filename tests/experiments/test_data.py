from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess

import numpy as np
import pytest
import torch
from PIL import Image

from experiments import data
from experiments.data import (
    FASHION_MNIST,
    GCOMPRIS,
    Credit,
    MissingDataError,
    Package,
    fashion_mnist,
    fetch,
    image_folder,
)


def save(path, array, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, dtype=np.uint8)).save(path, **settings)


@pytest.fixture
def folder(tmp_path):
    """A folder of two classes; the names are not in the order in which the files are made."""
    save(tmp_path / "dogs/b.png", np.full((6, 4, 3), (10, 20, 30)))
    save(tmp_path / "dogs/a.PNG", np.full((4, 6), 200))
    save(tmp_path / "cats/z.png", np.full((4, 4, 3), (255, 0, 0)))
    (tmp_path / "cats/notes.txt").write_text("no image")
    (tmp_path / "readme.md").write_text("no class")
    return tmp_path


def test_a_folder_is_loaded_in_the_order_of_names(folder):
    images, labels, names, files = image_folder(folder, 4)
    assert names == ["cats", "dogs"]
    assert files == ["cats/z.png", "dogs/a.PNG", "dogs/b.png"]
    assert labels.tolist() == [0, 1, 1]
    assert labels.dtype == torch.int64
    assert images.dtype == torch.uint8
    assert images.shape == (3, 3, 4, 4)
    assert images[0, :, 2, 1].tolist() == [255, 0, 0]
    assert images[1].unique().tolist() == [200]  # grey becomes three equal channels
    assert images[2, :, 0, 0].tolist() == [10, 20, 30]


def test_the_middle_of_a_long_picture_is_kept(tmp_path):
    wide = np.zeros((2, 6, 3))
    wide[:, 2:4] = 255
    save(tmp_path / "a/wide.png", wide)
    assert image_folder(tmp_path, 2).images.unique().tolist() == [255]


def test_shrinking_averages_instead_of_dropping_pixels(tmp_path):
    stripes = np.zeros((64, 64))
    stripes[:, ::2] = 255
    save(tmp_path / "a/stripes.png", stripes)
    shrunk = image_folder(tmp_path, 8).images
    assert shrunk.min() > 100
    assert shrunk.max() < 155


def test_a_photograph_taken_on_its_side_is_turned_upright(tmp_path):
    picture = np.zeros((4, 4, 3))
    picture[:, :2] = 255  # white on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by a quarter
    save(tmp_path / "a/phone.png", picture, exif=exif)
    upright = image_folder(tmp_path, 4).images[0, 0]
    assert upright[:2].unique().tolist() == [255]  # white at the top
    assert upright[2:].unique().tolist() == [0]


def test_folders_that_hold_nothing_are_refused(folder):
    with pytest.raises(ValueError, match=r"`path` .* must contain a folder for each class"):
        image_folder(folder / "cats", 4)
    (folder / "birds").mkdir()
    with pytest.raises(ValueError, match=r"birds must contain images"):
        image_folder(folder, 4)


def test_a_size_of_nothing_is_refused(folder):
    with pytest.raises(ValueError, match=r"`size` \(0\) must be at least 1"):
        image_folder(folder, 0)


def test_without_apt_the_error_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    with pytest.raises(MissingDataError, match=r"`apt-get` is missing.*stored results"):
        fetch(GCOMPRIS, cache=tmp_path)


def packed(folder, name, files):
    """Make a `.deb` of some files, and return its description."""
    source = folder / "source"
    (source / "DEBIAN").mkdir(parents=True)
    (source / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: -\n"
    )
    for path, content in files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(content)
    archive = folder / f"{name}_1_all.deb"
    subprocess.run(["dpkg-deb", "-b", source, archive], check=True, capture_output=True)
    return Package(name, "1", hashlib.sha256(archive.read_bytes()).hexdigest())


needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="a tool of Debian")


@needs_dpkg
def test_a_package_at_hand_is_checked_and_unpacked_once(tmp_path, monkeypatch):
    package = packed(tmp_path, "tiny", {"usr/share/hello.txt": b"hello"})
    monkeypatch.setattr(shutil, "which", lambda tool: tool)
    folder = fetch(package, cache=tmp_path)
    assert (folder / "usr/share/hello.txt").read_bytes() == b"hello"
    (tmp_path / "tiny_1_all.deb").unlink()
    assert fetch(package, cache=tmp_path) == folder


@needs_dpkg
def test_an_altered_package_is_refused(tmp_path, monkeypatch):
    package = packed(tmp_path, "tiny", {})
    monkeypatch.setattr(shutil, "which", lambda tool: tool)
    with (tmp_path / "tiny_1_all.deb").open("ab") as archive:
        archive.write(b"!")
    with pytest.raises(MissingDataError, match=rf"must be {package.sha256}"):
        fetch(package, cache=tmp_path)
    assert not (tmp_path / "tiny_1").exists()


def test_a_failed_download_is_tried_again_with_fresh_lists(tmp_path, monkeypatch):
    commands = []

    def run(command, **settings):
        commands.append(command[:2] if command[0] == "apt-get" else command[-3:-1])
        return subprocess.CompletedProcess(command, 100, "", "E: no such version")

    monkeypatch.setattr(shutil, "which", lambda tool: tool)
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(MissingDataError, match=r"failed \(Debian 12.*\n.*no such version"):
        fetch(GCOMPRIS, cache=tmp_path)
    assert commands == [["apt-get", word] for word in ("download", "update", "download")]


def test_the_credits_stand_in_the_readme_beside_the_pictures():
    readme = (
        "Copyright: A. Author\nSource: https://example.org/a\nLicense: Public Domain\n"
        "Files:\none.webp\nscreDriver.webp\n\n"
        "Copyright: Who made the drawings\nLicense: GPL-3\nFiles:\na.svg\n"
    )
    credit = Credit("A. Author", "Public Domain", "https://example.org/a")
    assert dict(data._credits(readme)) == {"one.webp": credit, "screwDriver.webp": credit}


def test_fashion_mnist_is_read_from_the_package(tmp_path):
    folder = tmp_path / f"{FASHION_MNIST.name}_{FASHION_MNIST.version}"
    folder = folder / "usr/share/datasets/fashion-mnist"
    folder.mkdir(parents=True)
    pixels = np.arange(2 * 28 * 28, dtype=np.uint16).astype(np.uint8)
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(16) + pixels.tobytes()))
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(8) + bytes([9, 1])))
    images, labels, names, _ = fashion_mnist("test", cache=tmp_path)
    assert images.shape == (2, 1, 28, 28)
    assert images[1, 0, 0, 3] == (28 * 28 + 3) % 256
    assert [names[label] for label in labels] == ["ankle boot", "trousers"]
    with pytest.raises(ValueError, match=r"`part` \('dev'\) must be 'train' or 'test'"):
        fashion_mnist("dev", cache=tmp_path)
