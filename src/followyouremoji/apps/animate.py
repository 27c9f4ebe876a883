"""`fye animate`: a portrait and a driving in, a clip or a picture out. torch is imported when all files are checked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from followyouremoji.apps.bundled import driving_path, portrait_landmarks, portrait_path
from followyouremoji.apps.driving import Driving, tracked
from followyouremoji.apps.jobs import Job, Recipe, recipe
from followyouremoji.apps.output import advice_on_gpu_memory, counted, note, progress_bar, say
from followyouremoji.apps.result import Output, row_size, rows_beside
from followyouremoji.errors import SettingsError
from followyouremoji.face.alignment import AlignmentSettings
from followyouremoji.face.detection import FaceDetector
from followyouremoji.files import clear_stale, is_taken
from followyouremoji.media.pictures import (
    BACKGROUND,
    PICTURE_ENDINGS,
    read_layers,
    resize_picture,
    write_picture,
)
from followyouremoji.media.ranges import ClipRange
from followyouremoji.media.writing import ClipWriter, check_sides
from followyouremoji.prefetch import prefetch
from followyouremoji.preparation import Prepared
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import find_portrait

if TYPE_CHECKING:
    import torch

    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.sampling.sampler import Tally

DRAWN_ONLY = (
    "Note: the bundled model is trained on drawn portraits only; photographs and paintings follow the motion, but their "
    "mouths and eyes that open come out soft and drawn-like. The released weights (fye weights download) are made for photographs."
)
LESS_MEMORY = "give --offload, --batch 1, a smaller --window (fewer frames at once) or a smaller --size, or end what else uses the GPU"
LARGE_PICTURE = 256  # pixels; above it a CPU is slow
WAITING_BYTES, LEAST_WAITING, MOST_WAITING = 1 << 26, 2, 64
"""Bytes of finished frames that may wait for the encoder (what a model finishes at once at 512 pixels a side), and how
many frames at least and at most."""


@dataclass(frozen=True)
class ModelChoice:
    """Which model animates, and how it is run.

    Attributes
    ----------
    weights : bundled, released, or a checkpoint's folder.
    device : cuda, cuda:1, mps or cpu, or several; None: a GPU if there is one.
    dtype : fp32, fp16 or bf16; None: the device's best.
    loras : each `FILE` or `FILE:SCALE`.
    offload, compiled : see `PortraitAnimator.from_pretrained`.
    """

    weights: str = "bundled"
    device: str | None = None
    dtype: str | None = None
    loras: tuple[str, ...] = ()
    offload: bool | None = None
    compiled: bool = False

    def load(self, settings: AnimationSettings) -> PortraitAnimator:
        """The model with its LoRAs; raises UserError where they or `settings` do not fit it."""
        from followyouremoji.animator import PortraitAnimator

        animator = PortraitAnimator.from_pretrained(
            self.weights, self.device, self.torch_type, offload=self.offload, compile=self.compiled
        )
        animator.check(settings, self.lora_files)
        return animator

    @property
    def torch_type(self) -> torch.dtype | None:
        """`dtype` as torch's type; None stays None."""
        import torch

        types = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
        return None if self.dtype is None else types[self.dtype]

    @property
    def lora_files(self) -> list[tuple[Path, float]]:
        """The LoRAs' files with their scales."""
        from followyouremoji.checkpoints.lora import parse_lora

        return [parse_lora(text) for text in self.loras]

    def described(self) -> dict[str, str | bool]:
        """What a result depends on beside the files. Several equal devices give what one of them gives, so they are
        named once.

        Raises SettingsError for devices that differ, since which of them makes a part is a matter of chance.
        """
        import torch

        from followyouremoji.animator import split_devices
        from followyouremoji.checkpoints.model import choose_device, choose_dtype

        devices = [choose_device(one) for one in split_devices(self.device)]
        name, *others = dict.fromkeys(device_name(one) for one in devices)
        if others:
            raise SettingsError(
                f"a job can be resumed to the bit on equal devices only, and {name} and {others[0]} differ: give equal ones, or leave out --job"
            )
        return {
            "device": name,
            "dtype": str(self.torch_type or choose_dtype(devices[0])).removeprefix("torch."),
            "torch": torch.__version__,
            "compiled": self.compiled,
        }


def device_name(device: torch.device) -> str:
    """A device by what rounding depends on: a processor shares sums among its threads, in the words that it is built
    for."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return f"cpu ({torch.backends.cpu.get_cpu_capability()}, threads: {torch.get_num_threads()})"
    return device.type


def animate(
    portrait: str,
    driving: str,
    output: Output,
    choice: ModelChoice,
    *,
    clip_range: ClipRange,
    smooth: float,
    alignment: AlignmentSettings,
    settings: AnimationSettings,
    job_folder: Path | None = None,
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
    layers = read_layers(portrait_file)
    source = Driving(driving_path(driving), clip_range, settings.frame_rate)
    path = output.named(portrait_file, source)
    picture = output.portrait(layers, path, source.frame_rate)
    scaled = None if picture.shape[:2] == layers.shape[:2] else f"{picture.shape[1]}x{picture.shape[0]}"
    del layers  # a large one would be in memory all the while
    with ExitStack() as stack:
        stack.enter_context(advice_on_gpu_memory(LESS_MEMORY))
        job = None
        if job_folder is not None:
            asked = asked_for(portrait_file, scaled, source, choice, smooth, alignment, settings)
            job = stack.enter_context(Job(job_folder, asked))
            clear_stale(path.parent, path.name)
            if job.finished == output.described(path) and is_taken(path) and not output.overwrite:
                say(f"{path}: the job in {job_folder} is finished.")
                return
        output.check(path, source)
        if not output.side_by_side and settings.crop is not False and settings.paste_back is not False:
            check_sides(path, (picture.shape[1], picture.shape[0]))  # the result is as large as the portrait
        output.check_room(path, picture, source)
        if scaled is not None:
            note(output.note_on_bound(portrait_file, path, scaled, source.frame_rate))
        with FaceDetector(settings.detector_bundle) as detector:
            found = find_portrait(
                detector, picture, settings, str(portrait_file), portrait_landmarks(portrait_file)
            )
            del picture
            loader = ThreadPoolExecutor(1, "loading")
            stack.callback(loader.shutdown, wait=False)  # Ctrl-C need not wait for torch
            loading = loader.submit(choice.load, settings)
            kept = None if job is None else job.motion()
            motion = kept
            if motion is None:
                motion = tracked(source, detector, settings.driving_face, smooth, loading)
            animator = loading.result()
            if job is not None and kept is None:  # now that nothing can be refused any more
                motion = job.keep_motion(motion)
        tell_limits(animator, choice.weights, settings, job is not None)
        prepared = animator.prepare(
            found.layers, motion, alignment=alignment, settings=settings, portrait_landmarks=found.landmarks
        )
        for sentence in (*found.notes, *prepared.notes):
            note(f"Note: {sentence}")
        from followyouremoji.sampling.sampler import Tally

        tally = Tally()
        has_sound = write(path, output, source, prepared, animator, settings, choice.lora_files, job, tally)
        if job is not None and job.finished != output.described(path):
            job.finish(output.described(path))
    what = counted(len(prepared))
    if len(prepared) > 1:
        rate = prepared.motion.frame_rate
        what += f", {len(prepared) / rate:.1f} s at {rate:g} frames a second"
    took = time.monotonic() - started
    say(
        f"{path}: {what}{', with sound' if has_sound else ''}; made in {took:.0f} s{saved_by_forecasts(tally)}."
    )


def saved_by_forecasts(tally: Tally) -> str:
    """What --speed saved."""
    if not tally.forecast:
        return ""
    return f", {tally.computed} of {tally.computed + tally.forecast} passes computed and the others forecast"


def asked_for(
    portrait: Path,
    scaled: str | None,
    driving: Driving,
    choice: ModelChoice,
    smooth: float,
    alignment: AlignmentSettings,
    settings: AnimationSettings,
) -> Recipe:
    """All that a result depends on, for a job."""
    from followyouremoji.checkpoints.sources import find_checkpoint

    return recipe(
        portrait,
        driving.path,
        find_checkpoint(choice.weights),
        choice.lora_files,
        {
            "size of the portrait": scaled,
            **choice.described(),
            "smooth": smooth,
            "part of the driving": str(driving.clip_range),
            "alignment's": alignment,
            "setting": settings,
        },
    )


def tell_limits(
    animator: PortraitAnimator, weights: str, settings: AnimationSettings, store: bool = False
) -> None:
    """What a user should know of a model, and of the settings with it; `store` says whether a job keeps what is
    finished."""
    if weights == "bundled":
        note(DRAWN_ONLY)
    if animator.model.device.type == "cpu" and animator.model.config.picture_size > LARGE_PICTURE:
        note(
            "Note: this model is large for a CPU and will take long; fewer --steps, a smaller --size or a --stop "
            "make it quicker."
        )
    name, *others = dict.fromkeys(device_name(one.device) for one in animator.models)
    if others:
        note(
            f"Note: {name} and {others[0]} round differently, and each makes what comes when it is free: the same command gives slightly other "
            "frames every time."
        )
    sampling = animator.sampling(settings)
    if sampling.scenes_at_once and (len(animator.models) > 1 or store or (settings.batch or 1) > 1):
        note(
            f"Note: with the strategy {sampling.strategy!r} all windows of a scene advance together. Several devices share scenes, --batch has "
            "nothing to join, and a job is kept scene by scene."
        )
    if weights != "bundled" and sampling.forecasts:
        note(
            f"Note: what --speed {settings.speed} loses was measured on the bundled model alone; --speed exact is sure to lose nothing."
        )


def write(
    path: Path,
    output: Output,
    driving: Driving,
    prepared: Prepared,
    animator: PortraitAnimator,
    settings: AnimationSettings,
    loras: Sequence[tuple[Path, float]],
    job: Job | None,
    tally: Tally,
) -> bool:
    """Generate the frames and write them as they come, counting passes; returns whether the result has sound.

    Where nothing is replaced, the job notes the result just before it gets its name: after a kill between the two, a
    note without a file is written again from the job's latents, while a file without a note would be taken for somebody
    else's.
    """

    def note_result() -> None:
        if job is not None and not is_taken(path):
            job.finish(output.described(path))

    with ExitStack() as stack:
        advance = stack.enter_context(progress_bar("Animating"))
        frames = animator.frames(prepared, settings, loras=loras, progress=advance, store=job, tally=tally)
        stack.callback(frames.close)  # ends the networks' thread, whatever happens here
        rows: Iterator[np.ndarray] = frames
        size = prepared.output_size
        if output.side_by_side:
            size = row_size(driving, prepared)
            rows = rows_beside(driving, prepared, rows, output.background or BACKGROUND)
        fitting = output.fitting(path, size, prepared.motion.frame_rate)
        if fitting != size:  # rows, and squares that are not put back, may be larger than the portrait
            size, rows = fitting, (resize_picture(row, fitting) for row in rows)
        if len(prepared) == 1 and path.suffix.lower() in PICTURE_ENDINGS:
            only = next(rows)
            note_result()
            write_picture(path, only, output.overwrite, background=output.background)
            return False
        with ClipWriter(
            path,
            prepared.motion.frame_rate,
            size,
            sound_from=driving.sound if output.sound and prepared.loop != "pingpong" else None,
            sound_start=float(prepared.motion.timestamps[0]),
            overwrite=output.overwrite,
            background=output.background,
        ) as writer:
            waiting = min(max(WAITING_BYTES // (3 * size[0] * size[1]), LEAST_WAITING), MOST_WAITING)
            with closing(prefetch(rows, waiting)) as finished:
                for row in finished:
                    writer.write(row)
            note_result()
        return writer.has_sound
