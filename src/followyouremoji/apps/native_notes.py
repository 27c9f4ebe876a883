"""The standard error of a process that is our own, without what MediaPipe's C++ parts say when they start."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

NOTES = re.compile(
    rb"[IWE]\d{4} |INFO: Created TensorFlow Lite|WARNING: All log messages before absl::InitializeLog"
)
"""How the lines begin: abseil's, whose errors come as exceptions too, and TensorFlow Lite's."""


@contextmanager
def without_native_notes() -> Iterator[None]:
    """Drop `NOTES` of this process and its children while the block runs; no setting of theirs does.

    They go straight to file descriptor 2, which leads into a pipe meanwhile; all else that comes there is passed on.
    Python's own messages do not take this way.
    """
    try:
        kept = os.dup(2)
    except OSError:  # no standard error
        yield
        return
    out, into = os.pipe()
    os.dup2(into, 2)
    os.close(into)
    passing = Thread(target=_pass_on, args=(out, kept), name="native notes", daemon=True)
    passing.start()
    python = sys.stderr
    if isinstance(python, io.TextIOWrapper) and python is sys.__stderr__:
        sys.stderr = open(  # noqa: SIM115
            kept, "w", buffering=1, encoding=python.encoding, errors=python.errors, closefd=False
        )
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = python
        os.dup2(kept, 2)  # which closes our end of the pipe; a child that lives on may hold another
        passing.join(1.0)


def _pass_on(out: int, kept: int) -> None:
    with open(out, "rb") as lines:
        for line in lines:
            if not NOTES.match(line):
                os.write(kept, line)
