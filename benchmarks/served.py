"""`fye serve` as a process, for its benchmark and its tests. Linux."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

PATIENCE = 120.0  # seconds, on a busy machine


class Served:
    """A server in a folder, whose address is known; use `end` or `kill` in the end."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.log = folder.with_name(f"{folder.name}.log")
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [
                    *(
                        sys.executable,
                        "-m",
                        "followyouremoji",
                        "serve",
                        "--port",
                        "0",
                        "--folder",
                        str(folder),
                    ),
                    *map(str, arguments),
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found is not None, line + self.log.read_text()
        self.address = found[0]

    def wait_until_ready(self) -> None:
        end = time.monotonic() + PATIENCE
        while httpx.get(f"{self.address}/readyz").status_code != 200:
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)

    def workers(self) -> list[int]:
        """Process ids of those that have the model. Linux."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = re.search(r"PPid:\s+(\d+)", (folder / "status").read_text())
                command = (folder / "cmdline").read_bytes()
            except OSError:  # it has ended
                continue
            if parent is not None and int(parent[1]) == self.process.pid and b"spawn_main" in command:
                found.append(int(folder.name))
        return found

    def kill(self) -> None:
        """End it by SIGKILL: its workers notice."""
        self.process.kill()
        self.process.wait()

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Its exit code, and what else it printed."""
        self.process.send_signal(how)
        printed, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, printed
