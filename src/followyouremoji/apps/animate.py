"""`fye animate`: a portrait and a driving in, a clip or a picture out. torch is imported when all files are checked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from followyouremoji.apps.bundled import driving_path, portrait_path
from followyouremoji.apps.driving import Driving, FrameRange, detect, tracked
from followyouremoji.apps.jobs import Job, Recipe, recipe
from followyouremoji.apps.output import advice_on_gpu_memory, check_output, note, progress_bar, say
from followyouremoji.errors import ClipError, SettingsError
from followyouremoji.face.alignment import AlignmentSettings
from followyouremoji.face.detection import FaceDetector
from followyouremoji.files import remove_unfinished
from followyouremoji.media.pictures import PICTURE_ENDINGS, read_picture, side_by_side, write_picture
from followyouremoji.media.writing import CLIP_ENDINGS, ClipWriter, check_sides
from followyouremoji.preparation import Prepared, middle_square
from followyouremoji.settings import SPEEDS, AnimationSettings

if TYPE_CHECKING:
    import torch

    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.sampling.denoising import Tally

DRAWN_ONLY = (
    "Note: the bundled model is trained on drawn portraits only; photographs and paintings follow the motion, but their "
    "mouths and eyes that open come out soft and drawn-like. The released weights (fye weights download) are made for photographs."
)
LESS_MEMORY = "give --offload, --batch 1, a smaller --window (fewer frames at once) or a smaller --size, or end what else uses the GPU"
LARGE_PICTURE = 256  # pixels; above it a CPU is slow
TALLEST_ROW = 1024  # pixels; beside each other, pictures of a phone's camera would be wider than clips can be


@dataclass(frozen=True)
class Output:
    """What is written, and where. `path` None: a name made of both inputs' names, in the current folder."""

    path: Path | None = None
    side_by_side: bool = False
    sound: bool = True
    overwrite: bool = False

    def named(self, portrait: Path, driving: Driving) -> Path:
        """The path to write."""
        ending = PICTURE_ENDINGS[0] if driving.expected_frames == 1 else CLIP_ENDINGS[0]
        return self.path or Path(f"{portrait.stem}_{driving.path.stem}{ending}")

    def described(self, path: Path) -> dict[str, str | bool]:
        """What a job notes of its result."""
        return {"output": str(path.resolve()), "side_by_side": self.side_by_side, "sound": self.sound}

    def resolved(self, portrait: Path, driving: Driving) -> Path:
        """The path to write, checked; raises ClipError where it cannot be written."""
        path = self.named(portrait, driving)
        self.check(path, driving)
        return path

    def check(self, path: Path, driving: Driving) -> None:
        """Raise ClipError where `path` cannot be written."""
        one_frame = driving.expected_frames == 1
        endings = (*PICTURE_ENDINGS, *CLIP_ENDINGS, "") if one_frame else (*CLIP_ENDINGS, "")
        if not one_frame and path.suffix.lower() in set(PICTURE_ENDINGS) - set(CLIP_ENDINGS):
            raise ClipError(
                f"{path} is a picture's name, but {driving.path} has many frames: give a name that ends in "
                f"{', '.join(CLIP_ENDINGS)}, or one frame with --start and --stop"
            )
        check_output(path, tuple(dict.fromkeys(endings)), self.overwrite, ClipError, "the result")


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
    job_folder: Path | None = None,
    offload: bool | None = None,
    compiled: bool = False,
) -> None:
    """Animate a portrait and tell where the result is. Raises UserError for whatever cannot be used.

    With a `job_folder` the run can be broken off, and goes on when the same is asked for again.
    """
    started = time.monotonic()
    if output.side_by_side and settings.loop == "pingpong":
        raise SettingsError(
            "the driving cannot be shown beside a loop that goes back and forth: leave out --side-by-side, or give --loop blend"
        )
    portrait_file = portrait_path(portrait)
    picture = read_picture(portrait_file)
    source = Driving(driving_path(driving), frames)
    path = output.named(portrait_file, source)
    with ExitStack() as stack:
        stack.enter_context(advice_on_gpu_memory(LESS_MEMORY))
        job = None
        if job_folder is not None:
            asked = asked_for(
                portrait_file, source, weights, device, dtype, loras, smooth, alignment, settings, compiled
            )
            job = stack.enter_context(Job(job_folder, asked))
            if job.finished == output.described(path) and path.exists() and not output.overwrite:
                say(f"{path}: the job in {job_folder} is finished.")
                return
        output.check(path, source)
        if not output.side_by_side and settings.crop is not False and settings.paste_back is not False:
            check_sides(path, (picture.shape[1], picture.shape[0]))  # the result is as large as the portrait
        if job is not None:
            remove_unfinished(path.parent, path.name)
        with FaceDetector(settings.detector_bundle) as detector:
            landmarks = detect(detector, picture, settings.face, str(portrait_file))
            if settings.crop is False:
                middle_square(picture, landmarks.points)  # a face outside it should not cost the tracking
            loader = stack.enter_context(ThreadPoolExecutor(1, "loading"))
            loading = loader.submit(load_animator, weights, device, dtype, loras, settings, offload, compiled)
            kept = None if job is None else job.motion()
            motion = kept
            if motion is None:
                motion = tracked(source, detector, settings.driving_face, smooth, loading)
            animator = loading.result()
            if job is not None and kept is None:  # now that nothing can be refused any more
                motion = job.keep_motion(motion)
        tell_limits(animator, weights, settings, job is not None)
        prepared = animator.prepare(
            picture, motion, alignment=alignment, settings=settings, portrait_landmarks=landmarks
        )
        from followyouremoji.sampling.denoising import Tally

        tally = Tally()
        has_sound = write(path, output, source, prepared, animator, settings, job, tally)
        if job is not None and job.finished != output.described(path):
            job.finish(output.described(path))
    what = counted(len(prepared))
    if len(prepared) > 1:
        rate = prepared.motion.frame_rate
        what += f", {len(prepared) / rate:.1f} s at {rate:g} frames a second"
    took = time.monotonic() - started
    say(f"{path}: {what}{', with sound' if has_sound else ''}; made in {took:.0f} s{told(tally)}.")


def told(tally: Tally) -> str:
    """What --speed saved, and what it took."""
    if not tally.told:
        return ""
    passes, memory = tally.computed + tally.told, tally.bytes / 2**20
    return f", {tally.computed} of {passes} passes computed and the others forecast from {memory:.1f} MB of memory"


def counted(frames: int) -> str:
    return "1 frame" if frames == 1 else f"{frames} frames"


def asked_for(
    portrait: Path,
    driving: Driving,
    weights: str,
    device: str | None,
    dtype: str | None,
    loras: Sequence[str],
    smooth: float,
    alignment: AlignmentSettings,
    settings: AnimationSettings,
    compiled: bool = False,
) -> Recipe:
    """All that a result depends on, for a job. Several equal devices give what one of them gives, so they are named once."""
    import torch

    from followyouremoji.animator import split_devices
    from followyouremoji.checkpoints.lora import parse_lora
    from followyouremoji.checkpoints.model import choose_device, choose_dtype
    from followyouremoji.checkpoints.sources import find_checkpoint

    devices = [choose_device(one) for one in split_devices(device)]
    names = [torch.cuda.get_device_name(one) if one.type == "cuda" else one.type for one in devices]
    return recipe(
        portrait,
        driving.path,
        find_checkpoint(weights),
        [parse_lora(text) for text in loras],
        {
            "device": ", ".join(dict.fromkeys(names)),
            "dtype": str(torch_type(dtype) or choose_dtype(devices[0])).removeprefix("torch."),
            "torch": torch.__version__,
            "compiled": compiled,
            "smooth": smooth,
            "driving's": driving.frames,
            "alignment's": alignment,
            "setting": settings,
        },
    )


def load_animator(
    weights: str,
    device: str | None,
    dtype: str | None,
    loras: Sequence[str],
    settings: AnimationSettings,
    offload: bool | None = None,
    compiled: bool = False,
) -> PortraitAnimator:
    """The model with its LoRAs, each `FILE` or `FILE:SCALE`; raises UserError where they or `settings` do not fit it."""
    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.checkpoints.lora import parse_lora

    animator = PortraitAnimator.from_pretrained(
        weights, device, torch_type(dtype), offload=offload, compile=compiled
    )
    for text in loras:
        animator.load_lora(*parse_lora(text))
    animator.check(settings)
    return animator


def tell_limits(
    animator: PortraitAnimator, weights: str, settings: AnimationSettings, store: bool = False
) -> None:
    """What a user should know of a model, and of the settings with it; `store` says whether a job keeps what is finished."""
    from followyouremoji.sampling.forecast import EXACT

    if weights == "bundled":
        note(DRAWN_ONLY)
    if animator.model.device.type == "cpu" and animator.model.config.picture_size > LARGE_PICTURE:
        note(
            "Note: this model is large for a CPU and will take long; fewer --steps, a smaller --size or a --stop "
            "make it quicker."
        )
    sampling = animator.sampling(settings)
    if sampling.scenes_at_once and (animator.replicas or store or (settings.batch or 1) > 1):
        note(
            f"Note: with the strategy {sampling.strategy!r} all windows of a scene advance together. Several devices share scenes, --batch has "
            "nothing to join, and a job is kept scene by scene."
        )
    found = animator.acceleration and animator.acceleration.forecast(settings.speed, sampling.steps)
    if settings.speed in SPEEDS and found is None and sampling.forecast != EXACT:
        note(
            f"Note: what --speed {settings.speed} loses at {sampling.steps} steps has not been measured for this model; fye calibrate does, "
            "--speed exact is sure to lose nothing."
        )


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
    job: Job | None = None,
    tally: Tally | None = None,
) -> bool:
    """Generate the frames and write them as they come, counting passes; returns whether the result has sound.

    Where nothing is replaced, the job notes the result just before it gets its name: after a kill between the two, a note without a file
    is written again from the job's latents, while a file without a note would be taken for somebody else's.
    """

    def note_result() -> None:
        if job is not None and not path.exists():
            job.finish(output.described(path))

    with ExitStack() as stack:
        advance = stack.enter_context(progress_bar("Animating"))
        frames = animator.frames(prepared, settings, advance, job, tally)
        stack.callback(frames.close)  # ends the networks' thread, whatever happens here
        rows: Iterator[np.ndarray] = frames
        size = prepared.output_size
        if output.side_by_side:
            size = row_size(driving, prepared)
            rows = rows_beside(driving, prepared, rows)
        if len(prepared) == 1 and path.suffix.lower() in PICTURE_ENDINGS:
            only = next(rows)
            note_result()
            write_picture(path, only, output.overwrite)
            return False
        with ClipWriter(
            path,
            prepared.motion.frame_rate,
            size,
            sound_from=driving.sound if output.sound and prepared.loop != "pingpong" else None,
            sound_start=float(prepared.motion.timestamps[0]),
            overwrite=output.overwrite,
        ) as writer:
            for row in rows:
                writer.write(row)
            note_result()
        return writer.has_sound


def rows_beside(driving: Driving, prepared: Prepared, results: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Driving frame, landmarks, portrait and result in a row, for every frame."""
    for index, (picture, result) in enumerate(zip(driving.pictures(prepared.motion), results, strict=False)):
        yield row(picture, index, result, prepared)


def row(picture: np.ndarray, index: int, result: np.ndarray, prepared: Prepared) -> np.ndarray:
    """A driving frame, its landmarks, the portrait and the result, uint8 (h, w, 3) each, at the result's height or less."""
    tiles = [picture, prepared.landmark_picture(index), prepared.still, result]
    return side_by_side(tiles, height=min(result.shape[0], TALLEST_ROW))


def row_size(driving: Driving, prepared: Prepared) -> tuple[int, int]:
    """(width, height) of the rows, known before a frame is generated."""
    width, height = prepared.output_size
    blank = np.zeros((height, width, 3), np.uint8)
    first = row(next(driving.pictures(prepared.motion)), 0, blank, prepared)
    return first.shape[1], first.shape[0]
