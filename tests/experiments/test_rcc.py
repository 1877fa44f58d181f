from __future__ import annotations

import struct
import zlib

import pytest

from experiments.rcc import read_rcc


def archive(version=3, *, packed=b"aaaa" * 100, flags=1):
    """Write an archive by hand: folder/ with plain.txt and packed.txt, and top.txt beside it."""
    names, places = b"", {}
    for name in ("folder", "plain.txt", "packed.txt", "top.txt"):
        places[name] = len(names)
        units = name.encode("utf-16-be")
        names += struct.pack(">HI", len(name), 0) + units
    data, offsets = b"", []
    for content in (b"plain", struct.pack(">I", len(packed)) + zlib.compress(packed), b"top\0"):
        offsets.append(len(data))
        data += struct.pack(">I", len(content)) + content
    time = b"" if version == 1 else struct.pack(">Q", 1_700_000_000_000)

    def folder(name, count, first):
        return struct.pack(">IHII", name, 2, count, first) + time

    def file(name, flags, offset):
        return struct.pack(">IHHHI", name, flags, 0, 1, offset) + time

    tree = (
        folder(0, 2, 1)
        + folder(places["folder"], 2, 3)
        + file(places["top.txt"], 0, offsets[2])
        + file(places["plain.txt"], 0, offsets[0])
        + file(places["packed.txt"], flags, offsets[1])
    )
    start = 24 if version == 3 else 20
    header = struct.pack(
        ">4s4I", b"qres", version, start, start + len(tree), start + len(tree) + len(data)
    )
    return header + (struct.pack(">I", 1) if version == 3 else b"") + tree + data + names


@pytest.mark.parametrize("version", [1, 2, 3])
def test_plain_and_packed_files_come_out_with_their_paths(version):
    assert read_rcc(archive(version)) == {
        "folder/plain.txt": b"plain",
        "folder/packed.txt": b"aaaa" * 100,
        "top.txt": b"top\0",
    }


def test_an_archive_is_known_by_its_first_bytes():
    with pytest.raises(ValueError, match=r"\(starts with b'PK.*\) must start with b'qres'"):
        read_rcc(b"PK\3\4" + bytes(40))


def test_other_versions_are_refused():
    with pytest.raises(ValueError, match=r"the version of `archive` \(4\) must be 1, 2 or 3"):
        read_rcc(archive(4))


def test_zstandard_is_refused_by_name():
    with pytest.raises(ValueError, match=r"folder/packed.txt is compressed with Zstandard"):
        read_rcc(archive(flags=4))


@pytest.mark.parametrize("kept", [3, 15, 30, 120])
def test_a_cut_archive_is_refused(kept):
    with pytest.raises(ValueError, match=r"damaged|must start"):
        read_rcc(archive()[:kept])


def test_a_file_that_ends_too_early_is_refused():
    whole = archive(1)
    # The last data in the archive is top.txt; claim a longer one.
    place = whole.index(struct.pack(">I", 4) + b"top\0")
    longer = whole[:place] + struct.pack(">I", 10_000) + whole[place + 4 :]
    with pytest.raises(ValueError, match=r"damaged: top.txt ends too early"):
        read_rcc(longer)


def test_a_folder_inside_itself_is_refused():
    whole = bytearray(archive(1))
    # The root (node 0) has its first child at byte 10 of its node; let it be the root.
    struct.pack_into(">I", whole, 20 + 10, 0)
    with pytest.raises(ValueError, match=r"node 0 has the child 0"):
        read_rcc(bytes(whole))
