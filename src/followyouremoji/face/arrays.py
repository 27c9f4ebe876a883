"""Arrays in NumPy's archives, read by any number of threads at once.

NumPy has Python's own parser read the headers, which in Python 3.11 fails now and then where several threads parse at
once. The headers that NumPy writes of plain arrays need none.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

MOST_BYTES = 1 << 31
"""That an archive may unpack to: hours of motion, and a bound for a file made to fill the memory."""

FREE_BYTES = 1 << 28
MOST_UNPACKED = 100
"""A file may unpack to `FREE_BYTES`, and else to so many times its own size. Real motion packs to a half of itself."""

MAGIC = b"\x93NUMPY\x01\x00"
HEADER = re.compile(
    r"\{'descr': '([<>|][a-zA-Z]\d+)', 'fortran_order': (False|True), 'shape': \(((?:\d+, ?)*\d*)\), \} *\n"
)


class TooLarge(ValueError):
    """An archive would unpack to `unpacked` bytes, which is too many."""

    def __init__(self, unpacked: int) -> None:
        super().__init__(f"it unpacks to {unpacked >> 20} MiB")
        self.unpacked = unpacked


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an archive, by name, none of which is larger than what lies in the file.

    Raises TooLarge, and whatever damaged archives make zipfile, zlib and NumPy raise.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > min(MOST_BYTES, max(FREE_BYTES, MOST_UNPACKED * path.stat().st_size)):
            raise TooLarge(unpacked)
        arrays = {}
        for member in members:
            with archive.open(member) as stream:
                arrays[member.filename.removesuffix(".npy")] = _array(stream)
        return arrays


def _array(stream: IO[bytes]) -> np.ndarray:
    if stream.read(len(MAGIC)) != MAGIC:
        raise ValueError("no array, or of another version of NumPy's format")
    header = HEADER.fullmatch(stream.read(int.from_bytes(stream.read(2), "little")).decode("latin-1"))
    if header is None:
        raise ValueError("no header of a plain array")
    shape = tuple(int(side) for side in re.findall(r"\d+", header[3]))
    content = bytearray(stream.read())
    return np.frombuffer(content, header[1]).reshape(shape, order="F" if header[2] == "True" else "C")
