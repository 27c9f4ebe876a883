"""PortraitAnimator: a portrait and a motion in, frames out. The method of Sec. 3, each step a line."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np
import torch

from followyouremoji.checkpoints.lora import read_lora, with_loras
from followyouremoji.checkpoints.model import (
    Model,
    choose_device,
    load_model,
    outline_model,
    split_devices,
)
from followyouremoji.distribution import Distribution
from followyouremoji.errors import SettingsError
from followyouremoji.executors import Executor
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face_finder import FaceFinder
from followyouremoji.finishing import finished_frames
from followyouremoji.framing import ModelFraming
from followyouremoji.generation import Generating, Generation
from followyouremoji.live.session import LiveSession
from followyouremoji.media.ranges import WHOLE, ClipRange
from followyouremoji.model_settings import check_size, guidance_scale, sampling_settings
from followyouremoji.networks.compiling import check_compiler, compile_regions
from followyouremoji.preparation import prepare_faces
from followyouremoji.prepared import Prepared, PreparedGroup
from followyouremoji.sampling.sampler import LatentStore, Progress, Tally
from followyouremoji.sampling.settings import SamplingSettings
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import Face, MotionSource, Portrait, PortraitSource, choose_faces

__all__ = [
    "AlignmentSettings",
    "AnimationSettings",
    "PortraitAnimator",
]

Loras = Sequence[tuple[str | Path, float]]
"""Files of LoRAs, each with its scale: 1 as it was trained."""


class PortraitAnimator:
    """Animates portraits with one model.

    >>> animator = PortraitAnimator.from_pretrained("bundled")
    >>> for frame in animator("portrait.png", "driving.mp4"): ...
    """

    def __init__(
        self,
        model: Model,
        replicas: Sequence[Model] = (),
        *,
        compile: bool = False,
        load: Callable[[], Model] | None = None,
    ) -> None:
        """Use a model, and `replicas` of it on other devices that make parts of long clips at the same time; `compile`
        their denoisers, see `from_pretrained`. The workers of an executor `load` it; where that is not said, they are
        sent the model itself."""
        self.models = (model, *replicas)
        self._load = load or partial(_itself, model)
        self.faces = FaceFinder()  # remembers what `prepare` found
        self._compile = compile
        self._with_loras: tuple[object, tuple[Model, ...]] | None = None  # of the last call that had some
        self._adding = Lock()
        if compile and model.device.type != "meta":
            compile_denoisers(self.models)

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path = "bundled",
        device: torch.device | str | Sequence[torch.device | str] | None = None,
        dtype: torch.dtype | None = None,
        *,
        offload: bool | None = None,
        compile: bool = False,
        decoder: str | Path = "full",
    ) -> PortraitAnimator:
        """Load a model: "bundled", "released" or a checkpoint's folder; see `checkpoints.model.load_model`.

        Of several devices, `("cuda:0", "cuda:1")` or "cuda:0,cuda:1", each holds the whole model and makes other parts
        of a long clip, always the same ones.

        With `offload` memory holds either the networks that read a portrait or the denoiser; each portrait after the
        first costs their loading again, and frames are the same to the bit. None: where models are large for the
        device's memory.

        With `compile` torch compiles the denoiser, each part when it first meets a size of picture, a length of window
        and a number of segments: that takes minutes, so it is meant for GPUs and long clips. Results round differently.
        Raises SettingsError where torch finds no compiler.

        A `decoder` other than "full" makes pictures of latents much more quickly, for previews and live use: "small",
        or a file; see `load_model`.
        """
        first, *others = split_devices(device)
        if compile:
            for one in (first, *others):
                check_compiler(choose_device(one))
        model = load_model(source, first, dtype, offload=offload, decoder=decoder)
        replicas = [
            load_model(source, other, model.dtype, offload=offload, decoder=decoder) for other in others
        ]
        load = partial(load_model, source, first, dtype, offload=offload, decoder=decoder)
        return cls(model, replicas, compile=compile, load=load)

    @classmethod
    def on_workers(
        cls,
        source: str | Path = "bundled",
        device: str | None = None,
        dtype: torch.dtype | None = None,
        *,
        offload: bool | None = None,
        compile: bool = False,
        decoder: str | Path = "full",
    ) -> PortraitAnimator:
        """An animator that holds no weights: the workers of the executor that `frames` is given load them, each on a
        device of its own. Parameters as of `from_pretrained`; `source` and `decoder` must lead to the same files
        everywhere. Raises SettingsError for several devices."""
        if len(split_devices(device)) > 1:
            raise SettingsError(
                f"each worker runs on one device: name one such as cuda, or none, not {device}",
                settings=("device",),
            )
        load = partial(load_model, source, device, dtype, offload=offload, decoder=decoder)
        return cls(outline_model(source), compile=compile, load=load)

    @property
    def model(self) -> Model:
        """The model on the first device."""
        return self.models[0]

    def __call__(
        self,
        portrait: PortraitSource,
        motion: MotionSource | Mapping[Face, MotionSource],
        *,
        faces: Face | Sequence[int] = None,
        alignment: AlignmentSettings | None = None,
        settings: AnimationSettings | None = None,
        clip_range: ClipRange = WHOLE,
        portrait_landmarks: Landmarks | None = None,
        loras: Loras = (),
        progress: Progress | None = None,
    ) -> Iterator[np.ndarray]:
        """Animate one face of a portrait, or several.

        Faces are found before this returns; frames are generated as they are asked for.

        Parameters
        ----------
        portrait : uint8 (height, width, 3), or (height, width, 4) with opacity, a Pillow image, or a path.
        motion : a Motion, the path of a motion file, clip or picture, or a picture; or one for each face that moves, by
            the face's number: `{1: "a.mp4", 2: "b.mp4"}`.
        faces : which of the portrait's faces move, counted from 1, the furthest to the left: a number, several, or
            "all"; None for the largest.
        clip_range : the part of a clip or a motion file that is used.
        portrait_landmarks : of its face, which is then not looked for; `fit_face` makes them of a few points.
        loras : files of `fye train lora` with their scales, which are added to the weights for this clip.
        progress : called with the denoising steps done and the steps in all.

        Returns
        -------
        One uint8 (height, width, 3) for each frame of the longest motion, of `Prepared.output_size`; of a transparent
        portrait (height, width, 4), with straight colours and the opacity warped as they are.

        Raises
        ------
        UserError : a file, face or setting that cannot be used; see `preparation.prepare` and `AnimationSettings`.
        """
        settings = settings or AnimationSettings()
        self.check(settings, loras)  # what does not fit should not cost the tracking of a clip
        prepared = self.prepare_faces(
            portrait,
            by_face(motion, faces),
            alignment=alignment,
            settings=settings,
            clip_range=clip_range,
            portrait_landmarks=portrait_landmarks,
        )
        return self.frames(prepared, settings, loras=loras, progress=progress)

    def check(self, settings: AnimationSettings, loras: Loras = ()) -> None:
        """Raise SettingsError for settings that do not fit this model, and WeightsError for LoRAs that do not."""
        check_size(self.model.config, settings.size)
        self.sampling(settings)
        self.guidance_scale(settings)
        self.models_with(loras)

    def prepare(
        self,
        portrait: PortraitSource | Portrait,
        motion: MotionSource,
        *,
        face: int | None = None,
        alignment: AlignmentSettings | None = None,
        settings: AnimationSettings | None = None,
        clip_range: ClipRange = WHOLE,
        portrait_landmarks: Landmarks | None = None,
    ) -> Prepared:
        """Frame one face of a portrait, number `face` from the left or the largest, and align the motion for this
        model; see `preparation.prepare_faces`."""
        group = self.prepare_faces(
            portrait,
            {face: motion},
            alignment=alignment,
            settings=settings,
            clip_range=clip_range,
            portrait_landmarks=portrait_landmarks,
        )
        return group.faces[0]

    def prepare_faces(
        self,
        portrait: PortraitSource | Portrait,
        motions: Mapping[Face, MotionSource],
        *,
        alignment: AlignmentSettings | None = None,
        settings: AnimationSettings | None = None,
        clip_range: ClipRange = WHOLE,
        portrait_landmarks: Landmarks | None = None,
    ) -> PreparedGroup:
        """Frame the faces of a portrait that move, and align to each its motion for this model; see
        `preparation.prepare_faces`."""
        config, settings = self.model.config, settings or AnimationSettings()
        check_size(config, settings.size)
        return prepare_faces(
            portrait,
            motions,
            ModelFraming.of(config),
            alignment=alignment,
            settings=settings,
            clip_range=clip_range,
            portrait_landmarks=portrait_landmarks,
            faces=self.faces,
        )

    def frames(
        self,
        prepared: Prepared | PreparedGroup,
        settings: AnimationSettings | None = None,
        *,
        loras: Loras = (),
        progress: Progress | None = None,
        stores: Sequence[LatentStore] = (),
        tally: Tally | None = None,
        executor: Executor | None = None,
    ) -> Generator[np.ndarray, None, None]:
        """Generate the frames of what `prepare` or `prepare_faces` returned, lazily; several faces advance together.
        What concerns framing and loops was decided there.

        `loras` are added to the model's weights for this clip alone: each a file (`fye train lora`) and its scale, 1 as
        it was trained, 0.5 half of it.

        Networks run in a thread of their own, a little ahead of the frames that are asked for; it calls `progress` and
        `stores`, one for each face, which keep what is finished of a long clip, and counts in `tally` the passes that
        were computed and forecast. Memory grows with the clip by each face's landmarks (some 25 kB a frame) and by the
        latents of its keyframes; the strategies "windows" and "tiles" hold the latents of a scene, and the loop
        "pingpong" those of all frames. Closing the iterator ends the thread.

        The workers of an `executor` make the segments of a level at the same time (`distribution`); frames are equal
        within rounding. Pictures of keyframes, and with "pingpong" of all frames, are then kept here until they
        are shown.

        Raises SettingsError, before the first frame, for settings that do not fit the model, and WeightsError for a
        file that is no LoRA or belongs to another model. Later WorkerLost, where workers end again and again.
        """
        settings = settings or AnimationSettings()
        sampling = self.sampling(settings)
        group = PreparedGroup((prepared,)) if isinstance(prepared, Prepared) else prepared
        for face in group.faces:
            check_size(self.model.config, face.size)
        scale, every = self.guidance_scale(settings), settings.speed == "exact"
        models = self.models_with(loras)
        make: Callable[..., Generating]
        if executor is not None:
            load = partial(_ready, self._load, tuple(loras), self._compile)
            make = partial(Distribution, executor, load, sampling, scale)
        elif models[0].device.type == "meta":
            raise SettingsError("this animator holds no weights: give an executor whose workers load them")
        else:
            make = partial(Generation, models, sampling, scale)
        return finished_frames(group, make, sampling, every, progress, stores, tally)

    def live(
        self,
        portrait: PortraitSource | Portrait,
        *,
        face: int | None = None,
        portrait_landmarks: Landmarks | None = None,
        alignment: AlignmentSettings | None = None,
        settings: AnimationSettings | None = None,
        loras: Loras = (),
        size: int | None = None,
    ) -> LiveSession:
        """Begin to animate a portrait with a face that is being filmed: see `LiveSession`.

        Parameters
        ----------
        face : the one that moves, its number from the left; None is the largest.
        alignment : may be changed while the session runs; it has no numbered frames, so no `neutral` one.
        settings : `frame_rate`, `loop` and `batch` are not read.
        size : of the portrait's longer side, and so of the frames', pixels; it is not enlarged. None keeps it.

        Raises as `__call__`.
        """
        settings = replace(settings or AnimationSettings(), loop="off")
        self.check(settings, loras)
        found = self.faces.portrait(portrait, (face,), settings.detector_bundle, portrait_landmarks)
        (number,) = choose_faces(found, (face,), settings)
        return LiveSession(
            self.models_with(loras)[0],
            found,
            number,
            self.faces,
            self.sampling(settings),
            self.guidance_scale(settings),
            alignment or AlignmentSettings(),
            settings,
            size,
        )

    def models_with(self, loras: Loras) -> tuple[Model, ...]:
        """The model on each device with LoRAs added to its weights: models of their own, which share all else with it.

        Those of the last call are kept while its files stay as they are. Raises WeightsError as `frames`.
        """
        if not loras:
            return self.models
        files = [(Path(file), scale) for file, scale in loras]
        with self._adding:  # for several threads at once
            key = [
                (file.resolve(), file.is_file() and file.stat().st_mtime_ns, scale) for file, scale in files
            ]
            if self._with_loras is not None and self._with_loras[0] == key:
                return self._with_loras[1]
            wanted = [(read_lora(file), scale, str(file)) for file, scale in files]
            self._with_loras = None  # two changed copies of large networks may not fit in memory
            models = tuple(with_loras(model, wanted) for model in self.models)
            if self._compile:
                compile_denoisers(models)
            self._with_loras = key, models
            return models

    def guidance_scale(self, settings: AnimationSettings) -> float:
        """See `model_settings.guidance_scale`."""
        return guidance_scale(self.model.config, settings)

    def sampling(self, settings: AnimationSettings) -> SamplingSettings:
        """See `model_settings.sampling_settings`."""
        return sampling_settings(self.models, settings)


def _itself(model: Model) -> Model:
    """A model that is sent to workers as it is."""
    return model


def _ready(load: Callable[[], Model], loras: Loras, compile: bool) -> Model:
    """A worker's model, with LoRAs."""
    return PortraitAnimator(load(), compile=compile).models_with(loras)[0]


def by_face(
    motion: MotionSource | Mapping[Face, MotionSource], faces: Face | Sequence[int]
) -> Mapping[Face, MotionSource]:
    """What drives which face. Raises SettingsError where both say which faces these are."""
    if isinstance(motion, Mapping):
        if faces is not None:
            raise SettingsError("The motions are named by face already: leave out the faces.")
        return motion
    several = [faces] if faces is None or isinstance(faces, (int, str)) else faces
    return dict.fromkeys(several, motion)


def compile_denoisers(models: Sequence[Model]) -> None:
    for model in models:
        compile_regions(model.networks.denoiser, model.device)
