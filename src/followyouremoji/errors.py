"""Errors that a user can act on.

Everything that a user's input can cause derives from `UserError`: the command line prints its message as one line and
ends with exit code 2. The message says which file, what is wrong with it, and what to do. What many checks and messages
share stands below.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

NAMED = 3  # names that a message gives before it counts the others
QUOTED, SAID = 80, 240  # characters of a text of a file that a message repeats; of what another library says

GPU_LACKS_MEMORY = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "MPS backend out of memory")
"""Beside torch's `OutOfMemoryError`, what the lack of a GPU's memory is called."""

# What moves the cursor, colours, hides or turns round what follows in a terminal, and what is no text.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class UserError(Exception):
    """Something the user gave cannot be used; the message is written for the user.

    `settings` are names of those that it is about, or that help, so that what shows it can say how they are set.
    Control characters of the message are escaped: a text that it quotes cannot steer a terminal.
    """

    def __init__(self, message: str = "", *, settings: Sequence[str] = ()) -> None:
        super().__init__(escaped(message))
        self.settings = tuple(settings)


class PictureError(UserError):
    """A picture cannot be read or written."""


class ClipError(UserError):
    """A clip cannot be read or written."""


class CameraError(UserError):
    """A camera cannot be used, or pictures cannot be passed on as one."""


class FaceNotFound(UserError):
    """No face was found where one is needed."""


class PointsError(UserError):
    """Points that were placed on a face by hand cannot be used."""


class MotionError(UserError):
    """A motion file or a driving motion cannot be used."""


class WeightsError(UserError):
    """Weights are missing, incomplete, damaged or of another layout."""


class SettingsError(UserError):
    """A setting has a value that cannot be used."""


class DataError(UserError):
    """Training data cannot be read, or is not what it should be."""


@contextmanager
def advice_on_memory(advice: str, *settings: str) -> Iterator[None]:
    """A lack of memory as a SettingsError with advice, wherever it shows; as a block or as a decorator."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        lacking = lack_of_memory(error)
        if lacking is None:
            raise
        raise SettingsError(f"{lacking} has too little free memory: {advice}", settings=settings) from error


def lack_of_memory(error: BaseException) -> str | None:
    """What has too little memory, "the GPU" or "the computer"; None for other errors."""
    words = str(error)
    if type(error).__name__ == "OutOfMemoryError" or any(lack in words for lack in GPU_LACKS_MEMORY):
        return "the GPU"  # torch is not imported for its name alone
    if isinstance(error, MemoryError) or "DefaultCPUAllocator: can't allocate memory" in words:
        return "the computer"
    return None


def escaped(text: str) -> str:
    """A text in one line that a terminal only shows: with escapes such as `\\x1b` in place of control characters."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shown(text: str, length: int = QUOTED) -> str:
    """What a file or another program says, as a message, a note or a table quotes it: escaped, and at most so many
    characters of it."""
    text = escaped(text[: length + 1])
    return text if len(text) <= length else f"{text[: length - 3]}..."


def first_line(error: BaseException) -> str:
    """What another library's error says, without the lines for programmers below it, and the system's without the name
    of the file; the name of its class where it says nothing."""
    said = getattr(error, "strerror", None) or str(error)
    return shown((said.strip().splitlines() or [type(error).__name__])[0], SAID)


def some_of(names: Sequence[str]) -> str:
    """The first few names, and how many more there are: "a, b, c and 4 more"."""
    text = ", ".join(map(shown, names[:NAMED]))
    return text if len(names) <= NAMED else f"{text} and {len(names) - NAMED} more"
