"""Reports of errors that nobody foresaw: a sentence for the user, a file for who mends them."""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from importlib.metadata import distributions
from itertools import pairwise
from pathlib import Path
from tempfile import gettempdir

from followyouremoji.cache import cache_folder
from followyouremoji.errors import SAID, shown
from followyouremoji.version import __version__

KEPT = 20  # reports; older ones go
SECRET_NAMES = re.compile(r"(TOKEN|SECRET|PASSWORD|API_?KEY|ACCESS_KEY)S?$", re.IGNORECASE)
"""Of variables of the environment and of options whose values are nobody's business."""
SECRET_TEXTS = re.compile(
    r"\bhf_\w{8,}"  # the hub's tokens
    r"|(?<=://)[^/\s@]+(?=@)"  # who logs in to an address
    r"|(?<=\?)[^\s'\")]*(?:sig|token|key|credential)[^\s'\")]*",  # what signs one
    re.IGNORECASE,
)
HIDDEN = "[hidden]"
SHORTEST_SECRET = 6  # characters; what is shorter stands in other words, too


def sentence(error: BaseException) -> str:
    """The sentence for a user on an error that nobody foresaw, once its report is written. Never fails."""
    what = shown(without_secrets(traceback.format_exception_only(error)[0].splitlines()[0]), SAID)
    report = write_report(error)
    where = (
        "no report could be written" if report is None else f"{report} says more; send it with your report"
    )
    return f"something went wrong that nobody foresaw ({what}); {where}"


def without_secrets(text: str) -> str:
    """A text without passwords and tokens: those of the environment and of the command, and what looks like one."""
    given = [value for name, value in os.environ.items() if SECRET_NAMES.search(name)]
    for option, value in pairwise((*sys.argv, "")):
        name, _, own = option.partition("=")
        if name.startswith("--") and SECRET_NAMES.search(name):
            given.append(own or value)
    for secret in sorted(given, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return SECRET_TEXTS.sub(HIDDEN, text)


def write_report(error: BaseException) -> Path | None:
    """Write the traceback, the command and the versions of all packages, `without_secrets`, to a new file: in `crashes`
    in the cache folder, or else in the temporary folder. None where neither can be written. Never fails."""
    now = datetime.now()
    folders: tuple[Callable[[], Path], ...] = (lambda: cache_folder() / "crashes", lambda: Path(gettempdir()))
    for folder in folders:
        with suppress(Exception):  # it must not hide the error that it reports
            file = folder() / f"fye-crash-{now:%Y%m%d-%H%M%S-%f}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8", errors="backslashreplace") as opened:
                opened.write(without_secrets(report(error, now)))
            for old in sorted(file.parent.glob("fye-crash-*.txt"))[:-KEPT]:
                if old != file:  # the oldest, by a clock that went back
                    with suppress(OSError):  # another's, in a temporary folder that all share
                        old.unlink()
            return file
    return None


def report(error: BaseException, now: datetime) -> str:
    """A report's text."""
    versions = sorted({f"{one.name} {one.version}" for one in distributions()}, key=str.lower)
    return "\n".join(
        (
            f"{now:%Y-%m-%d %H:%M:%S}, followyouremoji {__version__}",
            f"Python {platform.python_version()}, {platform.platform()}",
            shlex.join(sys.argv),
            "",
            *traceback.format_exception(error),
            "Packages:",
            *versions,
            "",
        )
    )
