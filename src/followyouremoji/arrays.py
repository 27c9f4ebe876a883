"""NumPy's files, `.npy` and `.npz`, of plain arrays: read without pickle, in memory that the file's own bytes bound, by
any number of threads at once.

NumPy makes room for all that a header promises before it sees whether it is there, and has Python's own parser read the
header, which in Python 3.11 fails now and then where several threads parse at once. The headers that NumPy writes of
plain arrays need no parser, and no array here is larger than what lies in its file.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

import numpy as np

from followyouremoji.reading import regular_file

MOST_BYTES = 1 << 31
"""That an archive may unpack to: hours of motion, and a bound for a file made to fill the memory."""

FREE_BYTES = 1 << 28
MOST_UNPACKED = 10
"""A file may unpack to `FREE_BYTES`, and else to so many times its own size. Real motion packs to a half of itself; the
longest motion of keyframes, 600 s of 60 frames, which packs to far less, has three quarters of `FREE_BYTES`."""

MOST_MEMBERS = 64  # of an archive
CHUNK = 1 << 20
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes; others ask for memory of their own

MAGIC = b"\x93NUMPY\x01\x00"
HEADER = re.compile(
    r"\{'descr': '([<>|][biufU]\d{1,6})', 'fortran_order': (False|True), 'shape': \(((?:\d{1,18}, ?)*\d{0,18})\), \} *\n"
)


class ArraysError(ValueError):
    """A file is not what NumPy writes of plain arrays, or it is damaged."""


class TooLarge(ArraysError):
    """An archive would unpack to `unpacked` bytes, which is too many."""

    def __init__(self, unpacked: int) -> None:
        super().__init__(f"it unpacks to {unpacked >> 20} MiB")
        self.unpacked = unpacked


def read_arrays(source: Path | bytes) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` archive, a file or its content, by name: numbers, truths and texts.

    Raises OSError where the file cannot be read, and ArraysError where it is damaged, or holds other things or too
    much.
    """
    with _opened(source) as file, _any_damage(), zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > min(MOST_BYTES, max(FREE_BYTES, MOST_UNPACKED * file.seek(0, io.SEEK_END))):
            raise TooLarge(unpacked)
        names = {member.filename for member in members}
        if not len(names) == len(members) <= MOST_MEMBERS:
            raise ArraysError("it holds too many arrays, or two of one name")
        if any(member.compress_type not in METHODS for member in members):
            raise ArraysError("it is packed in another way than NumPy's")
        arrays = {}
        for member in members:
            with archive.open(member) as stream:
                arrays[member.filename.removesuffix(".npy")] = _array(stream)
        return arrays


def read_array(path: Path) -> np.ndarray:
    """The array of an `.npy` file. Raises OSError where it cannot be read, and ArraysError where it is damaged, or no
    plain array."""
    with _opened(path) as file, _any_damage():
        return _array(file)


def mapped_array(path: Path) -> np.memmap:
    """The array of an `.npy` file, mapped for reading. Raises as `read_array`."""
    with _opened(path) as file, _any_damage():
        dtype, shape, order = _header(file)
        return np.memmap(file, dtype, "r", file.tell(), shape, order)


@contextmanager
def _opened(source: Path | bytes) -> Iterator[IO[bytes]]:
    with io.BytesIO(source) if isinstance(source, bytes) else regular_file(source) as file:
        yield file


@contextmanager
def _any_damage() -> Iterator[None]:
    """Damaged files fail in many ways inside zipfile, zlib and NumPy: all become an ArraysError."""
    try:
        yield
    except ArraysError:
        raise
    except Exception as error:
        raise ArraysError(f"it is damaged ({type(error).__name__})") from error


def _array(stream: IO[bytes]) -> np.ndarray:
    dtype, shape, order = _header(stream)
    content = bytearray()
    while chunk := stream.read(CHUNK):  # in one go, zipfile would hold it twice
        content += chunk
    if math.prod(shape) * dtype.itemsize != len(content):
        raise ArraysError("it holds more or less than its header says")
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _header(stream: IO[bytes]) -> tuple[np.dtype, tuple[int, ...], Literal["F", "C"]]:
    """Of the array that a stream begins with: its type, shape and order."""
    if stream.read(len(MAGIC)) != MAGIC:
        raise ArraysError("no array, or of another version of NumPy's format")
    header = HEADER.fullmatch(stream.read(int.from_bytes(stream.read(2), "little")).decode("latin-1"))
    if header is None:
        raise ArraysError("no header of a plain array")
    shape = tuple(int(side) for side in re.findall(r"\d+", header[3]))
    return np.dtype(header[1]), shape, "F" if header[2] == "True" else "C"
