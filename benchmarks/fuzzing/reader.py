"""What is fuzzed: a reader of one format, with files to begin from, and what one input made of it."""

from __future__ import annotations

import tarfile
import tempfile
import time
import traceback
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from resource import RUSAGE_SELF, getrusage
from unittest.mock import patch

LONGEST_MESSAGE = 1000
"""Characters of an error's message, the path of a temporary file among them."""


@dataclass(frozen=True)
class Reader:
    """A reader of files of one format.

    Attributes
    ----------
    name : "GROUP/FORMAT"; the group is a module of this folder, which lists it in its `READERS`
    seeds : makes whole files to begin from; small ones are fuzzed faster
    read : reads the bytes of a file as the project does, values made of it included
    mutate : breaks a file as its format has it; by default libFuzzer does, which knows no format
    memory, seconds : what one input may take, in MiB and seconds of the processor
    """

    name: str
    seeds: Callable[[], Iterable[bytes]]
    read: Callable[[bytes], object]
    memory: int = 256
    seconds: float = 5.0
    mutate: Callable[[bytes, Random], bytes] | None = None


@dataclass(frozen=True)
class Verdict:
    """What one input made of a reader. `fault` names it where it was neither read nor refused as it should be, and
    `details` are for who mends it. `memory` is by how many MiB the process's peak rose."""

    refused: bool
    fault: str | None
    details: str
    seconds: float
    memory: float


def judged(reader: Reader, content: bytes) -> Verdict:
    """Have a reader read `content`: within its bounds it may give a value, or raise a `UserError` of one short line."""
    from followyouremoji.errors import UserError  # late, that the worker can watch it

    refused, fault, details = False, None, ""
    peak, begun = peak_memory(), time.process_time()
    try:
        reader.read(content)
    except UserError as error:
        refused, fault = True, _fault_of_message(str(error))
        if _has_memory_error(error):
            fault = "more memory asked for than there is"
        details = "".join(traceback.format_exception(error)) if fault else ""
    except Exception as error:
        fault, details = _place(error), "".join(traceback.format_exception(error))
    seconds, memory = time.process_time() - begun, peak_memory() - peak
    if fault is None and seconds > reader.seconds:
        fault = f"more than {reader.seconds:g} s"
    if fault is None and memory > reader.memory:
        fault = f"more than {reader.memory} MiB"
    return Verdict(refused, fault, details, seconds, memory)


def peak_memory() -> float:
    """The largest memory that the process has held so far, MiB."""
    return getrusage(RUSAGE_SELF).ru_maxrss / 1024


def from_file(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """A reader of bytes of one that takes the path of a file, which is given this `name`."""

    def read_bytes(content: bytes) -> object:
        path = Path(tempfile.gettempdir()) / name
        path.write_bytes(content)
        return read(path)

    return read_bytes


@contextmanager
def checksums_passed_over() -> Iterator[None]:
    """Archives are read whatever their checksums say: else a mutated member would be refused unread."""
    with (
        patch.object(zipfile.ZipExtFile, "_update_crc", lambda self, data: None),
        patch.object(tarfile, "calc_chksums", lambda header: _ANY),
    ):
        yield


class _Any:
    def __contains__(self, checksum: int) -> bool:
        return True

    def __getitem__(self, kind: int) -> int:
        return 0


_ANY = _Any()


def _fault_of_message(message: str) -> str | None:
    if len(message) > LONGEST_MESSAGE:
        return f"a message of more than {LONGEST_MESSAGE} characters"
    steering = any(unicodedata.category(character) == "Cc" for character in message)
    return "a message with control characters" if steering else None


def _has_memory_error(error: BaseException | None) -> bool:
    if error is None:
        return False
    refused = hasattr(error, "errno")  # FFmpeg's, of what is beyond its own bound
    return (isinstance(error, MemoryError) and not refused) or _has_memory_error(
        error.__cause__ or error.__context__
    )


def _place(error: Exception) -> str:
    """The kind of an error and the project's line that it comes from: what is equal here is one fault."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "followyouremoji" in frame.filename]
    last = (own or frames)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
