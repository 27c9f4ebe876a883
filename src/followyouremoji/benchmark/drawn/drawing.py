"""Draw EmojiBench-Drawn into a folder, item by item; what is there whole is not drawn again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from followyouremoji.benchmark.fingerprints import code_hash
from followyouremoji.benchmark.lossless import LOSSLESS_ENDING, write_lossless
from followyouremoji.benchmark.suite import (
    MANIFEST,
    ClipItem,
    Footage,
    Manifest,
    PairItem,
    PortraitItem,
    Suite,
    SuiteFile,
)
from followyouremoji.errors import DataError
from followyouremoji.executors import Executor
from followyouremoji.face.motion import MOTION_ENDING, Motion
from followyouremoji.files import atomic, clear_stale
from followyouremoji.media.pictures import write_picture
from followyouremoji.portraits import Identity, Performance
from followyouremoji.portraits.truth import exact_gaze, exact_landmarks

from .identities import driver_identity, driver_style, portrait_identity, portrait_name, style_of
from .motions import FRAME_RATE, MOTIONS
from .slices import Item, Slice, motion_of

LICENCE = "CC0-1.0 (drawn by this package, which is under the Apache-2.0 licence)"
VERSION_FILE = ".drawing.txt"
"""In the folder: what its files were drawn by."""
FOLDERS = ("portraits", "clips", "truth")


@dataclass(frozen=True)
class DrawnFiles:
    """The files of an item: those of a portrait without gaze."""

    picture: SuiteFile
    motion: SuiteFile
    gaze: SuiteFile | None = None


def draw_suite(
    folder: Path, slice: Slice, executor: Executor, advance: Callable[[], object] = lambda: None
) -> Suite:
    """The slice in `folder`, drawn as far as it is not there yet.

    Parameters
    ----------
    advance : called after each of the slice's `items`

    Raises
    ------
    DataError
        `folder` holds drawings of another version or seed, or cannot be written.
    """
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
            clear_stale(folder / name)
        _check_version(folder, slice)
        files = dict[Item, DrawnFiles]()
        for outcome in executor.map(partial(draw_item, slice=slice, folder=folder), slice.items):
            files[outcome.item] = outcome.result()
            advance()
        with atomic(folder / MANIFEST) as temporary:
            temporary.write_bytes(manifest(slice, files).to_json().encode())
    except OSError as reason:
        raise DataError(
            f"the suite cannot be drawn into {folder}: {reason.strerror or reason}. What is drawn stays; the same "
            "command goes on when this is mended."
        ) from reason
    return Suite.read(folder)


def drawing_code() -> str:
    """A hash of the code and libraries that draw: another one may draw other pictures."""
    drawn_by = ("portraits", "face", "benchmark/drawn", "benchmark/lossless.py", "benchmark/suite.py")
    return code_hash(*drawn_by, libraries=("skia-python", "opencv-contrib-python", "numpy", "av"))


def _check_version(folder: Path, slice: Slice) -> None:
    """Files that another version drew must not be taken for this one's."""
    version = f"seed {slice.seed}, {slice.size} pixels, {slice.frames} and {slice.truth_frames} frames, code {drawing_code()}\n"
    path = folder / VERSION_FILE
    if path.exists():
        if (there := path.read_text(encoding="utf-8")) != version:
            raise DataError(
                f"{folder} holds drawings of another version ({there.strip()}, not {version.strip()}); draw into a new "
                "folder, or delete this one."
            )
        return
    if any(path for name in FOLDERS for path in (folder / name).iterdir()) or (folder / MANIFEST).exists():
        raise DataError(f"{folder} holds files that are no drawing's; give a new folder.")
    with atomic(path) as temporary:
        temporary.write_bytes(version.encode())


def draw_item(item: Item, slice: Slice, folder: Path) -> DrawnFiles:
    """Draw an item as far as its files are not there: a function of the slice's seed, size and frames, and the item."""
    identity, performances, stem = _played(item, slice)

    def file(ending: str, write: Callable[[Path], object]) -> SuiteFile:
        path = folder / f"{stem}{ending}"
        if not path.exists():
            write(path)
        return SuiteFile.of(path, folder)

    motion = file(MOTION_ENDING, partial(_write_motion, identity, performances, slice.size))
    if item.kind == "portrait":
        return DrawnFiles(
            file(".png", partial(_write_portrait, identity, performances[0], slice.size)), motion
        )
    gaze = file(".npy", partial(_write_gaze, identity, performances))
    return DrawnFiles(
        file(LOSSLESS_ENDING, partial(_write_clip, identity, performances, slice.size)), motion, gaze
    )


def _played(item: Item, slice: Slice) -> tuple[Identity, Sequence[Performance], str]:
    """Who does what in an item, and the beginning of its files' names."""
    if item.kind == "portrait":
        name = f"portraits/{portrait_name(item.number)}"
        return portrait_identity(slice.seed, item.number), [Performance.neutral()], name
    number = item.number if item.kind == "clip" else motion_of(item.number)
    performances = MOTIONS[number].performances(slice.seed, number)
    if item.kind == "clip":
        return (
            driver_identity(slice.seed, number),
            performances[: slice.frames],
            f"clips/{MOTIONS[number].name}",
        )
    identity = portrait_identity(slice.seed, item.number)
    return identity, performances[: slice.truth_frames], f"truth/{pair_name(item.number)}"


def pair_name(portrait: int) -> str:
    """Of a cross-reenactment, such as "animal-017-wolf-smile"."""
    return f"{portrait_name(portrait)}-{MOTIONS[motion_of(portrait)].name}"


def _write_portrait(identity: Identity, performance: Performance, size: int, path: Path) -> None:
    from followyouremoji.portraits import draw_portrait  # skia only here

    drawn = draw_portrait(identity, performance, size).picture
    write_picture(path, drawn, overwrite=True, comment="Drawn by followyouremoji.portraits")


def _write_clip(identity: Identity, performances: Sequence[Performance], size: int, path: Path) -> None:
    from followyouremoji.portraits import draw_portrait

    frames = (draw_portrait(identity, moment, size).picture for moment in performances)
    write_lossless(path, frames, FRAME_RATE)


def _write_motion(identity: Identity, performances: Sequence[Performance], size: int, path: Path) -> None:
    landmarks = exact_landmarks(identity, performances).astype(np.float32)
    times = np.arange(len(landmarks)) / FRAME_RATE
    found = np.ones(len(landmarks), bool)
    Motion(landmarks, times, FRAME_RATE, (size, size), path.stem, found).save(path, overwrite=True)


def _write_gaze(identity: Identity, performances: Sequence[Performance], path: Path) -> None:
    with atomic(path) as temporary:
        np.save(temporary, exact_gaze(identity, performances).astype(np.float32))


def manifest(slice: Slice, files: dict[Item, DrawnFiles]) -> Manifest:
    """What the slice holds, its items in the order of their numbers."""
    source = f"drawn by followyouremoji.portraits, seed {slice.seed}"

    def footage(item: Item, frames: int) -> Footage:
        drawn = files[item]
        return Footage(
            clip=drawn.picture, motion=drawn.motion, gaze=drawn.gaze, frames=frames, frame_rate=FRAME_RATE
        )

    return Manifest(
        name="drawn" if slice.name == "full" else f"drawn-{slice.name}",
        about=f"EmojiBench-Drawn, {slice.name}: {len(slice.portraits)} portraits and {len(slice.clips)} driving clips, {source}. "
        "Landmarks, gaze and the true results of cross-reenactment are exact.",
        size=slice.size,
        portraits=[
            PortraitItem(
                name=portrait_name(number),
                style=style_of(number)[0],
                picture=files[Item("portrait", number)].picture,
                landmarks=files[Item("portrait", number)].motion,
                licence=LICENCE,
                source=source,
            )
            for number in slice.portraits
        ],
        clips=[
            ClipItem(
                name=MOTIONS[number].name,
                expression=MOTIONS[number].group,
                style=driver_style(number),
                footage=footage(Item("clip", number), slice.frames),
                rest=0,
                licence=LICENCE,
                source=source,
            )
            for number in slice.clips
        ],
        pairs=[
            *(
                PairItem(name=f"self-{MOTIONS[number].name}", clip=MOTIONS[number].name)
                for number in slice.driven
            ),
            *(
                PairItem(
                    name=pair_name(number),
                    clip=MOTIONS[motion_of(number)].name,
                    portrait=portrait_name(number),
                    truth=footage(Item("truth", number), slice.truth_frames),
                )
                for number in slice.portraits
            ),
        ],
    )
