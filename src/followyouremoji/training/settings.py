"""The settings of training runs; `training.config` reads them from TOML files.

The joined batch of a step is what a config states; how many processes share it is the launcher's business, so that one
config trains the same model on a laptop and on many machines.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from followyouremoji.config import Share, validated
from followyouremoji.data.drawn import DrawnPart
from followyouremoji.face.drawing import LandmarkStyle
from followyouremoji.networks import AutoencoderConfig, DecoderConfig, NetworkConfig
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.training.segments import Distillation
from followyouremoji.training.starts import Start, start_of

EIGHT_BITS_IN_SHARES = (
    'the optimiser adamw8bit works with `sharding = "ddp"` alone: bitsandbytes knows nothing of the parts of weights that each GPU '
    "holds with FSDP. Use adamw, whose moments FSDP shares out"
)
DECODER_IN_SHARES = (
    '`tune_decoder` works with `sharding = "ddp"` alone: with FSDP each GPU holds a part of the decoder'
)
TRUTH_ALONE = ("reference_dropout", "terminal_share", "picture_loss")  # of no sense to a distillation
STEPS, SHARED_NOISE = 10, 0.9  # that a run's model is sampled with where nothing says how
LEAST_SPAN = 16  # frames asked of a clip source where a config does not say


def _kind_of_start(value: Any) -> str:
    return "table" if isinstance(value, dict | Start) else "path"


Initial = Annotated[
    Annotated[Path, Tag("path")] | Annotated[Start, Tag("table")], Discriminator(_kind_of_start)
]


@validated
class Optimisation:
    """The optimiser, its learning rate over time, and how the work of a step is computed."""

    steps: PositiveInt
    """Steps of the run."""
    learning_rate: PositiveFloat = 5e-4
    """At its highest, after a linear warm-up."""
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """`constant` falls to 0 over the last `decay` steps, `cosine` and `linear` from the warm-up on to `final_rate`."""
    warmup: NonNegativeInt = 200
    """Steps in which the learning rate rises."""
    decay: NonNegativeInt = 500
    """Last steps in which a `constant` rate falls."""
    final_rate: Share = 0.0
    """Share of the learning rate that `cosine` and `linear` end with."""
    weight_decay: NonNegativeFloat = 0.01
    """AdamW's."""
    gradient_norm: PositiveFloat = 1.0
    """Larger gradients are scaled down to this norm."""
    ema: Share = 0.999
    """Decay of the averaged weights, which are judged and exported; 0 keeps none."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Of the networks' arithmetic, `fp16` on a GPU alone; weights stay float32."""
    seed: NonNegativeInt = 0
    """Everything random is a function of it."""
    accumulation: PositiveInt = 1
    """Parts that a process computes its batch in, one after the other; more need less memory."""
    checkpointing: bool = False
    """Compute activations anew in the backward pass: about a third more time for much less memory."""
    compile: bool = False
    """Compile the networks with `torch.compile`."""
    optimiser: Literal["adamw", "adamw8bit"] = "adamw"
    """`adamw8bit` holds the moments in 8 bits; it needs bitsandbytes and works with `ddp` alone."""
    sharding: Literal["ddp", "fsdp"] = "ddp"
    """Over several GPUs, `ddp` gives each all weights, `fsdp` a share of weights, gradients, moments and average."""
    non_finite_limit: PositiveInt = 20
    """Steps in a row, skipped for a loss or gradient that is not finite, that stop the run."""

    @model_validator(mode="after")
    def _optimiser_can_be_shared(self) -> Self:
        if self.sharding == "fsdp" and self.optimiser == "adamw8bit":
            raise ValueError(EIGHT_BITS_IN_SHARES)
        return self

    def rate(self, step: int) -> float:
        """The learning rate of step `step` (from 0)."""
        rise = min(1.0, (step + 1) / max(self.warmup, 1))
        if self.schedule == "constant":
            fall = min(1.0, (self.steps - step) / max(self.decay, 1))
            return self.learning_rate * min(rise, fall)
        done = min(max((step - self.warmup) / max(self.steps - self.warmup, 1), 0.0), 1.0)
        shape = (1 + math.cos(math.pi * done)) / 2 if self.schedule == "cosine" else 1 - done
        return self.learning_rate * rise * (self.final_rate + (1 - self.final_rate) * shape)


@validated
class DataPart:
    """One entry of `data`: prepared clips, or portraits drawn while training."""

    shards: Path | None = None
    """Folder of `fye data prepare`; or else `drawn`."""
    strides: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1,)
    """Distances at which frames of its clips are taken, one of them for each sample."""
    drawn: DrawnPart | None = None
    """A table: people that are drawn while training."""
    weight: PositiveFloat = 1.0
    """Share of the samples, among the entries."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.shards is None) == (self.drawn is None):
            raise ValueError("each entry of `data` names either `shards` or `drawn`")
        return self


@validated
class LandmarkOptions:
    """What the landmark pictures show (Sec. 3.1); an exported model is animated with the same.

    With `points = "metric"`, landmarks are aligned to a portrait in metric space, as in the paper; "image" is its
    ablation "2D landmarks". Projecting metric faces gives the landmarks of their own picture back, so training sees the
    same under both; what differs is animation, where "image" can only shift and scale the driving face's outline onto
    the portrait's.
    """

    points: Literal["metric", "image"] = "metric"
    """Space in which landmarks are aligned; `image` is the ablation "2D landmarks"."""
    contour: bool = False
    """Draw the facial contour: the ablation "with facial contour"."""
    pupils: bool = True
    """Draw the pupils; false is the ablation "without pupil points"."""
    antialiased: bool = True
    """Sub-pixel lines, for small pictures; false draws as the released network was trained."""

    @property
    def style(self) -> LandmarkStyle:
        return LandmarkStyle(contour=self.contour, pupils=self.pupils, antialiased=self.antialiased)


@validated
class Validation:
    """Figures and a sample grid every so many steps, from the averaged weights.

    `drawings` or `data` should be people that the run does not learn from; where neither is named, they are the run's
    own data, and the figures tell how well those are learnt and nothing about others.
    """

    every: PositiveInt = 500
    """Steps from one validation to the next."""
    samples: PositiveInt = 8
    """Portraits that are judged."""
    steps: PositiveInt | None = None
    """Steps of DDIM; by default those of the `[distillation]`, or else 10."""
    shared_noise: Share | None = None
    """Part of the noise that all frames share; by default that of the `[distillation]`, or else 0.9."""
    rows: PositiveInt = 6
    """Portraits in the grid."""
    drawings: Path | None = None
    """People to judge on: a folder of `fye train draw`; the run's own by default."""
    data: tuple[DataPart, ...] = ()
    """People to judge on: clips by weight; the run's own by default."""

    @model_validator(mode="after")
    def _one_kind_of_data(self) -> Self:
        if self.drawings is not None and self.data:
            raise ValueError("takes `drawings` or `data`, not both")
        return self


@validated
class TrainingRun:
    """What all runs have in common."""

    output: Path
    """Folder of the run."""
    optimisation: Optimisation
    """The table `[optimisation]`."""
    drawings: Path | None = None
    """Folder of `fye train draw`; or else `data`."""
    data: tuple[DataPart, ...] = ()
    """Clips by weight: a list of tables, see below; or else `drawings`."""
    window: Annotated[int, Field(ge=32, multiple_of=LATENT_STRIDE)] | None = None
    """Pixels a side of the face's window, for models that make faces alone; needs `warped_reference`."""
    workers: NonNegativeInt = 0
    """Processes that make batches, of each training process; 0: a thread."""
    log_every: PositiveInt = 50
    """Steps from one row of `log.csv` to the next."""
    save_every: PositiveInt = 500
    """Steps from one checkpoint to the next; each validation is preceded by one too."""
    keep: PositiveInt = 3
    """Checkpoints that stay."""
    tensorboard: bool = True
    """Write TensorBoard's files, where it is installed."""

    @model_validator(mode="after")
    def _has_data(self) -> Self:
        if (self.drawings is None) == (not self.data):
            raise ValueError(
                "a run learns from `drawings` (a folder of `fye train draw`) or from `data`, one of the two"
            )
        return self


@validated
class PictureRun(TrainingRun):
    """What the runs that learn from single pictures have in common."""

    batch: PositiveInt = 16
    """Pictures in a step."""
    face_weight: NonNegativeFloat = 2.0
    """Added weight of the reconstruction error inside the face."""
    expression_weight: NonNegativeFloat = 4.0
    """Added weight of it around eyes, brows and lips."""

    @property
    def samples(self) -> int:
        """Samples of the joined batch of a step."""
        return self.batch


@validated
class AutoencoderRun(PictureRun):
    """Trains the small autoencoder."""

    kind: Literal["autoencoder"] = "autoencoder"
    """Marks the config of an autoencoder's run."""
    autoencoder: AutoencoderConfig = AutoencoderConfig()
    """The table `[autoencoder]`."""


@validated
class DecoderRun(PictureRun):
    """Distils a small decoder from an autoencoder's own."""

    kind: Literal["decoder"] = "decoder"
    """Marks the config of a decoder's run."""
    autoencoder: Path
    """The autoencoder to learn from: `bundled`, `released`, a model's folder, Stable Diffusion's diffusers folder, or
    the TOML file of a finished autoencoder's run."""
    decoder: DecoderConfig
    """The table `[decoder]`."""


@validated
class DenoiserRun(TrainingRun):
    """Trains the networks: stage 1 on single frames, stage 2 the temporal layers on clips (Sec. 4.1)."""

    kind: Literal["denoiser"] = "denoiser"
    """Marks the config of a denoiser's run."""
    stage: Literal[1, 2]
    """1: single frames, all but temporal layers; 2: clips, temporal layers."""
    autoencoder: Path
    """`bundled`, `released`, a model's folder, the diffusers folder of Stable Diffusion's, or the TOML file of a
    finished autoencoder's run."""
    network: NetworkConfig
    """The table `[network]`."""
    image_encoder: Path | None = None
    """Transformers folder of CLIP, for `image_source = "clip"`."""
    initial: Initial | None = None
    """Weights to start from: a run's output folder, `bundled`, `released`, a model's folder, or a table, see above;
    stage 2 needs it. A distillation starts from its teacher by default."""
    references: PositiveInt = 4
    """Portraits in a step, over all processes and parts."""
    targets: PositiveInt = 4
    """Frames that each portrait is animated to: single ones in stage 1, successive ones in stage 2, at most
    `max_frames`."""
    span: PositiveInt | None = None
    """Frames of the clip that portrait and targets are chosen from; by default 2 x (`targets` + 1), at least 16."""
    expression_mask: bool = True
    """The first mask of Eq. 1, around eyes, brows and lips; false is an ablation of Table 2."""
    face_mask: bool = True
    """The second mask of Eq. 1; false is an ablation of Table 2."""
    progressive: bool = True
    """Random frame masking in stage 2 (Sec. 3.3), paper layout only; false: no frame is ever known."""
    landmarks: LandmarkOptions = LandmarkOptions()
    """The table `[landmarks]`."""
    unknown_clips: Share = 0.25
    """Share of the clips without a known frame."""
    terminal_share: Share = 0.0
    """Share of the timesteps that are the last one, pure noise: more for sampling in very few steps."""
    surroundings: Share = 1.0
    """Weight of the diffusion loss (Eq. 2's first part) and of the picture loss outside the face; below 1 for models
    that make faces alone."""
    picture_loss: NonNegativeFloat = 0.0
    """Weight of the decoded prediction's error, for small autoencoders without cached latents; it makes few steps
    sharper. The face counts 1, eyes, brows and lips 1.5 more, all of the picture `surroundings` more."""
    picture_frames: NonNegativeInt = 0
    """Frames of a step, over all processes and parts, that are decoded for it; 0: all that are generated and have a
    tenth of noise or more."""
    tune_decoder: bool = False
    """The small autoencoder's decoder learns from the picture loss as well, its encoder stays; not with FSDP."""
    decoder_rate: Share = 0.3
    """The decoder's share of the learning rate; it learns by AdamW."""
    landmark_jitter: NonNegativeFloat = 0.015
    """Common offset of each facial feature, in pupil distances, as a detector's bias; 0 for detected landmarks, which
    have one."""
    reference_dropout: Share = 0.0
    """Share of the portraits that are withheld, so that the model can be guided."""
    distillation: Distillation | None = None
    """The table `[distillation]`: the denoiser learns few steps from a trained model instead of from the clips; the
    stage says whether of single frames or of clips."""
    validation: Validation | None = None
    """The table `[validation]`; without it nothing is judged."""

    @model_validator(mode="after")
    def _stage_fits(self) -> Self:
        network = self.network
        if self.stage == 2 and self.start is None:
            raise ValueError(
                "stage 2 needs `initial`, the output folder of a stage-1 run, 'bundled' or a model's folder to start from"
            )
        if self.stage == 2 and self.targets > network.max_frames:
            raise ValueError(f"`targets` must be at most `max_frames`, {network.max_frames}")
        if self.stage == 2 and not network.motion_modules:
            raise ValueError("stage 2 trains the motion modules: leave out `motion_modules = false`")
        if self.span is not None and self.span <= self.targets:
            raise ValueError(f"`span` must be more than the {self.targets} targets, not {self.span}")
        if network.image_source == "clip" and self.image_encoder is None:
            raise ValueError('`image_source = "clip"` needs `image_encoder`, the folder of CLIP')
        return self

    @model_validator(mode="after")
    def _losses_fit(self) -> Self:
        multiple = self.network.picture_multiple
        if self.window is not None and self.window % multiple:
            raise ValueError(
                f"`window` must be a multiple of {multiple} pixels, which the networks halve evenly, not {self.window}"
            )
        if self.window is not None and not self.network.warped_reference:
            raise ValueError(
                "`window` needs `warped_reference = true`: what is around the face is the warped portrait's"
            )
        if (self.surroundings < 1 or self.picture_loss > 0) and not self.face_mask:
            raise ValueError("`surroundings` and `picture_loss` need the face mask")
        if self.tune_decoder and self.picture_loss == 0:
            raise ValueError("`tune_decoder` needs `picture_loss`, which the decoder learns from")
        if self.tune_decoder and self.optimisation.sharding == "fsdp":
            raise ValueError(DECODER_IN_SHARES)
        return self

    @model_validator(mode="after")
    def _teacher_alone_teaches(self) -> Self:
        others = [name for name in TRUTH_ALONE if getattr(self, name)]
        if self.distillation is not None and others:
            raise ValueError(f"leave out `{others[0]}`: a distillation learns from its teacher alone")
        return self

    @property
    def samples(self) -> int:
        """Samples of the joined batch of a step."""
        return self.references

    @property
    def clip_frames(self) -> int:
        """Frames to ask of a clip source for one sample."""
        return self.span or max(2 * (self.targets + 1), LEAST_SPAN)

    @property
    def rates(self) -> dict[str, float]:
        """Shares of the learning rate, by the networks' part, of those that are tuned more slowly."""
        return {"decoder": self.decoder_rate}

    def decoded_frames(self, portraits: int) -> int:
        """How many frames of a batch of `portraits` are decoded for the picture loss at most: their share of
        `picture_frames`, rounded up."""
        there = portraits * self.targets
        if self.picture_frames == 0:
            return there
        return min(there, math.ceil(self.picture_frames * portraits / self.references))

    @property
    def networks(self) -> NetworkConfig:
        """Its networks; those of stage 1 have no motion modules."""
        return dataclasses.replace(self.network, motion_modules=self.stage == 2)

    @property
    def start(self) -> Start | None:
        """What it starts from; None: nothing."""
        if self.initial is not None:
            return start_of(self.initial)
        return None if self.distillation is None else Start(model=self.distillation.teacher)

    @property
    def sampling(self) -> tuple[int, float]:
        """Steps, and part of the noise that all frames share, that its model is sampled with by default."""
        if self.distillation is None:
            return STEPS, SHARED_NOISE
        return self.distillation.steps, self.distillation.shared_noise

    @property
    def masks_frames(self) -> bool:
        """Whether clips get known frames: in stage 2 of the paper layout, unless `progressive` is off."""
        return self.stage == 2 and self.progressive and self.network.layout == "paper"


RunSettings = AutoencoderRun | DecoderRun | DenoiserRun
