"""Which metric moves with which damage, and how quick the metrics are.

    python benchmarks/metrics.py [--clips 8] [--frames 40] [--size 256] [--bundle face_landmarker.task]
                                 [--output results/metrics]
    python benchmarks/metrics.py --speed
    python benchmarks/metrics.py --appearance-scale

A drawn clip is its own perfect result. It is damaged in one way at a time, and every metric without a network measures
it. All results, the undamaged too, have gone through JPEG (quality 90), as those of real systems go through a codec;
what a metric says of the undamaged ones, and how that differs from clip to clip, is the unit of the table: by how many
standard deviations a damage makes the metric worse, on average. Bold is what the metric claims to see
(`Metric.sees`), and `!` marks a claim that is not kept: less than half a deviation, or worse in fewer than seven of
eight clips (a sign test of p = 0.04).

Writes table.md and a contact sheet, damages.jpg, into the output folder.

`--speed`: frames a second of all metrics on one core at 256x256, the landmarks given; and of the detector.
`--appearance-scale`: measure the appearance descriptor's scale anew and write it into the package.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from followyouremoji.benchmark.metrics import METRICS, identity, measure
from followyouremoji.benchmark.observation import Finds, Observation, Observer, SeenClip, Target
from followyouremoji.benchmark.suite import Mode
from followyouremoji.benchmark.tables import markdown
from followyouremoji.data.drawn import spatial_points
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.expressions import CONTROLS
from followyouremoji.face.gaze import Eyes, measure_gaze
from followyouremoji.face.geometry import solve_metric_faces
from followyouremoji.face.motion import Motion
from followyouremoji.media.pictures import contact_sheet, write_picture
from followyouremoji.portraits import Identity, Performance, draw_portrait, expressive_motion, random_identity

SEED = 980_000  # of identities and motions; in no suite and no training
FRAME_RATE = 25.0
STYLES = ("person", "person", "cartoon", "painting")  # take turns
QUALITY = 90
LAG = 4  # frames
SHOWN = 5  # frames of a clip on the contact sheet

Curve = Callable[[int, int], np.ndarray]


@dataclass(frozen=True, eq=False)
class DrawnCase:
    """A drawn clip that drives its own first frame; a `Known`."""

    identity: Identity
    performances: Sequence[Performance]
    truth: np.ndarray
    landmarks: np.ndarray
    mode: Mode = "self"

    @classmethod
    def of(cls, identity: Identity, performances: Sequence[Performance], size: int) -> DrawnCase:
        drawn = [draw_portrait(identity, moment, size) for moment in performances]
        landmarks = np.stack([spatial_points(one) for one in drawn]) / np.float32(size)
        return cls(identity, performances, np.stack([one.picture for one in drawn]), landmarks)

    @property
    def size(self) -> int:
        return int(self.truth.shape[1])

    @property
    def portrait(self) -> np.ndarray:
        return self.truth[0]

    @property
    def portrait_landmarks(self) -> Landmarks:
        return Landmarks(self.landmarks[0], (self.size, self.size))

    @property
    def driving(self) -> np.ndarray:
        return self.truth

    @cached_property
    def motion(self) -> Motion:
        times = np.arange(len(self.truth)) / FRAME_RATE
        found = np.ones(len(times), bool)
        return Motion(self.landmarks, times, FRAME_RATE, (self.size, self.size), "drawings", found)

    @property
    def truth_motion(self) -> Motion:
        return self.motion

    @cached_property
    def truth_gaze(self) -> np.ndarray:
        faces = solve_metric_faces(self.landmarks, (self.size, self.size))
        eyes = Eyes.of(faces.vertices)
        return measure_gaze(self.landmarks, faces, (self.size, self.size), eyes).directions.astype(np.float32)

    def performed_as(self, performances: Sequence[Performance]) -> np.ndarray:
        """The same face doing something else."""
        return np.stack([draw_portrait(self.identity, moment, self.size).picture for moment in performances])


def drawn_case(number: int, frames: int, size: int) -> DrawnCase:
    """Changing expressions and glances, and a smile in the second fifth of the clip that stays until the last."""
    rng = np.random.default_rng((SEED, number))
    who = random_identity(rng, STYLES[number % len(STYLES)])
    moments = expressive_motion(rng, frames, FRAME_RATE)
    moments = with_glances(with_smile(moments, frames // 5, 4 * frames // 5))
    return DrawnCase.of(who, moments, size)


def with_glances(moments: Sequence[Performance]) -> list[Performance]:
    """A performance whose eyes look ahead, to the right, up, to the left and down in turn."""
    directions = np.array([(0.0, 0.0), (0.6, 0.0), (0.0, 0.6), (-0.6, 0.0), (0.0, -0.6)])
    looks = directions[np.arange(len(moments)) * len(directions) // len(moments)].tolist()
    return [replace(moment, gaze=((x, y), (x, y))) for moment, (x, y) in zip(moments, looks, strict=True)]


def with_smile(moments: Sequence[Performance], first: int, last: int) -> list[Performance]:
    """A performance that smiles from one frame to another, with nothing else of the mouth."""
    smiling = np.clip(np.minimum(np.arange(len(moments)) - first, last - np.arange(len(moments))) / 4, 0, 1)
    mouth = [name for name in CONTROLS if not name.startswith(("brow", "blink", "wide", "squint"))]
    wanted = dict.fromkeys(mouth, 0.0) | {"smile_left": 1.0, "smile_right": 1.0}
    return [
        replace(moment, controls=_mixed(moment.controls, wanted, share))
        for moment, share in zip(moments, smiling, strict=True)
    ]


def _mixed(controls: Sequence[float], wanted: Mapping[str, float], share: float) -> tuple[float, ...]:
    pairs = zip(CONTROLS, controls, strict=True)
    return tuple(float((1 - share) * value + share * wanted.get(name, value)) for name, value in pairs)


def _bright(frames: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Frames (T, h, w, 3) brighter by so many levels each, (T,) or (T, 3)."""
    return np.clip(frames + levels.reshape(len(frames), 1, 1, -1), 0, 255).astype(np.uint8)


def _noisy(case: DrawnCase) -> np.ndarray:
    noise = np.random.default_rng(SEED).normal(0, 8, case.truth.shape)
    return np.clip(case.truth + noise, 0, 255).astype(np.uint8)


def _another(case: DrawnCase) -> np.ndarray:
    style = "person" if case.identity.style != "person" else "cartoon"
    return DrawnCase.of(
        random_identity(np.random.default_rng(SEED), style), case.performances, case.size
    ).truth


def _frozen(case: DrawnCase) -> np.ndarray:
    frame = np.arange(len(case.truth))
    first, last = len(frame) // 4, len(frame) // 2
    return case.truth[np.where((frame >= first) & (frame < last), first, frame)]


def _still_eyes(case: DrawnCase) -> np.ndarray:
    return case.performed_as(
        [replace(moment, gaze=case.performances[0].gaze) for moment in case.performances]
    )


def _still_mouth(case: DrawnCase) -> np.ndarray:
    held = dict(zip(CONTROLS, case.performances[0].controls, strict=True))
    held = {
        name: value
        for name, value in held.items()
        if not name.startswith(("brow", "blink", "wide", "squint"))
    }
    return case.performed_as(
        [replace(moment, controls=_mixed(moment.controls, held, 1.0)) for moment in case.performances]
    )


def _late_smile(case: DrawnCase) -> np.ndarray:
    """A third of the clip later: the mouth rests meanwhile."""
    frames = len(case.truth)
    first, late = frames // 5, frames // 5 + frames // 3
    rest = {name: 0.0 for name in CONTROLS if not name.startswith(("brow", "blink", "wide", "squint"))}
    moments = [
        replace(moment, controls=_mixed(moment.controls, rest, float(first <= frame < late)))
        for frame, moment in enumerate(case.performances)
    ]
    return case.performed_as(moments)


def _lost_face(case: DrawnCase) -> np.ndarray:
    """A face that cannot be recognised for a quarter of the clip."""
    frames, quarter = case.truth.copy(), len(case.truth) // 4
    for frame in range(2 * quarter, 3 * quarter):
        frames[frame] = cv2.GaussianBlur(frames[frame], (0, 0), 0.08 * case.size)
    return frames


def _flickering(case: DrawnCase) -> np.ndarray:
    return _bright(case.truth, np.random.default_rng(SEED).normal(0, 3, len(case.truth)))


def _with_seam(case: DrawnCase) -> np.ndarray:
    return _bright(case.truth, 6.0 * (np.arange(len(case.truth)) >= len(case.truth) // 2))


def _drifting(case: DrawnCase) -> np.ndarray:
    return _bright(case.truth, np.linspace(0, 1, len(case.truth))[:, None] * [14.0, -4.0, -14.0])


DAMAGES: dict[str, Callable[[DrawnCase], np.ndarray]] = {
    "blur": lambda case: np.stack([cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in case.truth]),
    "noise": _noisy,
    "colour shift": lambda case: _bright(case.truth, np.tile([12.0, -4.0, -12.0], (len(case.truth), 1))),
    "pixel shift": lambda case: np.roll(case.truth, 1, axis=2),
    "lag": lambda case: case.truth[np.maximum(np.arange(len(case.truth)) - LAG, 0)],
    "another identity": _another,
    "frozen frames": _frozen,
    "still eyes": _still_eyes,
    "still mouth": _still_mouth,
    "late smile": _late_smile,
    "lost face": _lost_face,
    "brightness flicker": _flickering,
    "seam": _with_seam,
    "slow drift": _drifting,
}
"""Each gives the damaged frames, uint8 (T, S, S, 3), of a case."""


def through_codec(frames: np.ndarray) -> np.ndarray:
    """Frames as they come out of JPEG."""
    coded = [
        cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1] for frame in frames
    ]
    return np.stack([cv2.imdecode(one, cv2.IMREAD_COLOR)[..., ::-1] for one in coded])


def measured(observer: Observer, case: DrawnCase, frames: np.ndarray) -> dict[str, float]:
    """All metrics of a result, by name."""
    return {one.metric: one.value for one in measure(observer.observe(case, through_codec(frames)))}


@dataclass(frozen=True)
class Effect:
    """Of a damage on a metric: by how many standard deviations of undamaged clips it is worse, on average, and in what
    share of the clips."""

    deviations: float
    share: float

    def kept(self) -> bool:
        """Whether the metric sees the damage."""
        return self.deviations >= 0.5 and self.share >= 0.875


def effects(
    clean: Sequence[Mapping[str, float]], damaged: Sequence[Mapping[str, float]]
) -> dict[str, Effect]:
    """By metric, of the figures of several clips."""
    found = {}
    for metric in METRICS:
        if metric.name not in clean[0]:
            continue
        before, after = (np.array([one[metric.name] for one in rows]) for rows in (clean, damaged))
        worse = (before - after) if metric.better == "more" else (after - before)
        spread = max(float(np.nanstd(before, ddof=1)), 10.0**-metric.digits)
        found[metric.name] = Effect(float(np.nanmean(worse)) / spread, float((worse > 0).mean()))
    return found


def damage_table(
    clean: Sequence[Mapping[str, float]], damaged: Mapping[str, Sequence[Mapping[str, float]]]
) -> str:
    """In Markdown, a row a metric: its mean undamaged, and its effects. Bold is what it claims to see."""
    table = {damage: effects(clean, rows) for damage, rows in damaged.items()}
    rows = [["", "undamaged", *table]]
    for metric in METRICS:
        if metric.name not in clean[0]:
            continue
        mean = np.nanmean([figures[metric.name] for figures in clean])
        cells = [metric.title, f"{mean:.{metric.digits}f}"]
        for damage, row in table.items():
            effect = row[metric.name]
            cell = _short(effect.deviations)
            if damage in metric.sees:
                cell = f"**{cell}**" + ("" if effect.kept() else " !")
            cells.append(cell)
        rows.append(cells)
    return markdown(rows)


def _short(deviations: float) -> str:
    if abs(deviations) >= 99.5:
        return ">99" if deviations > 0 else "<-99"
    return f"{deviations:.1f}" if abs(deviations) < 9.95 else f"{deviations:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--bundle", type=Path, help="with blendshapes")
    parser.add_argument("--output", type=Path, default=Path("results/metrics"))
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--appearance-scale", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.appearance_scale:
        identity.measured_scale(256).save(Path(identity.__file__).parent / "data" / "appearance.npz")
    elif options.speed:
        print_speed()
    else:
        with Observer(options.bundle) as observer:
            print_damages(observer, options)


def print_damages(observer: Observer, options: argparse.Namespace) -> None:
    clean: list[dict[str, float]] = []
    damaged: dict[str, list[dict[str, float]]] = {name: [] for name in DAMAGES}
    sheet: list[np.ndarray] = []
    shown = np.linspace(options.frames // 8, options.frames - 1, SHOWN).astype(int)
    for number in range(options.clips):
        case = drawn_case(number, options.frames, options.size)
        clean.append(measured(observer, case, case.truth))
        if number == 0:
            sheet += list(case.truth[shown])
        for name, damage in DAMAGES.items():
            frames = damage(case)
            damaged[name].append(measured(observer, case, frames))
            if number == 0:
                sheet += list(frames[shown])
        print(f"clip {number + 1} of {options.clips}", flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    write_picture(options.output / "damages.jpg", contact_sheet(sheet, SHOWN), overwrite=True)
    table = damage_table(clean, damaged)
    (options.output / "table.md").write_text(table + "\n")
    print("\n" + table)


def print_speed(frames: int = 64, size: int = 256, rounds: int = 7) -> None:
    case = drawn_case(0, frames, size)
    result = through_codec(np.roll(case.truth, 1, axis=2))
    with Observer() as observer:
        observer.look(result[:2])
        begun = time.process_time()
        found = {id(clip): observer.look(clip) for clip in (result, case.truth)}
        looked = (time.process_time() - begun) / 2

    def given(clip: np.ndarray) -> Finds:
        return found[id(clip)]

    def target() -> Target:
        return Target(case, given)

    def seconds(once: Callable[[], Target]) -> float:
        taken = []
        for _ in range(rounds):
            against = once()
            begun = time.process_time()
            measure(Observation(SeenClip(result, against.places, given), against))
            taken.append(time.process_time() - begun)
        return min(taken)

    seconds(target)
    first, known = seconds(target), target()
    again = seconds(lambda: known)
    print(f"all metrics without networks, {size}x{size}, one core, frames a second:")
    print(f"  landmarks given                          {frames / first:6.1f}")
    print(f"  the same, another system on the same case {frames / again:6.1f}")
    print(f"  with the detector on results and truth    {frames / (first + 2 * looked):6.1f}")


if __name__ == "__main__":
    main()
