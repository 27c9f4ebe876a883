"""How well a model animates drawn portraits that it never saw: the table and the pictures of docs/bundled_model.md.

    python benchmarks/bundled_model.py [--weights bundled] [--identities 64] [--steps N] --output FOLDER

Each held-out identity plays a held-out clip of 16 frames; four of them are compared with the true drawing. Two suites: *self*, driven by
the true landmarks of the clip, and *cross*, driven by another identity's drawings as a user would (detected, aligned), judged against the
drawing of the portrait's own identity in that performance, which only drawn portraits can give. Baselines: the reference copied, and a
thin-plate warp of the reference by the same landmarks.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.interpolate import RBFInterpolator

from followyouremoji.animator import AnimationSettings, PortraitAnimator, Prepared, to_pictures, to_tensor
from followyouremoji.errors import FaceNotFound
from followyouremoji.face.alignment import AlignmentSettings, align_motion
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks, face_mask
from followyouremoji.face.motion import Motion
from followyouremoji.face.topology import (
    FACE_OVAL_LOOP,
    INNER_LIPS_LOOP,
    LEFT_EYE_LOOP,
    LEFT_EYEBROW,
    LEFT_IRIS,
    OUTER_LIPS_LOOP,
    RIGHT_EYE_LOOP,
    RIGHT_EYEBROW,
    RIGHT_IRIS,
)
from followyouremoji.media.cropping import Crop
from followyouremoji.media.pictures import contact_sheet, write_picture
from followyouremoji.portraits import STYLES, Identity, Performance, draw_portrait, expressive_motion

FIRST_SEED = 900_000  # far from every seed that a training run draws with
FRAMES = 16
COMPARED = (3, 7, 11, 15)
WARP_POINTS = np.unique(
    [
        *FACE_OVAL_LOOP,
        *LEFT_EYE_LOOP,
        *RIGHT_EYE_LOOP,
        *OUTER_LIPS_LOOP,
        *INNER_LIPS_LOOP,
        *np.ravel(LEFT_EYEBROW),
        *np.ravel(RIGHT_EYEBROW),
        1, 4, 98, 327, LEFT_IRIS, RIGHT_IRIS,
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One identity's clip: what goes in and what should come out, all in pixels of pictures of one size."""

    identity: Identity
    reference: np.ndarray
    reference_points: np.ndarray
    points: np.ndarray  # (frames, 478, 2) that drive
    truth: list[np.ndarray]  # the true drawings of the compared frames
    truth_points: np.ndarray


def held_out(index: int, size: int, frame_rate: float = 10.0) -> tuple[Identity, list[Performance]]:
    rng = np.random.default_rng((FIRST_SEED, index))
    return Identity.random(rng, STYLES[index % len(STYLES)]), expressive_motion(rng, FRAMES, frame_rate)


def self_case(index: int, size: int) -> Case:
    identity, clip = held_out(index, size)
    rng = np.random.default_rng((FIRST_SEED + 1, index))
    reference = draw_portrait(identity, Performance.random(rng), size)
    drawn = [draw_portrait(identity, performance, size) for performance in clip]
    points = np.stack([d.points for d in drawn])
    truth = [drawn[i].picture for i in COMPARED]
    return Case(identity, reference.picture, reference.points, points, truth, points[list(COMPARED)])


def cross_case(index: int, size: int, detector: FaceDetector) -> Case | None:
    """The portrait of `index` driven by the clip of the next identity; None where a drawing's face is not found."""
    identity, _ = held_out(index, size)
    driver, clip = held_out(index + 1, size)
    clip = [Performance.neutral(), *clip]
    reference = draw_portrait(identity, Performance.neutral(), 512).picture
    drawings = [draw_portrait(driver, performance, 512).picture for performance in clip]
    try:
        own = detector.detect(reference)
        found = [detector.detect(drawing) for drawing in drawings]
    except FaceNotFound:
        return None
    motion = Motion(
        np.stack([f.normalised for f in found]).astype(np.float32), np.arange(len(clip)) / 10, 10.0, (512, 512), "drawn",
        np.ones(len(clip), bool), None,
    )  # fmt: skip
    points = align_motion(motion, own, AlignmentSettings(neutral=0))[1:] * size / 512
    truth = [draw_portrait(identity, clip[1 + i], size) for i in COMPARED]
    small = draw_portrait(identity, Performance.neutral(), size).picture
    return Case(
        identity,
        small,
        own.points * size / 512,
        points,
        [t.picture for t in truth],
        np.stack([t.points for t in truth]),
    )


def pupil_distance(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[LEFT_IRIS] - points[RIGHT_IRIS]))


def region_masks(points: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """The face, and the eyes and the mouth with a margin, as bool (size, size)."""
    masks = {"face": face_mask(points, (size, size)).astype(bool)}
    margin = max(1, round(0.1 * pupil_distance(points)))
    kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    for name, loops in (("eyes", (LEFT_EYE_LOOP, RIGHT_EYE_LOOP)), ("mouth", (OUTER_LIPS_LOOP,))):
        mask = np.zeros((size, size), np.uint8)
        for loop in loops:
            cv2.fillPoly(mask, [np.round(points[list(loop)]).astype(np.int32)], 1)
        masks[name] = cv2.dilate(mask, kernel).astype(bool)
    return masks


def thin_plate_warp(picture: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The picture bent so that its landmarks `source` lie at `target`; the border stays."""
    size = picture.shape[0]
    ends = np.array(
        [(x, y) for x in (0, size / 2, size) for y in (0, size / 2, size) if (x, y) != (size / 2, size / 2)]
    )
    at = np.concatenate([target[WARP_POINTS], ends])
    grid = np.stack(np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5), axis=-1).reshape(-1, 2)
    back = RBFInterpolator(at, np.concatenate([source[WARP_POINTS], ends]), smoothing=1e-3)(grid)
    places = (back - 0.5).reshape(size, size, 2).astype(np.float32)
    return cv2.remap(
        picture, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def animate(animator: PortraitAnimator, case: Case, settings: AnimationSettings) -> list[np.ndarray]:
    """All frames of a case, without detection or cropping: the drawings are framed as the model expects."""
    size = case.reference.shape[0]
    depth = np.zeros((len(case.points), case.points.shape[1], 1))
    normalised = np.concatenate([case.points / size, depth], axis=-1).astype(np.float32)
    times = np.arange(len(normalised)) / 10.0
    motion = Motion(normalised, times, 10.0, (size, size), "drawn", np.ones(len(times), bool), None)
    prepared = Prepared(
        portrait=case.reference,
        landmarks=Landmarks(normalised[0], (size, size)),
        picture=case.reference,
        crop=Crop(0.0, 0.0, float(size)),
        points=case.points,
        reference_points=case.reference_points,
        style=LandmarkStyle(antialiased=animator.model.config.antialiased_landmarks),
        paste_back=False,
        motion=motion,
        gaps=None,
    )
    return list(animator.frames(prepared, settings))


def compare(result: np.ndarray, case: Case, index: int) -> dict[str, float]:
    """L1 in [0, 1] by region, against the true drawing."""
    truth, points = case.truth[index], case.truth_points[index]
    difference = np.abs(result.astype(np.float32) - truth.astype(np.float32)).mean(axis=-1) / 255
    scores = {
        name: float(difference[mask].mean()) for name, mask in region_masks(points, truth.shape[0]).items()
    }
    return {**scores, "picture": float(difference.mean())}


def landmark_error(detector: FaceDetector, picture: np.ndarray, points: np.ndarray) -> float | None:
    """Mean distance of detected to driving landmarks in pupil distances; None where no face is found."""
    try:
        found: Landmarks = detector.detect(picture)
    except FaceNotFound:
        return None
    return float(np.linalg.norm(found.points - points, axis=-1).mean() / pupil_distance(points))


def run_suite(
    cases: list[Case], animator: PortraitAnimator, settings: AnimationSettings, detector: FaceDetector
) -> tuple[dict[str, dict[str, float]], list[list[np.ndarray]]]:
    """Mean scores by method and region, and rows of pictures: reference, then landmarks, truth, warp and result of a frame."""
    size = cases[0].reference.shape[0]
    scores: dict[str, list[dict[str, float]]] = {}
    errors: dict[str, list[float | None]] = {}
    rows, flicker = [], []
    model = animator.model
    for case in cases:
        frames = animate(animator, case, settings)
        steps = np.abs(np.diff(np.stack(frames).astype(np.float32), axis=0)).mean(axis=(1, 2, 3)) / 255
        flicker.append(float(np.abs(np.diff(steps)).mean()))
        row = [case.reference]
        for index, frame in enumerate(COMPARED):
            truth = case.truth[index]
            with torch.inference_mode():
                coded = to_pictures(model.decode(model.encode(to_tensor(truth[None]) * 2 - 1)))[0]
            methods = {
                "reference copied": case.reference,
                "thin-plate warp": thin_plate_warp(case.reference, case.reference_points, case.points[frame]),
                "model": frames[frame],
                "autoencoder alone": coded,
            }
            for name, picture in methods.items():
                scores.setdefault(name, []).append(compare(picture, case, index))
                errors.setdefault(name, []).append(landmark_error(detector, picture, case.points[frame]))
            errors.setdefault("truth", []).append(landmark_error(detector, truth, case.points[frame]))
            if index in (1, 3):
                drawn = draw_landmarks(case.points[frame], (size, size), LandmarkStyle(antialiased=True))
                row += [drawn, truth, methods["thin-plate warp"], frames[frame]]
        rows.append(row)
    table = {
        name: {key: float(np.mean([s[key] for s in all_])) for key in all_[0]}
        for name, all_ in scores.items()
    }
    for name, values in errors.items():
        found = [value for value in values if value is not None]
        table.setdefault(name, {}).update(
            found=len(found) / len(values), landmark_error=float(np.mean(found or [np.nan]))
        )
    table["model"]["unsteadiness"] = float(np.mean(flicker))
    return table, rows


def print_table(title: str, table: dict[str, dict[str, float]]) -> None:
    columns = ("face", "eyes", "mouth", "picture", "found", "landmark_error")
    print(f"\n{title}\n| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for name, scores in table.items():
        print(f"| {name} | " + " | ".join(f"{scores[c]:.4f}" if c in scores else "" for c in columns) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="bundled")
    parser.add_argument("--identities", type=int, default=64)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--shared-noise", type=float)
    parser.add_argument("--suites", nargs="+", default=["self", "cross"])
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    animator = PortraitAnimator.from_pretrained(arguments.weights)
    config = animator.model.config
    settings = AnimationSettings(
        steps=arguments.steps or config.steps, shared_noise=arguments.shared_noise, window=FRAMES
    )
    arguments.output.mkdir(parents=True, exist_ok=True)
    report = {}
    with FaceDetector() as detector:
        for suite in arguments.suites:
            indices = range(arguments.identities)
            if suite == "self":
                cases = [self_case(i, config.picture_size) for i in indices]
            else:
                cases = [
                    c
                    for c in (cross_case(i, config.picture_size, detector) for i in indices)
                    if c is not None
                ]
            table, rows = run_suite(cases, animator, settings, detector)
            print_table(f"{suite}, {len(cases)} identities, {settings.steps} steps", table)
            report[suite] = {"identities": len(cases), "steps": settings.steps, "scores": table}
            pictures = [picture for row in rows[:20] for picture in row]
            write_picture(
                arguments.output / f"{suite}.png", contact_sheet(pictures, len(rows[0])), overwrite=True
            )
    (arguments.output / "report.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
