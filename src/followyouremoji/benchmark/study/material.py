"""What a study shows: portrait, driving clip and the systems' results of each pair, in a folder of files whose names
and contents say nothing of where they come from.

All clips are encoded anew, in one way: the same codec, size, frame rate, number of frames and comment. Files bear one
date, since that of their making would tell one system from the next.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from followyouremoji.benchmark.store import Results, Run
from followyouremoji.benchmark.suite import Case, Suite
from followyouremoji.errors import DataError, UserError, some_of
from followyouremoji.files import atomic
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import resize_picture
from followyouremoji.media.writing import ClipWriter

PORTRAIT, DRIVING, RESULT = "portrait", "driving", "result:"
"""What a file shows; a result's system follows the colon."""

COMMENT = "A clip of a blind comparison."
MOST_SYSTEMS = 26  # letters


@dataclass(frozen=True)
class Material:
    """The pairs that every system made, of cross-reenactment, as in the paper; of a suite without any, of
    self-reenactment."""

    results: Results
    cases: list[Case]

    @classmethod
    def of(cls, results: Results) -> Material:
        """Raises DataError where there is nothing to compare."""
        run, systems = results.run, system_names(results.run)
        if not 2 <= len(systems) <= MOST_SYSTEMS:
            raise DataError(
                f"{results.folder} holds results of {len(systems)} systems; a study compares 2 to {MOST_SYSTEMS}: run more with fye bench run"
            )
        suite = Suite.read(Path(run.suite_folder))
        if suite.fingerprint != run.fingerprint:
            raise DataError(
                f"{suite.folder} has changed since {results.folder} was measured; restore it, or run the benchmark again"
            )
        made = [
            case
            for case in suite.cases(run.protocol)
            if all(results.clip_path(system, case.name).exists() for system in systems)
        ]
        if not made:
            raise DataError(
                f"{results.folder} holds no pair that all of {some_of(systems)} made; run the benchmark to its end"
            )
        return cls(results, [case for case in made if case.mode == "cross"] or made)

    @property
    def systems(self) -> list[str]:
        return system_names(self.results.run)

    @property
    def files(self) -> list[tuple[str, str]]:
        """(pair, what) of each file."""
        return [(case.name, what) for case in self.cases for what in self._whats]

    @property
    def _whats(self) -> list[str]:
        return [PORTRAIT, DRIVING, *(RESULT + system for system in self.systems)]

    def write(
        self,
        names: Mapping[tuple[str, str], str],
        folder: Path,
        advance: Callable[[int, int | None], None],
    ) -> tuple[list[str], list[str]]:
        """Write the files that are not there yet.

        Returns the pairs that can be shown, and for each other pair a sentence on what is wrong with it. Raises
        DataError where none can be shown.
        """
        folder.mkdir(parents=True, exist_ok=True)
        shown, problems = [], []
        for index, case in enumerate(self.cases):
            try:
                self._write_pair(replace(case), names, folder)  # a copy, whose frames go with it
                shown.append(case.name)
            except UserError as error:
                problems.append(f"{case.name} is left out: {error}")
            advance(index + 1, len(self.cases))
        if not shown:
            raise DataError(f"there is no pair to show; {problems[0]}")
        return shown, problems

    def _write_pair(self, case: Case, names: Mapping[tuple[str, str], str], folder: Path) -> None:
        paths = {what: media_path(folder, names[case.name, what], what) for what in self._whats}
        missing = {what: path for what, path in paths.items() if not path.exists()}
        clips = {RESULT + system: self.results.clip_path(system, case.name) for system in self.systems}
        side = max(map(_side, clips.values())) if clips.keys() & missing.keys() else 0
        rate = case.clip.footage.frame_rate
        for what, path in missing.items():
            if what == PORTRAIT:
                with atomic(path) as temporary:
                    Image.fromarray(case.portrait).save(temporary)
            elif what == DRIVING:
                _write_clip(path, case.driving, rate, case.size)
            else:
                _write_clip(path, _frames(clips[what], case.frames), rate, side)
        for path in paths.values():
            os.utime(path, (0, 0))


def system_names(run: Run) -> list[str]:
    return [system.name for system in run.systems]


def study_fingerprint(run: Run) -> str:
    """Changes with the suite, the systems, and the size and length of what is shown."""
    systems = [(system.name, system.fingerprint) for system in run.systems]
    facts = [run.fingerprint, run.protocol.size, run.protocol.frames, systems]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def media_path(folder: Path, name: str, what: str) -> Path:
    return folder / f"{name}{'.png' if what == PORTRAIT else '.mp4'}"


def _side(clip: Path) -> int:
    with ClipReader(clip) as reader:
        return max(reader.info.size)


def _frames(clip: Path, count: int) -> Sequence[np.ndarray]:
    with ClipReader(clip) as reader:
        frames = [picture for _, picture in islice(reader, count)]
    if len(frames) < count:
        raise DataError(
            f"{clip} has {len(frames)} frames of {count}; delete it and its rows, and run the benchmark again"
        )
    return frames


def _write_clip(path: Path, frames: Iterable[np.ndarray], rate: float, side: int) -> None:
    with ClipWriter(path, rate, (side, side), comment=COMMENT) as writer:
        for frame in frames:
            writer.write(resize_picture(frame, (side, side)))
