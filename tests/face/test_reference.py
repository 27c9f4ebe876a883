"""Landmarks of whole ways through this room, where a picture of them was looked at and kept.

`reference.csv` holds points in pixels. Where a change is meant, `python -m tests.face.test_reference` writes it anew;
look at an animation before you keep that.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.face.alignment import align_motion
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.fitting import fit_face
from followyouremoji.face.motion import Motion
from followyouremoji.face.one_euro import LandmarkFilter
from followyouremoji.face.placed_points import POINTS
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.timeline import looped
from followyouremoji.face.topology import mean_face
from followyouremoji.face.tracking import motion_of
from followyouremoji.requests.bundled import EXAMPLES, bundled_motion, portrait_landmarks
from tests.face.test_alignment import landmarks_of, open_mouth

TABLE = Path(__file__).with_name("reference.csv")
SHOWN = {
    "chin": 152, "nose": 4, "ear left": 454,
    "mouth left": 291, "mouth right": 61, "lip upper": 13, "lip lower": 14,
    "lid left upper": 386, "lid left lower": 374, "lid right upper": 159, "lid right lower": 145,
    "brow left inside": 336, "brow right outside": 70, "pupil left": 473, "pupil right": 468,
}  # fmt: skip
MOST_FRAMES = 6


def portrait(name: str) -> Landmarks:
    found = portrait_landmarks(EXAMPLES / f"{name}.png")
    assert found is not None
    return Landmarks(found, (512, 512))


def hello() -> Motion:
    return bundled_motion("hello")


def of(landmarks: np.ndarray, found: np.ndarray | None = None) -> Motion:
    """A motion of normalised landmarks (T, 478, 3) as they are."""
    count = len(landmarks)
    every = np.ones(count, bool)
    return Motion(
        landmarks.astype(np.float32),
        np.arange(count) / 25,
        25.0,
        (512, 512),
        "test",
        every if found is None else found,
    )


def jittery() -> Motion:
    rng = np.random.default_rng(0)
    landmarks = hello().landmarks[20:70]
    return of(landmarks + rng.normal(0, 6e-4, landmarks.shape))


def two_shots() -> Motion:
    whole = hello().landmarks
    return of(np.concatenate([whole[10:30], whole[40:60] * 0.6 + [0.05, 0.3, 0.0]]))


def with_gaps() -> Motion:
    """A face that is away for 4 frames, then for 30, and at the end."""
    seen: list[Landmarks | None] = [Landmarks(one, (512, 512)) for one in hello().landmarks]
    for frame in (*range(12, 16), *range(40, 70), *range(95, 100)):
        seen[frame] = None
    return motion_of(seen, np.arange(100) / 25, 25.0, "test")[0]


def filtered() -> np.ndarray:
    steady, seen = LandmarkFilter(), jittery()
    return np.stack(
        [
            steady(one, (640, 360), time)[:, :2] * (640, 360)
            for one, time in zip(seen.landmarks, seen.timestamps, strict=True)
        ]
    )


def fitted() -> np.ndarray:
    """Faces of a person, an animal and one turned aside, and one whose nose is misplaced."""
    turned = Landmarks(landmarks_of(mean_face(), yaw=0.6), (512, 512))
    faces = list[np.ndarray]()
    for landmarks, left_out, misplaced in (
        (portrait("ada"), "none", {}),
        (portrait("fox"), "none", {}),
        (turned, "left", {}),
        (portrait("max"), "pupil", {"nose_tip": (30.0, 20.0)}),
    ):
        points = landmarks.points.astype(float)
        placed = {
            name: points[list(one.landmarks)].mean(axis=0) + misplaced.get(name, (0.0, 0.0))
            for name, one in POINTS.items()
            if left_out not in name
        }
        faces.append(fit_face(placed, (512, 512)).landmarks.points)
    return np.stack(faces)


def aligned(motion: Motion, reference: Landmarks, **settings: object) -> np.ndarray:
    return align_motion(motion, reference, AlignmentSettings(**settings))  # type: ignore[arg-type]


CASES: dict[str, Callable[[], np.ndarray]] = {
    "as driven": lambda: aligned(hello(), portrait("ada")),
    "each part its own strength": lambda: aligned(
        hello(), portrait("max"), expression=1.4, mouth=0.5, brows=1.3, eyes=0.8, gaze=1.5, head_strength=0.5
    ),
    "posed": lambda: aligned(hello(), portrait("fox"), pose="smile=0.5,yaw=10,gaze_x=0.5,blink=0.3"),
    "as released": lambda: aligned(hello(), portrait("emoji"), head="absolute", gaze=0.7),
    "one direction for both eyes": lambda: aligned(jittery(), portrait("ada"), conjugate_gaze="on"),
    "own eyes": lambda: aligned(jittery(), portrait("ada"), conjugate_gaze="off"),
    "an open mouth replaced": lambda: aligned(
        hello(),
        Landmarks(landmarks_of(open_mouth(mean_face(), 1.5)), (512, 512)),
        portrait_expression="replace",
    ),
    "from a rest": lambda: aligned(bundled_motion("wink_left"), portrait("stone")),
    "a dramatic expression": lambda: aligned(bundled_motion("disgusted"), portrait("ada"), head="none"),
    "one picture": lambda: aligned(hello()[40:41], portrait("ada")),
    "two shots": lambda: aligned(two_shots(), portrait("max")),
    "smoothed": lambda: jittery().smoothed().points,
    "at another rate": lambda: hello().at_rate(18.0).points,
    "over gaps": lambda: with_gaps().points,
    "to and fro": lambda: looped(hello()[:40], "blend").points,
    "steadied as it comes": filtered,
    "fitted to a few points": fitted,
}


def measured(case: str) -> dict[tuple[str, int], dict[str, float]]:
    """Points of some frames of a case."""
    points = CASES[case]()
    frames = np.unique(np.linspace(0, len(points) - 1, MOST_FRAMES).round().astype(int)).tolist()
    return {
        (case, frame): {
            f"{name} {axis}": round(float(points[frame, point, column]), 2)
            for name, point in SHOWN.items()
            for column, axis in enumerate("xy")
        }
        for frame in frames
    }


def kept(case: str) -> dict[tuple[str, int], dict[str, float]]:
    with TABLE.open(newline="") as opened:
        rows = [row for row in csv.DictReader(opened) if row["case"] == case]
    return {
        (row.pop("case"), int(row.pop("frame"))): {name: float(value) for name, value in row.items()}
        for row in rows
    }


@pytest.mark.parametrize("case", CASES)
def test_landmarks_are_where_they_were(case: str) -> None:
    """Within a twentieth of a pixel."""
    found, expected = measured(case), kept(case)
    assert found.keys() == expected.keys()
    for place, points in found.items():
        assert points == pytest.approx(expected[place], abs=0.05), place


def write_table() -> None:
    with TABLE.open("w", newline="") as opened:
        rows = csv.DictWriter(
            opened, ["case", "frame", *(f"{name} {axis}" for name in SHOWN for axis in "xy")]
        )
        rows.writeheader()
        for case in CASES:
            rows.writerows(
                {"case": name, "frame": frame, **points} for (name, frame), points in measured(case).items()
            )


if __name__ == "__main__":
    write_table()
