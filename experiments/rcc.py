r"""Read Qt's binary resource archives (`.rcc`), which hold the files of a program in one file.

The format is that of Qt's `qresource.cpp` and of the tool `rcc` that writes it. All numbers are
big-endian. A header of five or six words,

    "qres"  version  tree  data  names  [flags, from version 3 on]

gives the offsets of three tables. The *tree* is a list of nodes of 14 bytes, 22 from version 2
on (a modification time follows); node 0 is the root folder:

    folder   name (4 bytes)  flags (2)  number of children (4)  first child (4)
    file     name (4 bytes)  flags (2)  territory (2)  language (2)  data (4)

A *name* is a length (2 bytes), a hash (4) and that many UTF-16 units. A file's *data* is a length
(4 bytes) and its content. Content compressed with zlib starts with its original length (4 bytes).
"""

from __future__ import annotations

import struct
import zlib

__all__ = ["read_rcc"]

_ZLIB, _FOLDER, _ZSTD = 1, 2, 4


def read_rcc(archive: bytes) -> dict[str, bytes]:
    """Return the files of an archive: their paths and their decompressed content.

    Args:
        archive: The bytes of the `.rcc` file.

    Raises:
        ValueError: If it is not such an archive, its version is not 1, 2 or 3, it ends too early,
            or a file in it is compressed with Zstandard, which Python 3.11 cannot read.
    """
    if archive[:4] != b"qres":
        raise ValueError(f"`archive` (starts with {archive[:4]!r}) must start with b'qres'")
    try:
        return _Reader(archive).files(0, "")
    except (struct.error, zlib.error) as error:
        raise ValueError(f"`archive` is damaged: {error}") from None


class _Reader:
    """The tables of one archive."""

    def __init__(self, archive: bytes) -> None:
        self.archive = archive
        version, self.tree, self.data, self.names = struct.unpack_from(">4I", archive, 4)
        if version not in (1, 2, 3):
            raise ValueError(f"the version of `archive` ({version}) must be 1, 2 or 3")
        self.node_size = 14 if version == 1 else 22

    def files(self, node: int, path: str) -> dict[str, bytes]:
        """Return the files at and below a node of the tree, given the node's path."""
        offset = self.tree + node * self.node_size
        _, flags = struct.unpack_from(">IH", self.archive, offset)
        if not flags & _FOLDER:
            (data,) = struct.unpack_from(">I", self.archive, offset + 10)
            return {path: self.content(self.data + data, flags, path)}
        count, first = struct.unpack_from(">II", self.archive, offset + 6)
        below: dict[str, bytes] = {}
        for child in range(first, first + count):
            if child <= node:  # a folder that contains itself would never end
                raise ValueError(f"`archive` is damaged: node {node} has the child {child}")
            name = self.name(child)
            below |= self.files(child, f"{path}/{name}" if path else name)
        return below

    def name(self, node: int) -> str:
        """Return the name of a node."""
        (offset,) = struct.unpack_from(">I", self.archive, self.tree + node * self.node_size)
        length, _ = struct.unpack_from(">HI", self.archive, self.names + offset)
        start = self.names + offset + 6
        return self.archive[start : start + 2 * length].decode("utf-16-be")

    def content(self, offset: int, flags: int, path: str) -> bytes:
        """Return the content of a file."""
        (length,) = struct.unpack_from(">I", self.archive, offset)
        content = self.archive[offset + 4 : offset + 4 + length]
        if len(content) < length:
            raise ValueError(f"`archive` is damaged: {path} ends too early")
        if flags & _ZSTD:
            raise ValueError(f"{path} is compressed with Zstandard; only zlib can be read")
        return zlib.decompress(content[4:]) if flags & _ZLIB else content
