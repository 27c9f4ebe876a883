"""`fye animate`: a portrait and a driving in, a clip or a picture out. torch is imported when all files are checked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from followyouremoji.apps.bundled import driving_path, portrait_path
from followyouremoji.apps.driving import Driving, FrameRange, detect, tracked
from followyouremoji.apps.output import check_output, note, progress_bar, say
from followyouremoji.errors import ClipError, SettingsError
from followyouremoji.face.alignment import AlignmentSettings
from followyouremoji.face.detection import FaceDetector
from followyouremoji.media.pictures import PICTURE_ENDINGS, read_picture, side_by_side, write_picture
from followyouremoji.media.writing import CLIP_ENDINGS, ClipWriter
from followyouremoji.preparation import AnimationSettings, Prepared

if TYPE_CHECKING:
    import torch

    from followyouremoji.animator import PortraitAnimator

DRAWN_ONLY = (
    "Note: the bundled model is trained on drawn portraits only; photographs and paintings follow the motion, but their "
    "mouths and eyes that open come out soft and drawn-like. The released weights (fye weights download) are made for photographs."
)
LARGE_PICTURE = 256  # pixels; above it a CPU is slow


@dataclass(frozen=True)
class Output:
    """What is written, and where. `path` None: a name made of both inputs' names, in the current folder."""

    path: Path | None = None
    side_by_side: bool = False
    sound: bool = True
    overwrite: bool = False

    def resolved(self, portrait: Path, driving: Driving) -> Path:
        """The path to write, checked; raises ClipError where it cannot be written."""
        one_frame = driving.expected_frames == 1
        ending = PICTURE_ENDINGS[0] if one_frame else CLIP_ENDINGS[0]
        path = self.path or Path(f"{portrait.stem}_{driving.path.stem}{ending}")
        endings = (*PICTURE_ENDINGS, *CLIP_ENDINGS, "") if one_frame else (*CLIP_ENDINGS, "")
        if not one_frame and path.suffix.lower() in set(PICTURE_ENDINGS) - set(CLIP_ENDINGS):
            raise ClipError(
                f"{path} is a picture's name, but {driving.path} has many frames: give a name that ends in "
                f"{', '.join(CLIP_ENDINGS)}, or one frame with --start and --stop"
            )
        check_output(path, tuple(dict.fromkeys(endings)), self.overwrite, ClipError, "the result")
        return path


def animate(
    portrait: str,
    driving: str,
    output: Output,
    *,
    weights: str,
    device: str | None,
    dtype: str | None,
    frames: FrameRange,
    smooth: float,
    alignment: AlignmentSettings,
    settings: AnimationSettings,
    loras: Sequence[str] = (),
) -> None:
    """Animate a portrait and tell where the result is. Raises UserError for whatever cannot be used."""
    started = time.monotonic()
    portrait_file = portrait_path(portrait)
    picture = read_picture(portrait_file)
    source = Driving(driving_path(driving), frames)
    path = output.resolved(portrait_file, source)
    with FaceDetector(settings.detector_bundle) as detector:
        landmarks = detect(detector, picture, settings.face, str(portrait_file))
        animator = load_animator(weights, device, dtype, loras)
        animator.check(settings)
        motion = tracked(source, detector, settings.driving_face, smooth)
    prepared = animator.prepare(
        picture, motion, alignment=alignment, settings=settings, portrait_landmarks=landmarks
    )
    has_sound = write(path, output, source, prepared, animator, settings)
    took = time.monotonic() - started
    what = (
        "1 frame"
        if len(motion) == 1
        else f"{len(motion)} frames, {len(motion) / motion.frame_rate:.1f} s at {motion.frame_rate:g} frames a second"
    )
    say(f"{path}: {what}{', with sound' if has_sound else ''}; made in {took:.0f} s.")


def load_animator(
    weights: str, device: str | None, dtype: str | None, loras: Sequence[str] = ()
) -> PortraitAnimator:
    """The model with its LoRAs, each `FILE` or `FILE:SCALE`, and with what a user should know of it told."""
    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.checkpoints.lora import parse_lora

    animator = PortraitAnimator.from_pretrained(weights, device, torch_type(dtype))
    for text in loras:
        animator.load_lora(*parse_lora(text))
    if weights == "bundled":
        note(DRAWN_ONLY)
    if animator.model.device.type == "cpu" and animator.model.config.picture_size > LARGE_PICTURE:
        note(
            "Note: this model is large for a CPU and will take long; fewer --steps, a smaller --size or a --stop "
            "make it quicker."
        )
    return animator


def torch_type(name: str | None) -> torch.dtype | None:
    """fp32, fp16 or bf16 as torch's type; None stays None, the device's best."""
    import torch

    types = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    return None if name is None else types[name]


def write(
    path: Path,
    output: Output,
    driving: Driving,
    prepared: Prepared,
    animator: PortraitAnimator,
    settings: AnimationSettings,
) -> bool:
    """Generate the frames and write them as they come; returns whether the result has sound."""
    import torch

    with progress_bar("Animating") as advance:
        rows = animator.frames(prepared, settings, advance)
        size = prepared.output_size
        if output.side_by_side:
            size = row_size(driving, prepared)
            rows = rows_beside(driving, prepared, rows)
        try:
            if len(prepared) == 1 and path.suffix.lower() in PICTURE_ENDINGS:
                write_picture(path, next(rows), output.overwrite)
                return False
            with ClipWriter(
                path,
                prepared.motion.frame_rate,
                size,
                sound_from=driving.sound if output.sound else None,
                sound_start=float(prepared.motion.timestamps[0]),
                overwrite=output.overwrite,
            ) as writer:
                for row in rows:
                    writer.write(row)
            return writer.has_sound
        except torch.OutOfMemoryError as error:
            raise SettingsError(
                "the GPU has too little free memory: give a smaller --window (fewer frames at once), a smaller --size, "
                "or --dtype fp16"
            ) from error


def rows_beside(driving: Driving, prepared: Prepared, results: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Driving frame, landmarks, portrait and result in a row, for every frame."""
    for index, (picture, result) in enumerate(zip(driving.pictures(prepared.motion), results, strict=False)):
        yield row(picture, index, result, prepared)


def row(picture: np.ndarray, index: int, result: np.ndarray, prepared: Prepared) -> np.ndarray:
    portrait = prepared.portrait if prepared.paste_back else prepared.picture
    return side_by_side([picture, prepared.landmark_picture(index), portrait, result], height=result.shape[0])


def row_size(driving: Driving, prepared: Prepared) -> tuple[int, int]:
    """(width, height) of the rows, known before a frame is generated."""
    width, height = prepared.output_size
    blank = np.zeros((height, width, 3), np.uint8)
    first = row(next(driving.pictures(prepared.motion)), 0, blank, prepared)
    return first.shape[1], first.shape[0]
