"""PortraitAnimator: a portrait and a motion in, frames out. The method of Sec. 3, each step a line."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event

import numpy as np
import torch

from followyouremoji.checkpoints.lora import Merged, merge_lora, read_lora
from followyouremoji.checkpoints.model import Model, choose_device, load_model
from followyouremoji.errors import SettingsError
from followyouremoji.face.alignment import AlignmentSettings
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.timeline import timeline
from followyouremoji.generation import finish, generate
from followyouremoji.media.ranges import WHOLE, ClipRange
from followyouremoji.networks.compiling import compile_regions, compiler_problem
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.prefetch import prefetch
from followyouremoji.preparation import Prepared, prepare
from followyouremoji.sampling.denoising import Tally
from followyouremoji.sampling.guidance import pass_bytes, room_for_passes
from followyouremoji.sampling.presets import preset
from followyouremoji.sampling.sampler import LatentStore, Progress
from followyouremoji.sampling.settings import SamplingSettings, check_fits
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import MotionSource, PortraitSource

__all__ = [
    "AlignmentSettings",
    "AnimationSettings",
    "PortraitAnimator",
]

DECODED_AHEAD = 2  # pieces of the clip, while a frame is finished and written
MOST_AT_ONCE = 8  # segments; more gain nothing


class Abandoned(Exception):
    """Ends the networks' thread at its next step when nobody waits for frames any more: a segment of a large model can
    take long."""


class PortraitAnimator:
    """Animates portraits with one model.

    >>> animator = PortraitAnimator.from_pretrained("bundled")
    >>> for frame in animator("portrait.png", "driving.mp4"): ...
    """

    def __init__(self, model: Model, replicas: Sequence[Model] = ()) -> None:
        """Use a model, and `replicas` of it on other devices that make parts of long clips at the same time."""
        self.models = (model, *replicas)
        self._merged: list[tuple[Model, Merged]] = []
        self._changed = ExitStack()  # holds the networks that LoRAs are merged into

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path = "bundled",
        device: torch.device | str | Sequence[torch.device | str] | None = None,
        dtype: torch.dtype | None = None,
        *,
        offload: bool | None = None,
        compile: bool = False,
    ) -> PortraitAnimator:
        """Load a model: "bundled", "released" or a checkpoint's folder; see `checkpoints.model.load_model`.

        Of several devices, `("cuda:0", "cuda:1")` or "cuda:0,cuda:1", each holds the whole model and makes other parts
        of a long clip; equal devices give the same frames as one of them alone.

        With `offload` memory holds either the networks that read a portrait or the denoiser; each portrait after the
        first costs their loading again, and frames are the same to the bit. None: where models are large for the
        device's memory. A network that a LoRA has changed stays in memory until the LoRA is unloaded.

        With `compile` torch compiles the denoiser, each part when it first meets a size of picture, a length of window
        and a number of segments: that takes minutes, so it is meant for GPUs and long clips. Results round differently.
        Raises SettingsError where torch finds no compiler.
        """
        first, *others = split_devices(device)
        if compile:
            for one in (first, *others):
                check_compiler(choose_device(one))
        model = load_model(source, first, dtype, offload=offload)
        replicas = [load_model(source, other, model.dtype, offload=offload) for other in others]
        if compile:
            for made in (model, *replicas):
                compile_regions(made.networks.denoiser, made.device)
        return cls(model, replicas)

    @property
    def model(self) -> Model:
        """The model on the first device."""
        return self.models[0]

    @property
    def loras(self) -> list[Merged]:
        """What is merged into the model now, in the order of loading."""
        return [merged for model, merged in self._merged if model is self.model]

    def load_lora(self, file: str | Path, scale: float = 1.0) -> None:
        """Add a LoRA (`fye train lora`) to the model's weights, on top of those that are there; costs nothing while
        animating.

        `scale` 1 is as it was trained, 0.5 half of it. Raises WeightsError, with the model unchanged, for a file that
        is no LoRA or belongs to another model.
        """
        lora = read_lora(Path(file))
        with ExitStack() as stack:
            for model in self.models:
                stack.enter_context(model.using(*lora.networks))
            self._merged += [(model, merge_lora(model, lora, scale, str(file))) for model in self.models]
            self._changed.push(stack.pop_all())

    def unload_lora(self) -> None:
        """Take all LoRAs out: the weights are exactly what they were before the first."""
        while self._merged:
            model, merged = self._merged.pop()
            merged.undo(model)
        self._changed.close()

    def __call__(
        self,
        portrait: PortraitSource,
        motion: MotionSource,
        *,
        alignment: AlignmentSettings | None = None,
        settings: AnimationSettings | None = None,
        clip_range: ClipRange = WHOLE,
        progress: Progress | None = None,
    ) -> Iterator[np.ndarray]:
        """Animate a portrait.

        Faces are found before this returns; frames are generated as they are asked for.

        Parameters
        ----------
        portrait : uint8 (height, width, 3), or (height, width, 4) with opacity, a Pillow image, or a path.
        motion : a Motion, the path of a motion file, clip or picture, or a picture.
        clip_range : the part of a clip or a motion file that is used.
        progress : called with the denoising steps done and the steps in all.

        Returns
        -------
        One uint8 (height, width, 3) for each frame of the motion, of `Prepared.output_size`; of a transparent portrait
        (height, width, 4), with straight colours and the opacity bent as they are.

        Raises
        ------
        UserError : a file, face or setting that cannot be used; see `preparation.prepare` and `AnimationSettings`.
        """
        settings = settings or AnimationSettings()
        self.check(settings)  # a setting that does not fit should not cost the tracking of a clip
        prepared = self.prepare(
            portrait, motion, alignment=alignment, settings=settings, clip_range=clip_range
        )
        return self.frames(prepared, settings, progress)

    def check(self, settings: AnimationSettings) -> None:
        """Raise SettingsError for settings that do not fit this model."""
        self._check_size(settings.size or self.model.config.picture_size)
        self.sampling(settings)
        self.guidance_scale(settings)

    def prepare(
        self,
        portrait: PortraitSource,
        motion: MotionSource,
        *,
        alignment: AlignmentSettings | None = None,
        settings: AnimationSettings | None = None,
        clip_range: ClipRange = WHOLE,
        portrait_landmarks: Landmarks | None = None,
    ) -> Prepared:
        """Frame the portrait and align the motion for this model; see `preparation.prepare`."""
        config = self.model.config
        settings = settings or AnimationSettings()
        self._check_size(settings.size or config.picture_size)
        return prepare(
            portrait,
            motion,
            size=config.picture_size,
            style=config.landmark_style,
            in_picture=config.landmark_points == "image",
            face_alone=config.framing == "window",
            always_crop=config.network.layout
            == "paper",  # this project trains them on squares around the face
            alignment=alignment,
            settings=settings,
            clip_range=clip_range,
            portrait_landmarks=portrait_landmarks,
        )

    def frames(
        self,
        prepared: Prepared,
        settings: AnimationSettings | None = None,
        progress: Progress | None = None,
        store: LatentStore | None = None,
        tally: Tally | None = None,
    ) -> Generator[np.ndarray, None, None]:
        """Generate the frames of what `prepare` returned, lazily. What concerns framing and loops was decided there.

        Networks run in a thread of their own, a little ahead of the frames that are asked for; it calls `progress` and
        `store`, which keeps what is finished of a long clip, and counts in `tally` the passes that were computed and
        forecast. Memory does not grow with the clip but by its landmarks (some 25 kB a frame), unless the strategy is
        "windows" or "tiles", which hold a scene's latents, or the loop is "pingpong", which holds all of them, or
        "blend" in a clip with cuts, which begins with its last scene. Closing the iterator ends the thread.

        Raises SettingsError, before the first frame, for settings that do not fit the model.
        """
        settings = settings or AnimationSettings()
        sampling = self.sampling(settings)
        self._check_size(prepared.size)
        scale = self.guidance_scale(settings)
        return self._frames(prepared, sampling, scale, progress, store, tally)

    def _frames(
        self,
        prepared: Prepared,
        sampling: SamplingSettings,
        guidance_scale: float,
        progress: Progress | None,
        store: LatentStore | None,
        tally: Tally | None,
    ) -> Generator[np.ndarray, None, None]:
        course = timeline(prepared.points_in_picture, prepared.loop)
        stopped = Event()

        def counted(done: int, total: int) -> None:
            if stopped.is_set():
                raise Abandoned
            if progress is not None:
                progress(done, total)

        decoded = generate(self.models, prepared, course, sampling, guidance_scale, counted, store, tally)
        shown = 0
        with ExitStack() as stack:
            pieces = stack.enter_context(closing(prefetch(decoded, DECODED_AHEAD)))
            stack.callback(stopped.set)  # first of both
            for piece in pieces:
                for pose, result, coded in piece:
                    if shown == len(prepared) or course.shown[shown] != pose:
                        continue  # where a ping-pong turns
                    frame = int(course.frames[pose])
                    finished = finish(self.model, prepared, frame, result, coded)
                    while shown < len(prepared) and course.shown[shown] == pose:
                        yield finished
                        shown += 1

    def guidance_scale(self, settings: AnimationSettings) -> float:
        """The guidance scale, the model's own where the user left it open. Raises SettingsError for one above 1 where
        the model is not `guided`."""
        config = self.model.config
        scale = config.guidance_scale if settings.guidance_scale is None else settings.guidance_scale
        if scale > 1 and not config.guided:
            raise SettingsError(
                f"This model never learnt to do without the portrait, which guidance needs: use a guidance scale of 1, not {scale:g}."
            )
        return scale

    def sampling(self, settings: AnimationSettings) -> SamplingSettings:
        """The sampler's settings, with the model's own where the user left them open."""
        config = self.model.config
        strategy = settings.long_clips
        if strategy == "auto":
            strategy = "keyframes" if config.makes_keyframes else "windows"
        elif strategy in ("keyframes", "chain") and not config.makes_keyframes:
            raise SettingsError(
                f"This model was not trained to go on from known frames, which {strategy!r} needs: use 'windows' or 'tiles' for long clips."
            )
        steps = config.steps if settings.steps is None else settings.steps
        sampling = SamplingSettings(
            steps=steps,
            seed=settings.seed,
            shared_noise=config.shared_noise if settings.shared_noise is None else settings.shared_noise,
            window=config.window if settings.window is None else settings.window,
            strategy=strategy,
            batch=self._batch(settings) if settings.batch is None else settings.batch,
            cache=preset(settings.speed),
        )
        check_fits(sampling, config.network)
        return sampling

    def _batch(self, settings: AnimationSettings) -> int:
        """How many segments to make at once: those that each of the GPUs holds; on a CPU one fills all cores.

        It follows from settings and hardware alone, not from the memory that is free at the time, so that a clip comes
        out the same again.
        """
        devices, config = [model.device for model in self.models], self.model.config
        if any(device.type != "cuda" for device in devices):
            return 1
        side = (settings.size or config.picture_size) // LATENT_STRIDE
        halves = 2 if self.guidance_scale(settings) > 1 else 1
        window, itemsize = settings.window or config.window, self.model.dtype.itemsize
        segment = halves * pass_bytes(config.network, window, side, side, itemsize)
        return max(1, min(MOST_AT_ONCE, min(map(room_for_passes, devices)) // segment))

    def _check_size(self, size: int) -> None:
        """Every level of the denoiser halves the latents, so their size must be divisible that often."""
        multiple = self.model.config.network.picture_multiple
        if size % multiple:
            nearest = max(multiple, round(size / multiple) * multiple)
            raise SettingsError(
                f"The size must be a multiple of {multiple} pixels for this model, not {size}: use {nearest}."
            )


def check_compiler(device: torch.device) -> None:
    """Raise SettingsError where torch cannot compile for a device."""
    problem = compiler_problem(device)
    if problem is not None:
        needed = "Triton" if device.type == "cuda" else "a C++ compiler, such as g++"
        raise SettingsError(
            f"torch cannot compile for {device} here ({problem}): install {needed}, or leave out compiling, which only saves time"
        )


def split_devices(
    device: torch.device | str | Sequence[torch.device | str] | None,
) -> list[torch.device | str | None]:
    """The devices that a user names, one or several, "cuda:0,cuda:1" as well as a list; `[None]` leaves the choice
    open.

    Raises SettingsError for a list of none.
    """
    if device is None or isinstance(device, torch.device):
        return [device]
    named = device.split(",") if isinstance(device, str) else list(device)
    devices = [one.strip() if isinstance(one, str) else one for one in named]
    if not devices or "" in devices:
        raise SettingsError(
            f"{device!r} names no device; give one such as cpu or cuda, or several: cuda:0,cuda:1"
        )
    return list(devices)
