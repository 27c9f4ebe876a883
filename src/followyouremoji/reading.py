"""Files that others wrote, read with bounds: what they hold is taken for whatever it may be.

The functions raise what Python raises, OSError and ValueError; callers say which file it is and what to do.
"""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from followyouremoji.errors import shown

MOST_JSON = 1 << 24
"""Bytes of a JSON file: as Python's objects they take up to 30 times as much."""
DEEPEST = 64  # lists and objects of a JSON text within each other
CHUNK = 1 << 20
LONGEST_INTEGER = 20  # digits, those of 64 bits


def regular_file(path: Path) -> BufferedReader:
    """A file, opened for reading.

    Raises OSError where it cannot be, or is no regular file, such as a pipe or a device, that may never end.
    """
    # Without O_NONBLOCK, to open a pipe would wait for somebody to write to it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    opened = os.open(path, flags)
    if not stat.S_ISREG(mode := os.fstat(opened).st_mode):
        os.close(opened)
        what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise OSError(errno.EINVAL, f"it is {what}", str(path))
    return os.fdopen(opened, "rb")


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a regular file. Raises OSError as `regular_file`, and ValueError where it is longer than `most`
    bytes."""
    chunks, left = list[bytes](), most + 1  # room is made for what is there, not for all that may be
    with regular_file(path) as file:
        while chunk := file.read(min(left, CHUNK)):
            chunks.append(chunk)
            left -= len(chunk)
    if not left:
        raise ValueError(f"it is longer than {most >> 10} KiB")
    return b"".join(chunks)


def read_json(path: Path, most: int = MOST_JSON, *, finite: bool = True) -> dict[str, Any]:
    """The JSON object in a file, see `read_bytes` and `json_object`. Raises OSError and ValueError."""
    return json_object(read_bytes(path, most), finite=finite)


def json_object(text: bytes | str, *, finite: bool = True) -> dict[str, Any]:
    """The object that a JSON text holds. All its numbers are `finite`, unless that is False.

    Raises ValueError where the text is no JSON, holds something else, nests deeper than `DEEPEST`, or has NaN, an
    infinity, or an integer of more than `LONGEST_INTEGER` digits.
    """
    number = _finite if finite else float
    try:
        value = json.loads(text, parse_float=number, parse_int=_integer, parse_constant=number)
    except RecursionError:
        _too_deep()
    if not isinstance(value, dict):
        raise ValueError("it holds no JSON object")
    check_nesting(value)
    return value


def check_nesting(value: dict[str, Any]) -> None:
    """Raise ValueError where lists and objects nest deeper than `DEEPEST`."""
    within: list[Any] = [value]
    for _ in range(DEEPEST):
        children = (one.values() if isinstance(one, dict) else one for one in within)
        within = [child for some in children for child in some if isinstance(child, dict | list)]
    if within:
        _too_deep()


def inside(folder: Path, name: str) -> Path:
    """What a text of a file names in a folder. Raises ValueError as `relative`, and where a link leads out of the
    folder."""
    path = folder / relative(name)
    try:
        leads_inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link that leads to itself
        leads_inside = False
    if not leads_inside:
        raise ValueError(f"{shown(repr(name))} leads out of its folder")
    return path


def relative(name: str) -> PurePosixPath:
    """The path that a text of a file names, with `/` as in POSIX, on every system. Raises ValueError for an absolute
    path, and one with `..`."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or set(name) & set("\\:\0") or not path.parts:
        raise ValueError(f"{shown(repr(name))} is no path inside its folder")
    return path


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {shown(text)} is not finite")
    return value


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > LONGEST_INTEGER:
        raise ValueError(f"the number {shown(text)} is too large")
    return int(text)


def _too_deep() -> NoReturn:
    raise ValueError(f"its lists and objects nest deeper than {DEEPEST}")
