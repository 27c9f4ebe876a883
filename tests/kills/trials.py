"""A command that dies, or finds no room, again and again in the middle of its work, and what is wrong after each
time."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.kills.commands import Command
from tests.kills.contents import content
from tests.kills.killing import Ended, Kill

LATER, LATEST = 0.5, 0.3
"""Share of the kills that come somewhat after a step, in the midst of what is written, and at most how many seconds."""
LEAST_ROOM = 16  # KiB of a disk that is full soon


@dataclass
class Tally:
    """What came of a command's trials.

    Attributes
    ----------
    broken : runs that were killed, or found no room
    resumed : those that left something finished, which the next run went on from
    absent : those that left nothing of the result
    ends : runs that came to their end
    faults : what was wrong, in words
    """

    broken: int = 0
    resumed: int = 0
    absent: int = 0
    ends: int = 0
    faults: list[str] = field(default_factory=list)


class Unbroken:
    """A command's run from its beginning to its end in a folder below `place`, which others are compared with.

    Attributes
    ----------
    steps : that it took in the files of its folder
    contents : of its results, by their names
    size : of all that it left, KiB
    """

    def __init__(self, command: Command, place: Path) -> None:
        self.command, self.place = command, place
        (place / "inputs").mkdir(parents=True)
        command.make_inputs(place / "inputs")
        folder = self.new_folder("whole")
        ended = command.run(folder, None)
        assert ended.code == 0, ended.printed
        self.steps = ended.steps
        self.contents = {name: content(path) for name, path in self.files(folder, finished=True).items()}
        self.size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) >> 10
        assert self.contents

    def new_folder(self, name: str) -> Path:
        """An empty folder for a run."""
        folder = self.place / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def files(self, folder: Path, finished: bool = False) -> dict[str, Path]:
        """Results by their names; of a finished run also those that grow."""
        patterns = [*self.command.results, *(self.command.growing if finished else ())]
        return {
            path.relative_to(folder).as_posix(): path
            for pattern in patterns
            for path in sorted(folder.glob(pattern))
            if not path.name.startswith(".") and path.is_file()
        }

    def identities(self, folder: Path) -> dict[str, tuple[int, int]]:
        """What changes of results when they are written anew, by their names; without those that may be."""
        may_be = {path for pattern in self.command.remade for path in folder.glob(pattern)}
        return {
            name: (path.stat().st_ino, path.stat().st_mtime_ns)
            for name, path in self.files(folder).items()
            if path not in may_be
        }

    def faults(self, folder: Path) -> Iterator[str]:
        """Files under a final name that are not what they should be."""
        for name, path in self.files(folder).items():
            try:
                if content(path) != self.contents.get(name):
                    yield f"{name} is another"
            except Exception as error:
                yield f"{name} is damaged: {error!r}"
        for path in folder.rglob("*.json"):
            if ".part" not in str(path.relative_to(folder)):
                try:
                    json.loads(path.read_bytes())
                except ValueError:
                    yield f"{path.relative_to(folder)} is damaged"

    def faults_at_the_end(self, folder: Path, ended: Ended) -> Iterator[str]:
        """What is wrong where a command came to its end, or will not replace what was finished before it was killed."""
        if ended.code != 0 and "exists already" not in ended.printed:
            yield f"exit code {ended.code}: {ended.printed}"
            return
        yield from self.faults(folder)
        made = {name: content(path) for name, path in self.files(folder, finished=True).items()}
        for name in sorted(self.contents.keys() | made.keys()):
            if made.get(name) != self.contents.get(name):
                yield f"{name} is missing, or another, at the end"
        yield from left_behind(folder)


def left_behind(folder: Path) -> Iterator[str]:
    yield from (f"{path.relative_to(folder)} is left" for path in folder.rglob(".*.part*"))


def killed(unbroken: Unbroken, times: int, seed: int = 0) -> Tally:
    """Kill a command so often; each run goes on with what the last one left, until one comes to its end."""
    tally, rng = Tally(), random.Random(f"{unbroken.command.name} {seed}")
    while tally.broken < times and tally.ends <= times:
        folder, before = unbroken.new_folder("killed"), dict[str, tuple[int, int]]()
        while True:
            kill = None
            if tally.broken < times:
                after = rng.uniform(0.0, LATEST) if rng.random() < LATER else 0.0
                kill = Kill(rng.randint(1, max(1, unbroken.steps)), after)
            ended = unbroken.command.run(folder, kill)
            now = unbroken.identities(folder)
            tally.faults += [
                f"{name} was made again {kill}" for name, known in before.items() if now.get(name) != known
            ]
            if not ended.killed:
                tally.ends += 1
                tally.faults += unbroken.faults_at_the_end(folder, ended)
                break
            tally.broken += 1
            tally.faults += [f"{fault} {kill}" for fault in unbroken.faults(folder)]
            tally.resumed += bool(now)
            tally.absent += not now
            before = now
    if tally.broken < times:
        tally.faults.append(f"the command ended before {times - tally.broken} of {times} kills")
    return tally


def without_room(unbroken: Unbroken, times: int) -> Tally:
    """Run a command on a disk that may only be read, and on others of so many sizes that are too small for it, each
    time again when there is room. Needs the right to mount."""
    tally = Tally()
    for number in range(-1, times):
        room = LEAST_ROOM + max(number, 0) * unbroken.size // times
        with disk(unbroken.new_folder("full"), room) as folder:
            if number < 0:
                mount("-o", "remount,ro", folder)
            ended = unbroken.command.run(folder, None)
            tally.broken += ended.code != 0
            faults = list(unbroken.faults(folder))
            faults += left_behind(folder)
            if ended.code not in (0, 2) or "Traceback" in ended.printed or "foresaw" in ended.printed:
                faults.append(f"exit code {ended.code}: {ended.printed}")
            before = unbroken.identities(folder)
            tally.resumed += ended.code != 0 and bool(before)
            tally.absent += not before
            mount("-o", f"remount,rw,size={1 << 30}", folder)
            again = unbroken.command.run(folder, None)
            if ended.code != 0 or again.code == 0:  # who is finished may refuse to replace what is there
                tally.ends += 1
                faults += unbroken.faults_at_the_end(folder, again)
            now = unbroken.identities(folder)
            faults += [f"{name} was made again" for name, known in before.items() if now.get(name) != known]
            tally.faults += [f"{fault} ({'read-only' if number < 0 else f'{room} KiB'})" for fault in faults]
    return tally


@contextmanager
def disk(folder: Path, kib: int) -> Iterator[Path]:
    """A folder that is a disk of so many KiB."""
    mount("-t", "tmpfs", "-o", f"size={kib}k", "none", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)
