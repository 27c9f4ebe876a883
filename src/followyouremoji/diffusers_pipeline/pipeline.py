"""FollowYourEmojiPipeline: the method as users of diffusers know its pipelines."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from PIL import Image
from torch import Tensor
from transformers import PreTrainedModel

from followyouremoji import model_settings
from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.encoders import StableDiffusionAutoencoder
from followyouremoji.checkpoints.model import Model, load_model
from followyouremoji.diffusers_pipeline.arguments import (
    check_callback_tensors,
    check_output_type,
    scale_of_loras,
    settings_of_call,
)
from followyouremoji.diffusers_pipeline.assembly import assemble, config_of_components, suit_device
from followyouremoji.diffusers_pipeline.conversion import (
    CARD_FILE,
    NETWORKS,
    check_folder,
    settings_of,
)
from followyouremoji.diffusers_pipeline.driving import driving_motion
from followyouremoji.diffusers_pipeline.hub import fetch, upload
from followyouremoji.diffusers_pipeline.loras import WEIGHTS_NAME, Adapters
from followyouremoji.diffusers_pipeline.model_card import model_card
from followyouremoji.diffusers_pipeline.outputs import (
    FollowYourEmojiPipelineOutput,
    OutputType,
    as_output,
)
from followyouremoji.diffusers_pipeline.parts import (
    AppearanceNetModel,
    DenoiserModel,
    LandmarkEncoderModel,
    QFormerModel,
    SmallAutoencoderModel,
)
from followyouremoji.diffusers_pipeline.scheduler import DenoisingByScheduler, FollowYourEmojiScheduler
from followyouremoji.diffusers_pipeline.stages import latents, pictures, sampled
from followyouremoji.errors import SettingsError
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.timeline import Timeline, timeline
from followyouremoji.face_finder import FaceFinder
from followyouremoji.framing import ModelFraming
from followyouremoji.generation import read_portrait
from followyouremoji.model_settings import check_size, sampling_settings
from followyouremoji.numpy_threads import without_numpy_threads
from followyouremoji.preparation import prepare
from followyouremoji.sampling.settings import SamplingSettings
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import MotionSource, PortraitSource

UPLOADING = ("repo_id", "commit_message", "private", "token", "create_pr")
"""Options of `save_pretrained` on uploading."""

StepCallback = Callable[[Any, int, Tensor, dict[str, Any]], Mapping[str, Any] | None]


class FollowYourEmojiPipeline(DiffusionPipeline):
    """Animates portraits, as `PortraitAnimator` does, with schedulers and in the manner of diffusers.

    >>> pipe = FollowYourEmojiPipeline.from_checkpoint("bundled")
    >>> frames = pipe("portrait.png", "driving.mp4").frames[0]

    Parameters
    ----------
    denoiser, appearance_net, landmark_encoder : the networks; see `networks.FollowYourEmoji`.
    vae : `SmallAutoencoderModel`, or Stable Diffusion's.
    scheduler : any of diffusers' for networks that predict v.
    qformer, image_encoder : of the image prompt, where the model has them.
    model : what the model's config says but for sizes; see `checkpoints.config.ModelConfig`.

    Raises WeightsError for networks that are not of one model.
    """

    model_cpu_offload_seq = "image_encoder->appearance_net->denoiser"  # type: ignore[assignment]
    _exclude_from_cpu_offload = ["landmark_encoder", "qformer", "vae"]  # noqa: RUF012 (they are small)
    _optional_components = ["qformer", "image_encoder"]  # noqa: RUF012
    _callback_tensor_inputs: ClassVar[list[str]] = ["latents"]

    def __init__(
        self,
        denoiser: DenoiserModel,
        appearance_net: AppearanceNetModel,
        landmark_encoder: LandmarkEncoderModel,
        vae: SmallAutoencoderModel | AutoencoderKL,
        scheduler: SchedulerMixin,
        qformer: QFormerModel | None = None,
        image_encoder: PreTrainedModel | None = None,
        model: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.register_modules(  # type: ignore[no-untyped-call]
            denoiser=denoiser,
            appearance_net=appearance_net,
            landmark_encoder=landmark_encoder,
            vae=vae,
            scheduler=scheduler,
            qformer=qformer,
            image_encoder=image_encoder,
        )
        self.register_to_config(model=model or {})  # type: ignore[no-untyped-call]
        self._assembly: tuple[tuple[Any, ...], Model] | None = None
        self._adapters = Adapters()
        self._faces = FaceFinder()
        self._guidance_scale, self._num_timesteps, self._interrupt = 1.0, 0, False
        self._assembled()  # which says what does not fit

    @classmethod
    def from_checkpoint(
        cls, source: str | Path = "bundled", dtype: torch.dtype = torch.float32
    ) -> FollowYourEmojiPipeline:
        """A pipeline of "bundled", "released" or a checkpoint's folder, on the CPU; see `checkpoints.load_model`.

        Raises WeightsError where that is missing, incomplete or damaged.
        """
        return cls.from_model(load_model(source, "cpu", dtype))

    @classmethod
    def from_model(cls, model: Model) -> FollowYourEmojiPipeline:
        """A pipeline of a model's own networks, which stay shared with it."""
        if model.turns is not None:
            raise SettingsError(
                "networks that take turns in memory cannot be shared: load them without `offload`"
            )
        config, parts = model.config, dict[str, Any](model.parts())
        vae: Any = parts["autoencoder"]
        is_foreign = isinstance(vae, StableDiffusionAutoencoder)
        own: dict[str, Any] = {
            name: kind.of(parts[name], config.network) for name, kind in NETWORKS.items() if name in parts
        }
        return cls(
            **own,
            vae=vae.vae if is_foreign else SmallAutoencoderModel.of(vae, vae.config),
            image_encoder=parts["image_encoder"].clip if "image_encoder" in parts else None,
            scheduler=FollowYourEmojiScheduler(),
            model=settings_of(config),
        )

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, source: str | Path, **options: Any
    ) -> Self:
        """Load a folder of diffusers, or a repository of the hub; see `DiffusionPipeline.from_pretrained`.

        Raises WeightsError where a part is missing, damaged or of another model.
        """
        folder = Path(source)
        if not folder.is_dir():
            folder = fetch(str(source), options)
        if options.get("variant") is None and not any(folder.glob("*/*.index.json")):
            check_folder(folder, passed=frozenset(options))
        return super().from_pretrained(str(folder), **options)

    def save_pretrained(  # type: ignore[override]
        self, save_directory: str | Path, *arguments: Any, push_to_hub: bool = False, **options: Any
    ) -> None:
        """Write a folder of diffusers with a model card; see `DiffusionPipeline.save_pretrained`. LoRAs are left out,
        and a card that is there stays."""
        folder = Path(save_directory)
        uploading: dict[str, Any] = {name: options.pop(name) for name in UPLOADING if name in options}
        with self._adapters.scaled(self._assembled(), 0.0):
            super().save_pretrained(str(folder), *arguments, **options)
        if not (folder / CARD_FILE).exists():
            (folder / CARD_FILE).write_text(
                model_card(self.model_config, uploading.get("repo_id")), encoding="utf-8"
            )
        if push_to_hub:
            upload(folder, **{"repo_id": folder.name, **uploading})

    def push_to_hub(
        self,
        repo_id: str,
        commit_message: str | None = None,
        private: bool | None = None,
        token: str | None = None,
        create_pr: bool = False,
        safe_serialization: bool = True,
        variant: str | None = None,
        subfolder: str | None = None,
    ) -> str:
        """Upload to the hub; see `PushToHubMixin.push_to_hub`. A model card that the repository has stays."""
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, safe_serialization=safe_serialization, variant=variant)
            card = model_card(self.model_config, repo_id)
            (Path(folder) / CARD_FILE).write_text(card, encoding="utf-8")
            return upload(Path(folder), repo_id, commit_message, private, token, create_pr, subfolder)

    def load_lora_weights(
        self, source: str | Path, *, weight_name: str = WEIGHTS_NAME, adapter_name: str | None = None
    ) -> None:
        """Add a LoRA of `fye train lora` to the weights: its file, or a folder that holds it as `weight_name`.

        Raises WeightsError where it is no LoRA or belongs to another model.
        """
        file = Path(source)
        file = file / weight_name if file.is_dir() else file
        self._adapters.load(self._assembled(), file, adapter_name)

    def unload_lora_weights(self) -> None:
        """Take all LoRAs out: weights are what they were, to the bit."""
        self._adapters.unload(self._assembled())

    def set_adapters(
        self, adapter_names: str | Sequence[str], adapter_weights: float | Sequence[float] = 1.0
    ) -> None:
        """Use these LoRAs alone, each with its weight: 1 is as it was trained."""
        names = [adapter_names] if isinstance(adapter_names, str) else list(adapter_names)
        weights = adapter_weights if isinstance(adapter_weights, Sequence) else [adapter_weights] * len(names)
        self._adapters.weigh(self._assembled(), names, weights)

    def get_active_adapters(self) -> list[str]:
        """Names of the LoRAs in use."""
        return self._adapters.active

    @property
    def model_config(self) -> ModelConfig:
        """The model's config, as a checkpoint has it. Raises WeightsError for components that are none of a model."""
        return config_of_components(self)

    @property
    def guidance_scale(self) -> float:
        """That of the latest call."""
        return self._guidance_scale

    @property
    def num_timesteps(self) -> int:
        """Steps of a segment in the latest call."""
        return self._num_timesteps

    @property
    def interrupt(self) -> bool:
        """Whether a callback set `_interrupt`, which leaves out all steps that remain."""
        return self._interrupt

    def __call__(
        self,
        image: PortraitSource,
        motion: MotionSource | Sequence[Image.Image | np.ndarray],
        *,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        generator: torch.Generator | None = None,
        face: int | None = None,
        image_landmarks: Landmarks | None = None,
        alignment: AlignmentSettings | None = None,
        settings: AnimationSettings | None = None,
        output_type: OutputType = "pil",
        return_dict: bool = True,
        callback_on_step_end: StepCallback | PipelineCallback | MultiPipelineCallbacks | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        cross_attention_kwargs: Mapping[str, Any] | None = None,
    ) -> FollowYourEmojiPipelineOutput | tuple[Any]:
        """Animate a face of a portrait.

        Parameters
        ----------
        image : a Pillow image, uint8 (height, width, 3), or (height, width, 4) with opacity, or a path.
        motion : a Motion, the path of a motion file, clip or picture, a picture, or the frames of a clip, which are at
            `settings.frame_rate`, by default 25 a second.
        num_inference_steps, guidance_scale : None is as `settings` say, and then the model's own.
        generator : decides the noise; None: `settings.seed` does.
        face : the one that moves, its number from the left; None is the largest.
        image_landmarks : of its face, which is then not looked for.
        alignment : how the motion is laid onto the face.
        settings : how the portrait is framed and long clips are made. Every pass is computed and every pose generated,
            whatever `speed` they have.
        output_type : what `frames` are, see `FollowYourEmojiPipelineOutput`.
        return_dict : False returns a tuple with the frames alone.
        callback_on_step_end : called with the pipeline, the step's number in its segment, its timestep, and a dict with
            `callback_on_step_end_tensor_inputs`, of which there is "latents", (segments, channels, frames, height / 8,
            width / 8); what it returns under these names takes their place. Long clips have several segments.
        cross_attention_kwargs : {"scale": 0.5} halves the weights of all LoRAs for this call.

        Raises
        ------
        UserError : a file, face or setting that cannot be used.
        """
        if isinstance(callback_on_step_end, (PipelineCallback, MultiPipelineCallbacks)):
            callback_on_step_end_tensor_inputs = callback_on_step_end.tensor_inputs
        check_output_type(output_type)
        check_callback_tensors(callback_on_step_end_tensor_inputs, self._callback_tensor_inputs)
        scale = scale_of_loras(cross_attention_kwargs)
        settings = settings_of_call(settings, num_inference_steps, guidance_scale, generator)
        model = self._assembled()
        check_size(model.config, settings.size)
        sampling = sampling_settings([model], settings)
        self._guidance_scale = model_settings.guidance_scale(model.config, settings)
        self._num_timesteps, self._interrupt = sampling.steps, False
        denoise = DenoisingByScheduler(
            self.scheduler,
            generator or torch.Generator().manual_seed(settings.seed),
            partial(self._step_done, callback_on_step_end, callback_on_step_end_tensor_inputs),
            lambda: self._interrupt,
        )
        prepared = prepare(
            image,
            driving_motion(motion, settings, self._faces),
            ModelFraming.of(model.config),
            face=face,
            alignment=alignment,
            settings=settings,
            portrait_landmarks=image_landmarks,
            faces=self._faces,
        )
        course = timeline(prepared.points_in_picture, prepared.loop)
        with (
            self._adapters.scaled(model, scale),
            without_numpy_threads(),
            self._progress(sampling, course) as progress,
        ):
            read = read_portrait(model, prepared, self._guidance_scale)
            pieces = sampled(model, prepared, course, read, sampling, denoise, progress)
            made = (
                latents(model, course, pieces)
                if output_type == "latent"
                else pictures(model, prepared, course, pieces)
            )
        frames = as_output(made, output_type)
        self.maybe_free_model_hooks()  # type: ignore[no-untyped-call]
        if not return_dict:
            return (frames,)
        return FollowYourEmojiPipelineOutput(frames=frames, frame_rate=prepared.motion.frame_rate)

    def _assembled(self) -> Model:
        """The components as a model, the same one while they are the same. Raises WeightsError where they are not of
        one."""
        components = tuple(self.components.values())
        if self._assembly is None or self._assembly[0] != components:
            self._assembly = components, assemble(self)
        suit_device(self._assembly[1])
        return self._assembly[1]

    def _step_done(
        self,
        callback: StepCallback | None,
        names: Sequence[str],
        step: int,
        timestep: Tensor,
        latents: Tensor,
    ) -> Tensor:
        if callback is None:
            return latents
        changed = callback(self, step, timestep, dict.fromkeys(names, latents)) or {}
        given: Tensor = changed.get("latents", latents)
        return given

    @contextmanager
    def _progress(self, sampling: SamplingSettings, course: Timeline) -> Iterator[Callable[[int, int], None]]:
        """The progress bar, as what the sampler calls."""
        total = sampling.steps_of(len(course), course.cuts, course.circular)
        with self.progress_bar(total=total) as bar:

            def advance(done: int, _: int) -> None:
                bar.update(done - bar.n)

            yield advance
