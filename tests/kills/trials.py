"""A command that is killed again and again, and what is wrong after each time."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.kills.commands import Command
from tests.kills.contents import content
from tests.kills.killing import Ended, Kill

LATER, LATEST = 0.5, 0.3
"""Share of the kills that come somewhat after a step, in the midst of what is written, and at most how many seconds."""


@dataclass
class Tally:
    """What came of a command's kills.

    Attributes
    ----------
    resumed : kills after which something finished was there, which the next run went on from
    absent : kills after which nothing of the result was there
    ends : runs that came to their end
    faults : what was wrong, in words
    """

    kills: int = 0
    resumed: int = 0
    absent: int = 0
    ends: int = 0
    faults: list[str] = field(default_factory=list)


class Trials:
    """Kills of one command in folders below `place`, compared with its unbroken run."""

    def __init__(self, command: Command, place: Path, seed: int = 0) -> None:
        self.command, self.place = command, place
        self._rng = random.Random(f"{command.name} {seed}")
        (place / "inputs").mkdir(parents=True)
        command.make_inputs(place / "inputs")
        whole = place / "whole"
        whole.mkdir()
        ended = command.run(whole, None)
        assert ended.code == 0, ended.printed
        self.steps = ended.steps
        self.contents = {name: content(path) for name, path in self._files(whole, finished=True).items()}
        assert self.contents

    def kill(self, times: int) -> Tally:
        """Kill the command so often; each run goes on with what the last one left, until one comes to its end."""
        tally = Tally()
        while tally.kills < times:
            folder = self.place / "killed"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            ended = self._until_the_end(folder, tally, times)
            if ended is not None:
                tally.ends += 1
                tally.faults += self._faults_at_the_end(folder, ended)
        return tally

    def _until_the_end(self, folder: Path, tally: Tally, times: int) -> Ended | None:
        before: dict[str, tuple[int, int]] = {}
        while True:
            kill = self._choose() if tally.kills < times else None
            ended = self.command.run(folder, kill)
            tally.faults += [f"{name} was made again {kill}" for name in self._made_again(folder, before)]
            if not ended.killed:
                return ended
            tally.kills += 1
            tally.faults += [f"{fault} {kill}" for fault in self._faults(folder)]
            before = {name: identity(path) for name, path in self._files(folder).items()}
            tally.resumed += bool(before)
            tally.absent += not before

    def _choose(self) -> Kill:
        later = self._rng.random() < LATER
        return Kill(
            self._rng.randint(1, max(1, self.steps)), self._rng.uniform(0.0, LATEST) if later else 0.0
        )

    def _files(self, folder: Path, finished: bool = False) -> dict[str, Path]:
        """Results by their names; of a finished run also those that grow."""
        patterns = [*self.command.results, *(self.command.growing if finished else ())]
        return {
            path.relative_to(folder).as_posix(): path
            for pattern in patterns
            for path in sorted(folder.glob(pattern))
            if not path.name.startswith(".") and path.is_file()
        }

    def _made_again(self, folder: Path, before: Mapping[str, tuple[int, int]]) -> Iterator[str]:
        """Finished results that the next run did not leave alone."""
        may_be = {path for pattern in self.command.remade for path in folder.glob(pattern)}
        for name, known in before.items():
            if folder / name in may_be:
                continue
            if not (folder / name).exists() or identity(folder / name) != known:
                yield name

    def _faults(self, folder: Path) -> Iterator[str]:
        """Files under a final name that are not what they should be."""
        for name, path in self._files(folder).items():
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

    def _faults_at_the_end(self, folder: Path, ended: Ended) -> Iterator[str]:
        if ended.code != 0:
            yield f"exit code {ended.code}: {ended.printed}"
            return
        yield from self._faults(folder)
        made = {name: content(path) for name, path in self._files(folder, finished=True).items()}
        for name in self.contents.keys() | made.keys():
            if made.get(name) != self.contents.get(name):
                yield f"{name} is missing, or another, at the end"
        yield from (f"{path.relative_to(folder)} is left" for path in folder.rglob(".*.part*"))


def identity(path: Path) -> tuple[int, int]:
    """What changes when a file is written anew."""
    there = path.stat()
    return there.st_ino, there.st_mtime_ns
