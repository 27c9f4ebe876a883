"""Python imports this as it starts, if this folder is on its path: it has a process die in the middle of its work.

`KILL_IN` is a folder. What a process does to files and folders in it is counted: making, opening to write, renaming,
removing. Before the step `KILL_AT` (from 1), or so many seconds after it as `KILL_AFTER` says, the whole process group
gets SIGKILL. At its end a process writes its number of steps to the file `KILL_COUNT`, where that is named.
"""

import atexit
import os
import signal
import sys
import threading
import time
from pathlib import Path

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
MOVING = {"os.mkdir": 2, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.truncate": None, "os.chmod": None}
"""Audit events, and which of their arguments is the folder that a path is relative to."""


class Steps:
    """Counts the steps in a folder, and kills before one of them."""

    def __init__(self, folder: str, at: int, after: float) -> None:
        self.folder, self.at, self.after = os.path.realpath(folder) + os.sep, at, after
        self.count, self.lock = 0, threading.Lock()

    def __call__(self, event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, str | bytes | os.PathLike) or not flags & WRITING:
                return
            relative_to = None
        elif event in MOVING:
            path, relative_to = arguments[0], MOVING[event]
        else:
            return
        if not self.within(path, -1 if relative_to is None else arguments[relative_to]):
            return
        with self.lock:
            self.count += 1
            if self.count == self.at:
                if self.after:
                    threading.Thread(target=self.kill_later, daemon=True).start()
                else:
                    os.killpg(0, signal.SIGKILL)

    def within(self, path: object, relative_to: int) -> bool:
        """Whether a path lies in the folder; `relative_to` is the descriptor of its parent, or -1."""
        if isinstance(path, int):
            return False
        parent = Path.cwd() if relative_to == -1 else Path(f"/proc/self/fd/{relative_to}").readlink()
        return os.path.normpath(parent / os.fsdecode(path)).startswith(self.folder)

    def kill_later(self) -> None:
        time.sleep(self.after)
        os.killpg(0, signal.SIGKILL)


if "KILL_IN" in os.environ:
    steps = Steps(
        os.environ["KILL_IN"], int(os.environ.get("KILL_AT", "0")), float(os.environ.get("KILL_AFTER", "0"))
    )
    sys.addaudithook(steps)
    if "KILL_COUNT" in os.environ:
        counted = Path(os.environ.pop("KILL_COUNT"))  # of this process alone, not of those that it starts
        atexit.register(lambda: counted.write_text(str(steps.count)))
