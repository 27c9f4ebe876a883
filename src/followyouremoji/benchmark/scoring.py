"""Figures of one method on one suite: a row for each case, kept in a folder so that a broken run goes on method by
method."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from followyouremoji.benchmark.fingerprints import code_hash
from followyouremoji.benchmark.identity import IdentityScale, describe, measured_scale, separation
from followyouremoji.benchmark.methods import Method, make_method
from followyouremoji.benchmark.metrics import regions as metrics
from followyouremoji.benchmark.suites import COMPARED, Case, Suite, detected
from followyouremoji.errors import DataError
from followyouremoji.executors import Executor
from followyouremoji.face.detection import FaceDetector
from followyouremoji.fidelity import psnr, ssim
from followyouremoji.files import atomic, write_json

SCORES_FILE, METHOD_FILE, PICTURES_FILE, SCALE_FILE = (
    "cases.csv",
    "method.json",
    "pictures.npz",
    "identity.npz",
)
SHOWN_FRAMES = (1, 3)  # of the compared ones: those of the contact sheet


@dataclass(frozen=True)
class Metric:
    """A column of the tables."""

    name: str
    title: str
    better: str  # "less" or "more"
    digits: int
    meaning: str


METRICS = (
    Metric("face", "face L1", "less", 4, "mean absolute difference from the true drawing inside the face's oval"),
    Metric("eyes", "eyes L1", "less", 4, "the same around both eyes"),
    Metric("mouth", "mouth L1", "less", 4, "the same around the mouth"),
    Metric("picture", "picture L1", "less", 4, "the same over the whole picture"),
    Metric("ssim", "SSIM", "more", 4, "structural similarity of the luma, 11x11 Gaussian window"),
    Metric("psnr", "PSNR", "more", 2, "in dB, over all three channels"),
    Metric(
        "landmarks", "landmarks", "less", 4,
        "mean distance of the 478 points that the detector finds in the result from the driving ones, in distances between the pupils",
    ),
    Metric(
        "landmarks_seen", "landmarks, unbiased", "less", 4,
        "the same from the points that the detector finds in the true drawing, which takes away its bias on drawings",
    ),
    Metric(
        "gaze", "gaze", "less", 4,
        "distance of the irises, found by their looks, from their true places in the eyes, in widths of the eye",
    ),
    Metric(
        "identity", "identity", "more", 4,
        "cosine of colour and gradient statistics of the flattened face with those of the true drawings (no face-recognition network)",
    ),
    Metric("flicker", "flicker", "less", 5, "second temporal difference beyond that of the truth"),
    Metric("found", "found", "more", 3, "fraction of the frames in which the detector finds the face where it is"),
)  # fmt: skip
MAIN = ("face", "ssim", "landmarks_seen", "gaze", "identity")
"""The columns that get an interval."""


@dataclass(frozen=True)
class MethodScores:
    """One method's figures: `values[name]` is (cases,) in the order of `indices`; NaN where a case has no such
    figure."""

    name: str
    indices: np.ndarray
    styles: tuple[str, ...]
    values: dict[str, np.ndarray]
    seconds_per_frame: float

    def mean(self, metric: str) -> float:
        values = self.values[metric]
        known = values[~np.isnan(values)]
        return float(known.mean()) if len(known) else float("nan")

    def interval(self, metric: str) -> tuple[float, float]:
        """A 95 % bootstrap interval of the mean over cases."""
        return metrics.bootstrap_interval(self.values[metric])


def score_case(
    frames: np.ndarray, case: Case, detector: FaceDetector, scale: IdentityScale
) -> dict[str, float]:
    """All figures of one case, means over its compared frames; see `METRICS`. `frames` uint8 (16, S, S, 3)."""
    person = person_of(case)
    found = detected(frames, detector)
    rows = []
    for place, frame in enumerate(COMPARED):
        picture, truth, truth_points = frames[frame], case.truth[frame], case.truth_points[frame]
        points, points_in_truth = (metrics.of_the_face(p[place], truth_points) for p in (found, case.seen))
        seen = np.isfinite(points).all()
        at = points if seen else truth_points
        rows.append(
            {
                **metrics.l1_by_region(picture, truth, truth_points),
                "ssim": ssim(picture, truth),
                "psnr": psnr(picture, truth),
                "landmarks": metrics.landmark_error(points, case.points[frame]),
                "landmarks_seen": metrics.landmark_error(points, points_in_truth),
                "gaze": metrics.gaze_error(picture, truth, points, points_in_truth, truth_points),
                "identity": scale.similarity(person, describe(picture, at)),
                "found": float(seen),
            }
        )
    means = {name: mean_of_known([row[name] for row in rows]) for name in rows[0]}
    return {**means, "flicker": metrics.flicker(frames, case.truth)}


def person_of(case: Case) -> np.ndarray:
    """The mean descriptor of a case's true drawings, laid flat by what the detector sees in them, as results are."""
    described = []
    for place, frame in enumerate(COMPARED):
        seen = metrics.of_the_face(case.seen[place], case.truth_points[frame])
        points = seen if np.isfinite(seen).all() else case.truth_points[frame]
        described.append(describe(case.truth[frame], points))
    return np.asarray(np.mean(described, axis=0))


def mean_of_known(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


@contextmanager
def _method_and_detector(described: str) -> Iterator[tuple[Method, FaceDetector]]:
    with FaceDetector() as detector:
        yield make_method(described), detector


def _score_index(
    index: int, tools: tuple[Method, FaceDetector], suite: Suite, scale: IdentityScale
) -> tuple[dict[str, Any], np.ndarray, float]:
    """The row of a case, the shown ones of its frames, and the seconds that the method took."""
    method, detector = tools
    case = suite.case(index)
    begun = time.perf_counter()
    frames = method.animate(case)
    seconds = time.perf_counter() - begun
    row = {"case": index, "style": case.style, **score_case(frames, case, detector, scale)}
    return row, frames[[COMPARED[place] for place in SHOWN_FRAMES]], seconds


def score_method(
    described: str, suite: Suite, folder: Path, executor: Executor, shown: Sequence[int]
) -> MethodScores:
    """A method's figures on a suite: read from `folder` if it holds them already, measured and written there if not."""
    method = make_method(described)
    wanted = {
        "name": method.name,
        "method": method.fingerprint,
        "suite": suite.settings.fingerprint,
        "cases": len(suite),
        "code": code_hash(),
    }
    if (kept := _kept(folder, wanted)) is not None:
        return kept
    scale = identity_scale(suite)
    score = partial(_score_index, suite=suite, scale=scale)
    rows: list[dict[str, Any]] = []
    pictures: dict[str, np.ndarray] = {}
    seconds = 0.0
    for outcome in executor.map(score, range(len(suite)), partial(_method_and_detector, described)):
        row, frames, taken = outcome.result()
        rows.append(row)
        seconds += taken
        if outcome.item in shown:
            pictures[f"case_{outcome.item}"] = frames
    rows.sort(key=lambda row: int(row["case"]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / METHOD_FILE).unlink(missing_ok=True)
    np.savez_compressed(folder / PICTURES_FILE, **pictures)
    columns = ["case", "style", *(metric.name for metric in METRICS)]
    with (folder / SCORES_FILE).open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    wanted["seconds_per_frame"] = seconds / (len(suite) * len(suite.case(0).points))
    write_json(folder / METHOD_FILE, wanted)  # last: it says that the rest is whole
    kept = _kept(folder, {})
    assert kept is not None
    return kept


def _kept(folder: Path, wanted: dict[str, object]) -> MethodScores | None:
    """The figures that lie in a folder, if they are those `wanted`."""
    try:
        described = json.loads((folder / METHOD_FILE).read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        raise DataError(
            f"{folder / METHOD_FILE} is damaged; delete the folder {folder} to measure again."
        ) from None
    if any(described.get(name) != value for name, value in wanted.items()):
        return None
    with (folder / SCORES_FILE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return MethodScores(
        name=described["name"],
        indices=np.array([int(row["case"]) for row in rows]),
        styles=tuple(row["style"] for row in rows),
        values={metric.name: np.array([float(row[metric.name]) for row in rows]) for metric in METRICS},
        seconds_per_frame=float(described["seconds_per_frame"]),
    )


def identity_scale(suite: Suite) -> IdentityScale:
    """The descriptors' scale at the suite's size, measured once and kept in the suite's folder."""
    path = suite.folder / SCALE_FILE
    if not path.exists():
        with atomic(path) as temporary:
            measured_scale(suite.settings.size).save(temporary)
    return IdentityScale.load(path)


def identity_separation(suite: Suite) -> dict[str, float]:
    """How well the descriptor distinguishes the suite's portraits, by the true drawings: areas under the ROC curve.

    The same identity in another performance against other identities: of the `same style`, which is hard, and of `any
    style`.
    """
    scale = identity_scale(suite)
    own, other, styles = [], [], []
    for index in range(len(suite)):
        case = suite.case(index)
        own.append(describe(case.portrait, case.portrait_points))
        other.append(describe(case.truth[COMPARED[-1]], case.truth_points[COMPARED[-1]]))
        styles.append(case.style)
    similar = np.array([[scale.similarity(a, b) for b in other] for a in own])
    same = np.eye(len(own), dtype=bool)
    alike = np.equal.outer(styles, styles) & ~same
    areas = {}
    for name, different in (("same style", alike), ("any style", ~same)):
        areas[name] = separation(similar[same], similar[different]) if different.any() else float("nan")
    return areas
