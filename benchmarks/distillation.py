"""A teacher and its students of few steps on drawn people whom nobody trained on: against the truth, and against what
the teacher makes of the same noise.

    python benchmarks/distillation.py TEACHER STUDENT... [--guidance 2] [--steps 30] [--clips 12] [--frames 8]
                                      [--output results/distillation]

TEACHER and STUDENT are models' folders. Rows: the warped portrait, where the models generate relative to it; the
teacher with all its steps and guidance; the teacher in the students' steps, with guidance and without; the students.

*to the teacher* is the face's L1 distance to the first of the teacher's rows: a student that has learnt everything has
that of rounding. *sharpness* is the standard deviation of the luma's Laplacian over the truth's. *passes* are those of
the denoiser over a clip, *time* is processor time as a share of the first row's, reading and decoding included.

Prints the table and writes distillation.md and a sheet of the last frames into the output folder.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from followyouremoji.benchmark.tables import markdown
from followyouremoji.checkpoints import Model, load_model
from followyouremoji.data.drawn import Drawn
from followyouremoji.face.drawing import expression_mask, face_mask
from followyouremoji.face.timeline import Timeline
from followyouremoji.fidelity import l1, ssim
from followyouremoji.generation import generate
from followyouremoji.media.pictures import write_picture
from followyouremoji.sampling.settings import SamplingSettings
from followyouremoji.training.picks import ClipPicks, FramedPicks, Pick
from followyouremoji.training.validation import PickedClip, joined

SEED = 970_000  # of the people; in no suite and no training
NOISE_SEED = 3
SHEET_ROWS, TILE = 6, 160  # people on the sheet, and pixels a side


@dataclass(frozen=True)
class System:
    """A model as it is sampled."""

    model: Model
    steps: int
    guidance: float

    @property
    def name(self) -> str:
        guided = "" if self.guidance == 1 else f", guidance {self.guidance:g}"
        return f"{self.model.config.name}, {self.steps} step{'s' * (self.steps > 1)}{guided}"

    @property
    def passes(self) -> int:
        return self.steps * (1 if self.guidance == 1 else 2)

    def clip(self, pick: Pick) -> np.ndarray:
        """uint8 (frames, size, size, 3)."""
        config, frames = self.model.config, len(pick.targets)
        shown = PickedClip(pick, config.landmark_style, config.network.warped_reference)
        settings = SamplingSettings(
            steps=self.steps,
            seed=NOISE_SEED,
            shared_noise=config.shared_noise,
            window=max(3, min(frames, config.window)),
            strategy="keyframes" if config.makes_keyframes else "windows",
        )
        made = generate([self.model], shown, Timeline.straight(frames), settings, self.guidance)
        return np.stack([picture for _, picture, _ in made])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("teacher", type=Path)
    parser.add_argument("students", type=Path, nargs="+")
    parser.add_argument("--guidance", type=float, help="the teacher's; its own by default")
    parser.add_argument("--steps", type=int, default=30, help="the teacher's")
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--output", type=Path, default=Path("results/distillation"))
    options = parser.parse_args()
    teacher = load_model(options.teacher, "cpu", torch.float32)
    students = [load_model(folder, "cpu", torch.float32) for folder in options.students]
    guidance = options.guidance or teacher.config.guidance_scale
    few = sorted({student.config.steps for student in students}, reverse=True)
    scales = sorted({1.0, guidance}, reverse=True)
    systems = [
        System(teacher, options.steps, guidance),
        *(System(teacher, steps, scale) for steps in few for scale in scales),
        *(System(student, student.config.steps, 1.0) for student in students),
    ]
    picks = held_out(teacher, options.clips, options.frames)
    rows = [
        ["", "passes", "time", "to the teacher ↓", "face L1 ↓", "features L1 ↓", "SSIM ↑", "sharpness"],
    ]
    sheet = [[pick.portrait, pick.targets[-1]] for pick in picks[:SHEET_ROWS]]
    if teacher.config.network.warped_reference:
        warps = [pick.warped_portraits(pick.points) for pick in picks]
        rows.append(["warped portrait", "0", "–", "–", *figures(picks, warps)])
    first: list[np.ndarray] = []
    seconds = 0.0
    for system in systems:
        begun = time.process_time()
        made = [system.clip(pick) for pick in picks]
        spent = time.process_time() - begun
        first, seconds = first or made, seconds or spent
        away = np.mean(
            [l1(one, other, faces(pick)) for one, other, pick in zip(made, first, picks, strict=True)]
        )
        rows.append(
            [
                system.name,
                str(system.passes),
                f"{spent / seconds:.3f}",
                f"{away:.4f}",
                *figures(picks, made),
            ]
        )
        print(" | ".join(rows[-1]), flush=True)
        for row, clip in zip(sheet, made, strict=False):
            row.append(clip[-1])
    options.output.mkdir(parents=True, exist_ok=True)
    table = markdown(rows)
    (options.output / "distillation.md").write_text(table + "\n", encoding="utf-8")
    tiles = [[cv2.resize(tile, (TILE, TILE), interpolation=cv2.INTER_CUBIC) for tile in row] for row in sheet]
    write_picture(
        options.output / "distillation.png", joined([joined(row, 1) for row in tiles], 0), overwrite=True
    )
    print(table)


def held_out(teacher: Model, clips: int, frames: int) -> list[Pick]:
    """Portraits and successive frames of drawn people, framed as the models generate them."""
    config = teacher.config
    window = config.picture_size if config.framing == "window" else None
    drawn = Drawn(size=config.picture_size * (2 if window else 1), seed=SEED)
    source = FramedPicks(ClipPicks(drawn, frames + 8), window, config.landmark_pupils)
    return [source.pick(i, np.random.default_rng((SEED, i)), frames, successive=True) for i in range(clips)]


def faces(pick: Pick) -> np.ndarray:
    return np.stack([face_mask(points, pick.targets.shape[1:3]) for points in pick.points[1:]])


def figures(picks: list[Pick], made: list[np.ndarray]) -> list[str]:
    """Means over the clips: L1 of the face and around its features, SSIM, sharpness as a share of the truth's."""
    rows = []
    for pick, clip in zip(picks, made, strict=True):
        features = np.stack([expression_mask(points, clip.shape[1:3]) for points in pick.points[1:]])
        rows.append(
            [
                l1(clip, pick.targets, faces(pick)),
                l1(clip, pick.targets, features),
                np.mean([ssim(*pair) for pair in zip(clip, pick.targets, strict=True)]),
                sharpness(clip) / sharpness(pick.targets),
            ]
        )
    means = np.mean(rows, axis=0)
    return [f"{means[0]:.4f}", f"{means[1]:.4f}", f"{means[2]:.4f}", f"{means[3]:.2f}"]


def sharpness(clip: np.ndarray) -> float:
    """The standard deviation of the luma's Laplacian, a mean over frames."""
    luma = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
    return float(np.mean([cv2.Laplacian(one, cv2.CV_32F).std() for one in luma]))


if __name__ == "__main__":
    main()
