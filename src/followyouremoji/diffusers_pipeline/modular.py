"""The pipeline's stages as blocks of diffusers' modular pipelines, each of which can be taken alone or replaced."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers.modular_pipelines.modular_pipeline import (
    ModularPipelineBlocks,
    PipelineState,
    SequentialPipelineBlocks,
)
from diffusers.modular_pipelines.modular_pipeline_utils import (
    ComponentSpec,
    ConfigSpec,
    InputParam,
    OutputParam,
)
from transformers import PreTrainedModel

from followyouremoji.diffusers_pipeline.arguments import check_output_type, settings_of_call
from followyouremoji.diffusers_pipeline.assembly import assemble, suit_device
from followyouremoji.diffusers_pipeline.conversion import NETWORKS
from followyouremoji.diffusers_pipeline.driving import driving_motion
from followyouremoji.diffusers_pipeline.outputs import as_output
from followyouremoji.diffusers_pipeline.parts import SmallAutoencoderModel
from followyouremoji.diffusers_pipeline.scheduler import DenoisingByScheduler, FollowYourEmojiScheduler
from followyouremoji.diffusers_pipeline.stages import latents, pictures, sampled
from followyouremoji.face.timeline import timeline
from followyouremoji.face_finder import FaceFinder
from followyouremoji.framing import ModelFraming
from followyouremoji.generation import read_portrait
from followyouremoji.model_settings import check_size, guidance_scale, sampling_settings
from followyouremoji.numpy_threads import without_numpy_threads
from followyouremoji.preparation import prepare

COMPONENTS: dict[str, type] = {
    **NETWORKS,
    "vae": SmallAutoencoderModel,
    "image_encoder": PreTrainedModel,
    "scheduler": FollowYourEmojiScheduler,
}
PREPARED = (
    InputParam("prepared", required=True, description="the portrait and its landmarks, of `PrepareStep`"),
    InputParam("settings", required=True, description="those of the call"),
)


class Stage(ModularPipelineBlocks):
    """A block that has all components; `takes` and `gives` are its inputs and outputs."""

    model_name = "follow-your-emoji"  # type: ignore[assignment]
    takes: ClassVar[tuple[InputParam, ...]] = PREPARED
    gives: ClassVar[tuple[OutputParam, ...]]

    @property
    def description(self) -> str:
        return (type(self).__doc__ or "").strip()

    @property
    def expected_components(self) -> list[ComponentSpec]:
        return [ComponentSpec(name, kind) for name, kind in COMPONENTS.items()]

    @property
    def expected_configs(self) -> list[ConfigSpec]:
        return [ConfigSpec("model", {})]

    @property
    def inputs(self) -> list[InputParam]:
        return list(self.takes)

    @property
    def intermediate_outputs(self) -> list[OutputParam]:
        return list(self.gives)

    def __call__(self, components: Any, state: PipelineState) -> tuple[Any, PipelineState]:
        values = self.get_block_state(state)
        model = assemble(components)
        suit_device(model)
        with without_numpy_threads():
            self.run(components, model, values)
        self.set_block_state(state, values)  # type: ignore[arg-type]
        return components, state

    def run(self, components: Any, model: Any, values: Any) -> None:
        """Set the outputs among the `values`, which has the inputs."""
        raise NotImplementedError


class PrepareStep(Stage):
    """Finds the portrait's face, follows the motion and lays it onto the face."""

    takes = (
        InputParam("image", required=True, description="the portrait, as of FollowYourEmojiPipeline"),
        InputParam("motion", required=True, description="what drives it"),
        InputParam("num_inference_steps", description="by default the model's own"),
        InputParam("guidance_scale", description="by default the model's own"),
        InputParam("generator", description="decides the noise; without it `settings.seed` does"),
        InputParam("face", description="which face moves, from the left; by default the largest"),
        InputParam("image_landmarks", description="of its face, which is then not looked for"),
        InputParam("alignment", description="AlignmentSettings"),
        InputParam("settings", description="AnimationSettings"),
    )
    gives = (OutputParam("prepared", description="a `Prepared`"),)

    def run(self, components: Any, model: Any, values: Any) -> None:
        values.settings = settings_of_call(
            values.settings, values.num_inference_steps, values.guidance_scale, values.generator
        )
        check_size(model.config, values.settings.size)
        with FaceFinder() as faces:
            values.prepared = prepare(
                values.image,
                driving_motion(values.motion, values.settings, faces),
                ModelFraming.of(model.config),
                face=values.face,
                alignment=values.alignment,
                settings=values.settings,
                portrait_landmarks=values.image_landmarks,
                faces=faces,
            )


class ReadPortraitStep(Stage):
    """Has the appearance net and the image prompt's networks read the portrait."""

    gives = (OutputParam("conditioning", description="what the denoiser attends to, a `ClipConditioning`"),)

    def run(self, components: Any, model: Any, values: Any) -> None:
        scale = guidance_scale(model.config, values.settings)
        values.conditioning = read_portrait(model, values.prepared, scale)


class DenoiseStep(Stage):
    """Denoises the latents of all frames with the scheduler, segment by segment."""

    takes = (
        *PREPARED,
        InputParam("conditioning", required=True, description="of `ReadPortraitStep`"),
        InputParam("generator", description="for schedulers that add noise"),
    )
    gives = (
        OutputParam("pieces", description="a list of `Sampled`, the latents of one pose after the other"),
    )

    def run(self, components: Any, model: Any, values: Any) -> None:
        generator = values.generator or torch.Generator().manual_seed(values.settings.seed)
        denoise = DenoisingByScheduler(
            components.scheduler, generator, lambda step, timestep, now: now, lambda: False
        )
        prepared = values.prepared
        course = timeline(prepared.points_in_picture, prepared.loop)
        sampling = sampling_settings([model], values.settings)
        values.pieces = list(sampled(model, prepared, course, values.conditioning, sampling, denoise))


class DecodeStep(Stage):
    """Decodes the latents and puts the faces back into the portrait."""

    takes = (
        PREPARED[0],
        InputParam("pieces", required=True, description="of `DenoiseStep`"),
        InputParam("output_type", default="pil", description="pil, np, pt or latent"),
    )
    gives = (
        OutputParam("frames", description="see `FollowYourEmojiPipelineOutput`"),
        OutputParam("frame_rate", description="frames a second"),
    )

    def run(self, components: Any, model: Any, values: Any) -> None:
        check_output_type(values.output_type)
        prepared, pieces = values.prepared, values.pieces
        course = timeline(prepared.points_in_picture, prepared.loop)
        if values.output_type == "latent":
            made: Any = latents(model, course, pieces)
        else:
            made = pictures(model, prepared, course, (piece for piece in pieces))
        values.frames, values.frame_rate = as_output(made, values.output_type), prepared.motion.frame_rate


class FollowYourEmojiBlocks(SequentialPipelineBlocks):
    """The stages of `FollowYourEmojiPipeline` as blocks; without LoRAs and callbacks, else its frames.

    >>> pipe = FollowYourEmojiBlocks().init_pipeline("folder")
    >>> pipe.load_components()
    >>> frames = pipe(image="portrait.png", motion="driving.mp4", output="frames")[0]
    """

    model_name = "follow-your-emoji"
    block_classes = [PrepareStep, ReadPortraitStep, DenoiseStep, DecodeStep]  # noqa: RUF012
    block_names = ["prepare", "read_portrait", "denoise", "decode"]  # noqa: RUF012
