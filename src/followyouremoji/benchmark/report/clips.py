"""The clips of a page: the best, the median and the worst of a system, each as one small video of all tiles, which the
page cuts apart again, so that nothing can run out of step."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from followyouremoji.benchmark.metrics import Metric
from followyouremoji.benchmark.report.content import headlines, pair_values
from followyouremoji.benchmark.report.scores import Pair, Scores
from followyouremoji.benchmark.store import Results
from followyouremoji.benchmark.suite import Case
from followyouremoji.benchmark.tables import number
from followyouremoji.errors import UserError
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import resize_picture
from followyouremoji.media.videos import mp4_encoder
from followyouremoji.media.writing import exact_rate
from followyouremoji.provenance.record import GENERATED_COMMENT

TILE = 192  # pixels a side
ACROSS = 6  # tiles side by side
CRF = "28"
BUDGET = 15_000_000
"""Bytes of all videos of a page: 20 MB of text."""
CHOOSING = 6  # metrics to choose clips by, in each mode
GREY = 128  # of a tile without a picture


@dataclass(frozen=True)
class Choice:
    """Why a pair is shown: it is the `kind` ("best", "median", "worst") of the system's clips by a metric."""

    pair: Pair
    metric: Metric
    kind: str
    value: float


@dataclass(frozen=True)
class Tile:
    """`problem`: why there is no picture; `figures`: of a system, by the metrics that clips are chosen by."""

    title: str
    system: bool = False
    problem: str = ""
    figures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ShownClip:
    """A pair's video, MP4, of the tiles row by row, `across` in a row."""

    pair: Pair
    video: bytes
    tiles: tuple[Tile, ...]
    across: int
    side: int
    frames: int
    frame_rate: float


def choosing(scores: Scores, mode: str) -> tuple[Metric, ...]:
    """The metrics that clips are chosen by."""
    return headlines(scores, mode)[:CHOOSING]


def choices(scores: Scores, mode: str, system: str) -> list[Choice]:
    """The best, the median and the worst of a system's clips by each of a few metrics, as far as there are so many."""
    found = []
    for metric in choosing(scores, mode):
        ordered = pair_values(scores, system, mode, metric)
        places = {"best": 0, "median": len(ordered) // 2, "worst": len(ordered) - 1}
        taken: set[int] = set()
        for kind, place in places.items():
            if ordered and place not in taken:
                taken.add(place)
                found.append(Choice(ordered[place][0], metric, kind, ordered[place][1]))
    return found


def shown_systems(scores: Scores) -> tuple[str, ...]:
    """Points of reference are left out: a copy is the portrait, and the truth is there."""
    return scores.judged or scores.systems


def shown_clip(
    case: Case, pair: Pair, scores: Scores, results: Sequence[Results], tile: int = TILE
) -> ShownClip:
    """The video of a pair. Raises UserError where the suite's files cannot be read."""
    side = min(tile, case.size) // 2 * 2
    failures = {one.system: one.problem for one in scores.failures if one.pair == pair}
    tiles = [Tile("portrait"), Tile("driving, the truth" if case.mode == "self" else "driving")]
    pictures = [np.repeat(case.portrait[None], case.frames, axis=0), case.driving]
    if case.mode == "cross" and case.truth is not None:
        tiles.append(Tile("truth"))
        pictures.append(case.truth)
    for system in shown_systems(scores):
        made, problem = result_frames(results, system, case, failures.get(system))
        tiles.append(Tile(system, True, problem, pair_figures(scores, system, pair)))
        pictures.append(made)
    across = min(ACROSS, len(tiles))
    video = encoded(mosaic(pictures, across, side), case.clip.footage.frame_rate)
    return ShownClip(pair, video, tuple(tiles), across, side, case.frames, case.clip.footage.frame_rate)


def pair_figures(scores: Scores, system: str, pair: Pair) -> tuple[tuple[str, str], ...]:
    """A system's figures of one pair, with their metrics' names."""
    place = scores.pairs[pair.mode].index(pair)
    return tuple(
        (metric.name, number(float(scores.values(system, pair.mode, metric.name)[place]), metric.digits))
        for metric in choosing(scores, pair.mode)
    )


def result_frames(
    results: Sequence[Results], system: str, case: Case, failure: str | None
) -> tuple[np.ndarray, str]:
    """What a system made of a pair (T, S, S, 3), or grey and why there is nothing to show."""
    grey = np.full((case.frames, case.size, case.size, 3), GREY, np.uint8)
    if failure is not None:
        return grey, failure
    path = next(
        (
            one.clip_path(system, case.name)
            for one in results
            if system in [item.name for item in one.run.systems]
        ),
        None,
    )
    if path is None or not path.exists():
        return grey, "its clip was not kept"
    try:
        with ClipReader(path) as reader:
            frames = [
                resize_picture(picture, (case.size, case.size)) for _, picture in islice(reader, case.frames)
            ]
    except UserError as reason:
        return grey, str(reason)
    if len(frames) < case.frames:
        return grey, f"its clip has {len(frames)} frames"
    return np.stack(frames), ""


def mosaic(clips: Sequence[np.ndarray], across: int, side: int) -> Iterator[np.ndarray]:
    """Clips (T, h, w, 3) as tiles of one, row by row: frames (rows * side, across * side, 3)."""
    rows = -(-len(clips) // across)
    for frames in zip(*clips, strict=True):
        whole = np.full((rows * side, across * side, 3), GREY, np.uint8)
        for place, frame in enumerate(frames):
            top, left = side * (place // across), side * (place % across)
            whole[top : top + side, left : left + side] = resize_picture(frame, (side, side))
        yield whole


def encoded(frames: Iterator[np.ndarray], frame_rate: float) -> bytes:
    """An MP4 of H.264 without sound."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        first = next(frames)
        size = (first.shape[1], first.shape[0])
        encoder = mp4_encoder(path, exact_rate(frame_rate), size, None, GENERATED_COMMENT, crf=CRF)
        try:
            for frame in (first, *frames):
                encoder.write(frame)
            encoder.finish()
        finally:
            encoder.close()
        return path.read_bytes()
