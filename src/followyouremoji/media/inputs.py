"""Pictures and clips as they are given: the path of a file, its bytes, or an open binary file."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property, wraps
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeVar

from followyouremoji.errors import UserError

_REMEMBERED = 4  # files

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class InputFile:
    """A file that can be read from its beginning as often as needed: one at a `path`, or in memory the `content` of one
    that has none. Its text is the `name` by which messages call it.
    """

    name: str
    path: Path | None = None
    content: bytes = b""

    @staticmethod
    def of(source: InputSource, error: type[UserError], expected: str, name: str) -> InputFile:
        """What a user gave as a file.

        Parameters
        ----------
        source : an open file is read from where it stands to its end.
        error : the class of errors to raise.
        expected : what the file should be, for messages.
        name : what messages call a file without a path.

        Raises
        ------
        error : no such file, a folder, nothing in it, it cannot be read, or `source` is no file at all.
        """
        if isinstance(source, InputFile):
            return source
        path = Path(source) if isinstance(source, (str, os.PathLike)) else None
        name = name if path is None else str(path)
        try:
            if path is not None:
                _check(path, error, expected)
                return InputFile(name, path)
            content = source if isinstance(source, (bytes, bytearray, memoryview)) else source.read()  # type: ignore[union-attr]
            file = InputFile(name, None, bytes(content))
        except OSError as reason:
            raise error(f"cannot read {name}: {reason.strerror or reason}") from reason
        except (AttributeError, TypeError, ValueError) as reason:
            kind = type(source).__name__
            raise error(f"{name} must be a path, bytes or an open binary file, not {kind}") from reason
        if not file.content:
            raise error(f"{name} is empty (0 bytes); give {expected}")
        return file

    def __str__(self) -> str:
        return self.name

    def open(self) -> BinaryIO:
        """The file, opened anew. Raises OSError."""
        return BytesIO(self.content) if self.path is None else self.path.open("rb")

    @property
    def version(self) -> Hashable:
        """Equal while the file stays as it is. Raises OSError."""
        if self.path is None:
            return self._digest
        status = self.path.stat()
        return self.path, status.st_size, status.st_mtime_ns

    @cached_property
    def _digest(self) -> bytes:
        return sha256(self.content).digest()


InputSource = InputFile | str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""What can be read as a file."""


def _check(path: Path, error: type[UserError], expected: str) -> None:
    if not path.exists():
        raise error(f"there is no file {path}")
    if path.is_dir():
        raise error(f"{path} is a folder; give {expected}")
    if path.stat().st_size == 0:
        raise error(f"{path} is empty (0 bytes); give {expected}")


def remembered(find: Callable[[InputFile], Found]) -> Callable[[InputFile], Found]:
    """A function of a file whose last few answers are kept, but not the files, while those stay as they are."""
    answers: dict[Hashable, Found] = {}

    @wraps(find)
    def answer(file: InputFile) -> Found:
        version = file.version
        found = answers.get(version) or find(file)
        answers[version] = found
        for old in list(answers)[:-_REMEMBERED]:
            answers.pop(old, None)
        return found

    return answer
