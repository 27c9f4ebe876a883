"""The process `fye`: what goes around every command. Imports little, so that Ctrl-C is heard from the start."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from followyouremoji.apps.interrupts import interrupts

UNFORESEEN, BAD_INPUT, INTERRUPTED = 1, 2, 130  # exit codes
FULL = (errno.ENOSPC, errno.EDQUOT)
STOPPED = (
    "Stopped. Downloads, jobs, batches, trainings, benchmarks and data preparation go on with the same command; of other results nothing half-written "
    "is left."
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point; ends the process, with exit code 2 for bad input, 130 for Ctrl-C, and 1 for an error that nobody
    foresaw, of which it writes a report."""
    with interrupts() as ctrl_c:
        try:
            print_every_name()
            code = run(arguments)
        except KeyboardInterrupt:
            code = INTERRUPTED
        except Exception as error:
            code = INTERRUPTED if ctrl_c.came else tell(error)
    if ctrl_c.came and code != 0:
        code = INTERRUPTED
        print(STOPPED, file=sys.stderr)
        if arguments is None:  # all is cleared up; nobody waits for a thread that loads a model
            sys.stdout.flush()
            os._exit(code)
    sys.exit(code)


def run(arguments: Sequence[str] | None) -> int:
    """Run a command; returns its exit code."""
    from followyouremoji.apps.cli import app
    from followyouremoji.apps.cores import share_cores
    from followyouremoji.apps.native_notes import without_native_notes

    share_cores()
    try:
        with without_native_notes():
            app(args=None if arguments is None else list(arguments), prog_name="fye")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


def tell(error: Exception) -> int:
    """Tell a user of an error in one line; returns the exit code."""
    from followyouremoji.apps.choices import with_flags
    from followyouremoji.crashes import sentence
    from followyouremoji.errors import UserError, escaped

    code = BAD_INPUT
    if isinstance(error, UserError):
        message = with_flags(str(error), error.settings)
    elif isinstance(error, OSError) and error.errno in FULL:  # which does not know its file's name
        where = "a file" if error.filename is None else error.filename
        message = f"{where} could not be written: {error.strerror}. Make room on the disk, then give the same command again."
    elif isinstance(error, OSError) and error.filename is not None:
        message = f"{error.filename}: {error.strerror}"
    else:
        message, code = sentence(error), UNFORESEEN
    print(f"Error: {escaped(' '.join(message.split()))}", file=sys.stderr)
    return code


def print_every_name() -> None:
    """Have names that a terminal cannot show, or that are no text in any encoding, printed with escapes: a UnicodeError
    would end finished work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
