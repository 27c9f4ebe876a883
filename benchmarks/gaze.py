"""Where results look, in degrees: glances of a drawn driver on drawn portraits, and at which step gaze is lost.

    python benchmarks/gaze.py --output results/gaze [--styles person cartoon painting stone] [--portraits 2]
                              [--weights bundled]

A drawn person looks in eight directions, half way and far, crosses its eyes and turns one eye alone, lids going along.
Portraits of other identities follow it. Directions are measured as `face/gaze.py` does, each as the change from the
clip's first frame, in which everybody looks straight ahead, and compared with the driver's true ones:

- *driver, detected*: MediaPipe's irises in the driver's drawings;
- *aligned*: the landmarks that the model is shown;
- *result, by looks*: the irises in the results, found by correlation with the portrait's own;
- *result, detected*: MediaPipe's irises in the results;
- *drawing, by looks* and *drawing, detected*: the same in the true drawings of the portraits, which shows the errors
  of these ways of measuring.

The driver's landmarks are once *detected*, as a user's are, and once the drawing's own, *true*, which shows the loss
after the detector. *gain* is the slope of measured over true degrees, across and up; *error* the mean absolute
difference in degrees; *apart* that of the difference of the two eyes, across; *measured* the fraction of pictures in
which both irises, or the face, were found.

Prints a table; writes gaze.json, gaze.md and glances.jpg into the output folder: far glances of the driver,
as it is detected, and below them results and true drawings of a portrait of each style.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from followyouremoji.animator import PortraitAnimator
from followyouremoji.benchmark.exact import motion_of
from followyouremoji.benchmark.metrics.regions import EYES, cut_around
from followyouremoji.benchmark.tables import markdown, number
from followyouremoji.data.drawn import spatial_points
from followyouremoji.errors import FaceNotFound
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.expressions import CONTROLS
from followyouremoji.face.gaze import Eyes, measure_gaze
from followyouremoji.face.geometry import solve_metric_faces
from followyouremoji.face.topology import OUTER_EYE_CORNERS
from followyouremoji.media.pictures import contact_sheet, resize_picture, write_picture
from followyouremoji.portraits import Performance, draw_portrait, random_identity

SIZE = 512  # pixels a side of the drawings
SEED = 970_000  # of identities; in no suite and no training
FRAME_RATE = 10.0
HELD = 4  # frames of a glance, at the suites' ten a second; the third is measured
STRENGTHS = (0.4, 0.8)
LIDS = 0.4  # of a blink or of wide eyes that go with the furthest glance down or up
EYE_PIXELS, SEARCH = 120, 36  # an eye's width where irises are searched for, and how far away from ahead
ALIKE = 0.6  # correlation below which nothing in an eye is taken for its iris
COLUMNS = ("gain across", "gain up", "error across", "error up", "apart", "measured")
LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Glance:
    """A named gaze of the right and the left eye, (x, y) each, as `Performance` has it."""

    name: str
    gaze: tuple[tuple[float, float], tuple[float, float]]

    @property
    def performance(self) -> Performance:
        """With lids that follow the glance."""
        up = float(np.mean([y for _, y in self.gaze]))
        weights = dict.fromkeys(("blink_left", "blink_right"), LIDS * max(-up, 0.0))
        weights |= dict.fromkeys(("wide_left", "wide_right"), LIDS * max(up, 0.0))
        return Performance(tuple(weights.get(name, 0.0) for name in CONTROLS), self.gaze)


def glances() -> list[Glance]:
    """Straight ahead; eight directions at each strength; crossed eyes; one eye alone."""
    ahead = (0.0, 0.0)
    listed = [Glance("ahead", (ahead, ahead))]
    for strength in STRENGTHS:
        for step, name in enumerate(
            ("right", "right up", "up", "left up", "left", "left down", "down", "right down")
        ):
            angle = step * np.pi / 4
            both = (strength * float(np.cos(angle)), strength * float(np.sin(angle)))
            listed.append(Glance(f"{name}, {strength:g}", (both, both)))
    listed.append(Glance("crossed", ((0.7, -0.1), (-0.7, -0.1))))
    listed.append(Glance("right eye alone", ((0.6, 0.0), ahead)))
    listed.append(Glance("left eye alone", (ahead, (-0.6, 0.0))))
    return listed


@dataclass(frozen=True)
class Drawn:
    """One identity in all glances: pictures, its true landmarks (G, 478, 3) and those that are detected, normalised."""

    pictures: list[np.ndarray]
    true: np.ndarray
    detected: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """True, (G, 478, 2) pixels."""
        return self.true[..., :2] * SIZE


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--styles", nargs="+", default=["person", "cartoon", "painting", "stone"])
    parser.add_argument("--portraits", type=int, default=2, help="of each style")
    parser.add_argument("--weights", default="bundled")
    parser.add_argument("--output", type=Path, default=Path("results/gaze"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    asked = glances()
    animator = PortraitAnimator.from_pretrained(options.weights)
    records: list[tuple[str, np.ndarray, np.ndarray]] = []  # step, measured and true changes (G, 2, 2)
    with FaceDetector() as detector:
        driver = seen_identity("person", 0, asked, detector)
        wanted = directions(driver.true)
        records.append(("driver, detected", directions(driver.detected), wanted))
        sheet = eyes_in(driver.pictures, driver)
        for style in options.styles:
            for which in range(1, options.portraits + 1):
                portrait = seen_identity(style, which, asked, detector)
                own = directions(portrait.true)
                looks = directions(found_by_looks(portrait.pictures, portrait))
                records += [
                    ("drawing, by looks", looks, own),
                    ("drawing, detected", directions(portrait.detected), own),
                ]
                for landmarks in ("detected", "true"):
                    results, aligned = animated(animator, portrait, getattr(driver, landmarks))
                    measured = {
                        "aligned": directions(aligned),
                        "result, by looks": directions(found_by_looks(results, portrait)),
                        "result, detected": directions(detected(results, detector)),
                    }
                    records += [
                        (f"{step} (driver {landmarks})", found, wanted) for step, found in measured.items()
                    ]
                    if which == 1 and landmarks == "detected":
                        sheet += eyes_in(results, portrait) + eyes_in(portrait.pictures, portrait)
                print(f"{style} {which}", flush=True)
    write_picture(options.output / "glances.jpg", contact_sheet(sheet, len(SHOWN)), overwrite=True)
    write_report(options.output, records, [glance.name for glance in asked])


def seen_identity(style: str, which: int, asked: list[Glance], detector: FaceDetector) -> Drawn:
    """The next identity of a style whose face the detector sees in all glances."""
    for attempt in range(20):
        identity = random_identity(np.random.default_rng((SEED, which, attempt)), style)
        drawn = [draw_portrait(identity, glance.performance, SIZE) for glance in asked]
        pictures = [one.picture for one in drawn]
        try:
            found = np.stack([detector.detect(picture).normalised for picture in pictures])
        except FaceNotFound:
            continue
        true = np.stack([spatial_points(one) for one in drawn]) / SIZE
        return Drawn(pictures, true, found)
    raise FaceNotFound(f"The detector sees no face in 20 drawings in the style {style!r}; leave it out.")


def directions(landmarks: np.ndarray) -> np.ndarray:
    """Degrees (G, 2, 2) by which landmarks (G, 478, 3) look away from where the first ones do; NaN where there are
    none."""
    known = np.isfinite(landmarks).all(axis=(1, 2))
    faces = solve_metric_faces(landmarks[known], (SIZE, SIZE))
    gaze = measure_gaze(landmarks[known], faces, (SIZE, SIZE), Eyes.of(faces.vertices[:1]))
    result = np.full((len(landmarks), 2, 2), np.nan)
    result[known] = gaze.directions
    return result - result[:1]


def animated(
    animator: PortraitAnimator, portrait: Drawn, landmarks: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """The portrait looking ahead, driven through all glances: a result each, and its aligned landmarks (G, 478, 3)."""
    motion = motion_of(np.repeat(landmarks, HELD, axis=0), SIZE, FRAME_RATE)
    prepared = animator.prepare(portrait.pictures[0], motion)
    chosen = slice(HELD // 2, None, HELD)
    results = [np.asarray(frame) for frame in animator.frames(prepared)][chosen]
    framing = prepared.framing
    points = framing.crop.from_crop(framing.points_in_picture, len(framing.square))
    # A picture has no depth: that of the portrait serves for all, whose head hardly turns.
    depth = np.broadcast_to(portrait.detected[:1, :, 2:], (len(landmarks), 478, 1))
    return results, np.concatenate([points[chosen] / SIZE, depth], axis=2)


def detected(results: list[np.ndarray], detector: FaceDetector) -> np.ndarray:
    """Landmarks (G, 478, 3) in the results; NaN where no face is found."""
    found = np.full((len(results), 478, 3), np.nan)
    for place, picture in enumerate(results):
        try:
            found[place] = detector.detect(picture).normalised
        except FaceNotFound:
            continue
    return found


def found_by_looks(pictures: list[np.ndarray], portrait: Drawn) -> np.ndarray:
    """The true landmarks (G, 478, 3) with the irises where pictures of the portrait show them: at the highest
    correlation with the iris that looks ahead, within its rim; NaN for a picture where it is too low."""
    found = portrait.true.copy()
    ahead = portrait.points[0]
    lumas = [(picture @ LUMA).astype(np.float32) for picture in (*pictures, portrait.pictures[0])]
    for upper, _, iris in EYES:
        scale = EYE_PIXELS / float(np.linalg.norm(ahead[upper[0]] - ahead[upper[-1]]))
        radius = scale * float(np.linalg.norm(ahead[iris + 1] - ahead[iris]))
        reach = int(radius)
        wanted = cut_around(lumas[-1], ahead[iris], scale, reach)
        steps = np.arange(-reach, reach + 1)
        disc = (np.hypot(*np.meshgrid(steps, steps)) <= radius).astype(np.float32)
        for place, luma in enumerate(lumas[:-1]):
            field = cut_around(luma, ahead[iris], scale, reach + SEARCH)
            likeness = cv2.matchTemplate(field, wanted, cv2.TM_CCOEFF_NORMED, mask=disc)
            likeness[~np.isfinite(likeness)] = -1.0
            row, column = np.unravel_index(int(likeness.argmax()), likeness.shape)
            shift = (np.array([column, row]) - SEARCH) / scale
            found[place, iris : iris + 5, :2] = (ahead[iris : iris + 5] + shift) / SIZE
            if likeness[row, column] < ALIKE:
                found[place] = np.nan
    return found


SHOWN = (0, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19)  # of the glances: the far ones


def eyes_in(pictures: list[np.ndarray], who: Drawn) -> list[np.ndarray]:
    """A person's eyes in pictures of the glances that are shown."""
    corners = who.points[0, list(OUTER_EYE_CORNERS)]
    middle, half = corners.mean(axis=0), 0.62 * float(np.ptp(corners[:, 0]))
    left, right = round(middle[0] - half), round(middle[0] + half)
    top, bottom = round(middle[1] - 0.45 * half), round(middle[1] + 0.35 * half)
    return [resize_picture(pictures[place][top:bottom, left:right], (128, 52)) for place in SHOWN]


def scores(found: list[np.ndarray], wanted: list[np.ndarray]) -> dict[str, float]:
    """The columns of the table for one step: all portraits, glances and eyes together."""
    measured, true = np.concatenate(found), np.concatenate(wanted)
    known = np.isfinite(measured).all(axis=(1, 2))
    measured, true = measured[known], true[known]
    gain = (measured * true).sum(axis=(0, 1)) / (true**2).sum(axis=(0, 1))
    error = np.abs(measured - true).mean(axis=(0, 1))
    apart = np.abs((measured - true)[:, 0, 0] - (measured - true)[:, 1, 0]).mean()
    return dict(zip(COLUMNS, map(float, (*gain, *error, apart, known.mean())), strict=True))


def write_report(output: Path, records: list[tuple[str, np.ndarray, np.ndarray]], names: list[str]) -> None:
    steps = list(dict.fromkeys(step for step, _, _ in records))
    rows = {}
    for step in steps:
        own = [(found, wanted) for name, found, wanted in records if name == step]
        rows[step] = scores([found for found, _ in own], [wanted for _, wanted in own])
    digits = dict.fromkeys(COLUMNS, 1) | dict.fromkeys(("gain across", "gain up", "measured"), 2)
    table = markdown(
        [
            ["", *COLUMNS],
            *([step, *(number(row[c], digits[c]) for c in COLUMNS)] for step, row in rows.items()),
        ]
    )
    print("\n" + table)
    (output / "gaze.md").write_text(table + "\n")
    (output / "gaze.json").write_text(json.dumps({"glances": names, "steps": rows}, indent=1))


if __name__ == "__main__":
    main()
