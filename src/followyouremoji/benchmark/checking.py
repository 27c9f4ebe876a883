"""Whether a suite's folder holds what its manifest says: every mistake, not only the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from followyouremoji.arrays import ArraysError, read_array
from followyouremoji.benchmark.building import OVERVIEW, REFUSED, share_inside
from followyouremoji.benchmark.suite import (
    MANIFEST,
    Footage,
    PortraitItem,
    Suite,
    SuiteFile,
    check_inside,
    read_manifest,
)
from followyouremoji.errors import DataError, UserError, first_line
from followyouremoji.executors import Executor, Local
from followyouremoji.face.motion import Motion
from followyouremoji.files import checksum
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import read_picture

LEAST_INSIDE = 0.5
"""Share of a face's mesh that lies inside the square, in every frame."""

RATE_APART = 0.01
"""Of two frame rates, as a share: containers round times."""


@dataclass(frozen=True)
class _Part:
    """What is checked at once: a portrait, or the clip of a driving or a truth."""

    name: str
    content: PortraitItem | Footage


def check(
    folder: Path,
    executor: Executor | None = None,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """All that is wrong with the suite in a folder, a sentence each; empty where it can be used.

    Every file is read, compared with its checksum and decoded to its end. `advance` is called with the portraits and
    clips that are checked, and all.
    """
    try:
        manifest = read_manifest(folder)
    except DataError as reason:
        return [str(reason)]
    parts = [
        *(_Part(f"portrait {one.name}", one) for one in manifest.portraits),
        *(_Part(f"clip {one.name}", one.footage) for one in manifest.clips),
        *(_Part(f"truth of {one.name}", one.truth) for one in manifest.pairs if one.truth is not None),
    ]
    problems = (
        [] if manifest.pairs else [f"{folder / MANIFEST} names no pair, so that there is nothing to run"]
    )
    lengths = {clip.name: clip.footage.frames for clip in manifest.clips}
    for pair in manifest.pairs:
        if pair.truth is not None and pair.truth.frames > lengths[pair.clip]:
            problems.append(
                f"truth of {pair.name}: it has {pair.truth.frames} frames; its clip has only {lengths[pair.clip]}"
            )
    found: dict[str, list[str]] = {}
    work = partial(_problems, folder=folder, size=manifest.size)
    for done, outcome in enumerate((executor or Local()).map(work, parts), 1):
        lost = isinstance(outcome.error, UserError)
        found[outcome.item.name] = [f"{outcome.item.name}: {outcome.error}"] if lost else outcome.result()
        advance(done, len(parts))
    return problems + [problem for part in parts for problem in found[part.name]]


def extra_files(suite: Suite) -> list[str]:
    """Files in the folder of a suite, but hidden ones, that neither its manifest names nor `fye bench build` adds."""
    named = {MANIFEST, REFUSED, OVERVIEW} | {file.path for file in suite.manifest.files()}
    there = (path.relative_to(suite.folder) for path in suite.folder.rglob("*") if path.is_file())
    shown = {path.as_posix() for path in there if not any(part.startswith(".") for part in path.parts)}
    return sorted(shown - named)


def _problems(part: _Part, folder: Path, size: int) -> list[str]:
    content = part.content
    files = (content.picture, content.landmarks) if isinstance(content, PortraitItem) else content.files
    problems = [problem for file in files for problem in _file_problems(file, folder)]
    if not problems:  # else what was read would be another file
        look = _look_at_portrait if isinstance(content, PortraitItem) else _look_at_footage
        try:
            problems = list(look(content, folder, size))  # type: ignore[arg-type]
        except UserError as reason:
            problems = [str(reason)]
    return [f"{part.name}: {problem}" for problem in problems]


def _file_problems(file: SuiteFile, folder: Path) -> Iterator[str]:
    path = folder / file.path
    try:
        check_inside(file.path, folder / MANIFEST)
        if not path.is_file():
            yield f"{file.path} is missing"
        elif checksum(path) != file.sha256:
            yield f"{file.path} has changed: its checksum is another"
    except DataError as reason:
        yield str(reason)
    except OSError as reason:
        yield f"{file.path} cannot be read ({reason.strerror})"


def _look_at_portrait(item: PortraitItem, folder: Path, size: int) -> Iterator[str]:
    height, width = read_picture(folder / item.picture.path).shape[:2]
    yield from _size_problems(item.picture, (width, height), size)
    yield from _motion_problems(Motion.load(folder / item.landmarks.path), item.landmarks, 1)


def _look_at_footage(footage: Footage, folder: Path, size: int) -> Iterator[str]:
    with ClipReader(folder / footage.clip.path) as clip:
        count = sum(1 for _ in clip)
        damage, info = clip.damage, clip.info
    yield from _size_problems(footage.clip, info.size, size)
    if damage is not None:
        yield f"{footage.clip.path} is damaged ({damage})"
    if count != footage.frames:
        yield f"{footage.clip.path} has {count} frames; the manifest says {footage.frames}"
    motion = Motion.load(folder / footage.motion.path)
    yield from _motion_problems(motion, footage.motion, footage.frames)
    for file, rate in ((footage.clip, info.frame_rate), (footage.motion, motion.frame_rate)):
        if abs(rate - footage.frame_rate) > RATE_APART * footage.frame_rate:
            yield f"{file.path} has {rate:g} frames a second; the manifest says {footage.frame_rate:g}"
    if footage.gaze is not None:
        yield from _gaze_problems(footage.gaze, folder, footage.frames)


def _size_problems(file: SuiteFile, found: tuple[int, int], size: int) -> Iterator[str]:
    if found != (size, size):
        yield f"{file.path} has {found[0]}x{found[1]} pixels; the manifest says {size}x{size}"


def _motion_problems(motion: Motion, file: SuiteFile, frames: int) -> Iterator[str]:
    if len(motion) != frames:
        yield f"{file.path} has {len(motion)} frames; {frames} are needed"
    if motion.size[0] != motion.size[1]:
        yield f"{file.path} has landmarks of {motion.size[0]}x{motion.size[1]} pixels, which are no square"
    if outside := int((share_inside(motion.landmarks) < LEAST_INSIDE).sum()):
        yield f"{file.path} has its face outside the square, in {outside} of {len(motion)} frames"


def _gaze_problems(file: SuiteFile, folder: Path, frames: int) -> Iterator[str]:
    try:
        gaze = read_array(folder / file.path)
    except (OSError, ArraysError) as reason:
        yield f"{file.path} is no array ({first_line(reason)})"
        return
    if gaze.shape != (frames, 2, 2) or gaze.dtype.kind != "f" or np.isinf(gaze).any():
        yield f"{file.path} must be {frames} frames of 2x2 angles; it is {gaze.shape} of {gaze.dtype}"
