"""The settings of training runs, as frozen dataclasses; `training.config` reads them from TOML files.

The joined batch of a step is what a config states; how many processes share it is the launcher's business, so that one
config trains the same model on a laptop and on many machines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from followyouremoji.data.drawn import Drawn
from followyouremoji.errors import SettingsError, is_number
from followyouremoji.face.drawing import LandmarkStyle
from followyouremoji.networks import AutoencoderConfig, NetworkConfig
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.training.starts import Start

Schedule = Literal["constant", "cosine", "linear"]
Precision = Literal["fp32", "bf16", "fp16"]
Optimiser = Literal["adamw", "adamw8bit"]
Sharding = Literal["ddp", "fsdp"]
LandmarkPoints = Literal["metric", "image"]

EIGHT_BITS_IN_SHARES = (
    'the optimiser adamw8bit works with `sharding = "ddp"` alone: bitsandbytes knows nothing of the parts of weights that each GPU '
    "holds with FSDP. Use adamw, whose moments FSDP shares out"
)
DECODER_IN_SHARES = (
    '`tune_decoder` works with `sharding = "ddp"` alone: with FSDP each GPU holds a part of the decoder'
)
LEAST_SPAN = 16  # frames asked of a clip source where a config does not say


@dataclass(frozen=True)
class Optimisation:
    """The optimiser, its learning rate over time, and how the work of a step is computed.

    Attributes
    ----------
    schedule : after a linear warm-up: "constant" with a linear fall to zero over the last `decay` steps; "cosine" and
        "linear" fall from the end of the warm-up to `final_rate` times the learning rate at the last step, and do not
        read `decay`.
    gradient_norm : the gradient is scaled down to this norm where it is larger.
    ema : decay of the moving average of the weights, which is what is exported; 0 keeps none.
    precision : of the networks' arithmetic (autocast); weights stay float32.
    accumulation : parts that each process computes the step's batch in, one after the other; more need less memory.
    checkpointing : compute activations anew in the backward pass; about a third more time for much less memory.
    optimiser : "adamw8bit" holds AdamW's moments in 8 bits; it needs bitsandbytes and works with "ddp" alone.
    sharding : over several GPUs, "ddp" gives each all weights, "fsdp" a share of weights, gradients, moments and
        average.
    non_finite_limit : steps in a row that may be skipped for a loss or gradient that is not finite before the run
        stops.
    """

    steps: int
    learning_rate: float = 5e-4
    schedule: Schedule = "constant"
    warmup: int = 200
    decay: int = 500
    final_rate: float = 0.0
    weight_decay: float = 0.01
    gradient_norm: float = 1.0
    ema: float = 0.999
    precision: Precision = "fp32"
    seed: int = 0
    accumulation: int = 1
    checkpointing: bool = False
    compile: bool = False
    optimiser: Optimiser = "adamw"
    sharding: Sharding = "ddp"
    non_finite_limit: int = 20

    def __post_init__(self) -> None:
        require_choices(self, schedule=Schedule, precision=Precision, optimiser=Optimiser, sharding=Sharding)
        require_at_least(self, 1, "steps", "accumulation", "non_finite_limit")
        require_at_least(self, 0, "warmup", "decay", "weight_decay", "seed")
        require_shares(self, "ema", "final_rate")
        if self.sharding == "fsdp" and self.optimiser == "adamw8bit":
            raise SettingsError(EIGHT_BITS_IN_SHARES)
        for name in ("learning_rate", "gradient_norm"):
            value = getattr(self, name)
            if not is_number(value) or value <= 0:
                raise SettingsError(f"`{name}` must be a number above 0, not {value!r}")

    def rate(self, step: int) -> float:
        """The learning rate of step `step` (from 0)."""
        rise = min(1.0, (step + 1) / max(self.warmup, 1))
        if self.schedule == "constant":
            fall = min(1.0, (self.steps - step) / max(self.decay, 1))
            return self.learning_rate * min(rise, fall)
        done = min(max((step - self.warmup) / max(self.steps - self.warmup, 1), 0.0), 1.0)
        shape = (1 + math.cos(math.pi * done)) / 2 if self.schedule == "cosine" else 1 - done
        return self.learning_rate * rise * (self.final_rate + (1 - self.final_rate) * shape)


@dataclass(frozen=True)
class DataPart:
    """One entry of `data`: prepared clips, or portraits drawn while training.

    Attributes
    ----------
    shards : a folder that `fye data prepare` made.
    strides : distances at which frames of its clips are taken, one of them for each sample.
    drawn : settings of `data.Drawn`; its size is that of the shards beside it and its seed the run's where it names
        none.
    weight : its share of the samples, among the entries.
    """

    shards: Path | None = None
    strides: tuple[int, ...] = (1,)
    drawn: Mapping[str, Any] | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if (self.shards is None) == (self.drawn is None):
            raise SettingsError("each entry of `data` names either `shards` or `drawn`")
        if self.drawn is not None:
            Drawn.from_table(self.drawn)  # refuses what cannot be drawn
        if not is_number(self.weight) or self.weight <= 0:
            raise SettingsError(f"the `weight` of an entry of `data` must be above 0, not {self.weight!r}")


@dataclass(frozen=True)
class LandmarkOptions:
    """What the landmark pictures show (Sec. 3.1); an exported model is animated with the same.

    Attributes
    ----------
    points : "metric", the landmarks of the paper, aligned to a portrait in metric space; "image", its ablation "2D
        landmarks". Projecting metric faces gives the landmarks of their own picture back, so training sees the same
        under both; what differs is animation, where "image" can only shift and scale the driving face's outline onto
        the portrait's. Of drawn data that holds as well: their points are projections of the drawn head.
    contour, pupils : two more ablations of Table 2, "with facial contour" and "without pupil points".
    antialiased : sub-pixel lines, for small pictures; False draws as the released network was trained.
    """

    points: LandmarkPoints = "metric"
    contour: bool = False
    pupils: bool = True
    antialiased: bool = True

    def __post_init__(self) -> None:
        require_choices(self, points=LandmarkPoints)

    @property
    def style(self) -> LandmarkStyle:
        return LandmarkStyle(contour=self.contour, pupils=self.pupils, antialiased=self.antialiased)


@dataclass(frozen=True)
class Validation:
    """Figures and a sample grid every so many steps, from the averaged weights.

    `drawings` or `data` should be people that the run does not learn from; where neither is named, they are the run's
    own data, and the figures tell how well those are learnt and nothing about others.
    """

    every: int = 500  # steps
    samples: int = 8  # portraits
    steps: int = 10  # of DDIM
    shared_noise: float = 0.9
    rows: int = 6  # portraits in the grid
    drawings: Path | None = None
    data: tuple[DataPart, ...] = ()

    def __post_init__(self) -> None:
        require_at_least(self, 1, "every", "samples", "steps", "rows")
        require_shares(self, "shared_noise")
        if self.drawings is not None and self.data:
            raise SettingsError("`validation` takes `drawings` or `data`, not both")


@dataclass(frozen=True, kw_only=True)
class AutoencoderRun:
    """Trains the small autoencoder on single pictures."""

    output: Path
    optimisation: Optimisation
    drawings: Path | None = None
    data: tuple[DataPart, ...] = ()
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    window: int | None = None  # see `DenoiserRun`
    batch: int = 16
    face_weight: float = 2.0  # of the reconstruction error inside the face ...
    expression_weight: float = 4.0  # ... and around eyes, brows, lips
    workers: int = 0
    log_every: int = 50
    save_every: int = 500
    keep: int = 3
    tensorboard: bool = True

    def __post_init__(self) -> None:
        require_data(self.drawings, self.data)
        require_window(self.window)
        require_at_least(self, 1, "batch", "log_every", "save_every", "keep")
        require_at_least(self, 0, "face_weight", "expression_weight", "workers")

    @property
    def samples(self) -> int:
        """Samples of the joined batch of a step."""
        return self.batch


@dataclass(frozen=True, kw_only=True)
class DenoiserRun:
    """Trains the networks: stage 1 on single frames, stage 2 the temporal layers on clips (Sec. 4.1).

    Attributes
    ----------
    drawings, data : one of the two: a folder of `fye train draw`, or clips by weight.
    autoencoder : the TOML file of a finished autoencoder's run, Stable Diffusion's autoencoder (a diffusers folder), or
        a model's folder.
    image_encoder : CLIP's, a transformers folder, for networks with `image_source = "clip"`.
    initial : weights to start from: a run's output folder, a model's folder, or a table, see `training.starts.Start`.
    references : portraits in a step, over all processes and parts.
    targets : frames that each portrait is animated to: single ones in stage 1, successive ones in stage 2.
    span : frames of the clip that portrait and targets are chosen from; None: twice as many as are chosen, 16 at least.
    expression_mask, face_mask : the two masks of Eq. 1; each off is an ablation of Table 2.
    progressive : random frame masking in stage 2 (Sec. 3.3); off, "without progressive strategy": no frame is ever
        known.
    unknown_clips : see `masking.random_known_frames`.
    terminal_share : share of the timesteps that are the last one, pure noise: more for sampling in very few steps.
    window : pixels a side of the face's window (`face.window`) that the model sees and makes, for models that make
        faces alone; None: pictures.
    surroundings : weight of the diffusion loss (Eq. 2's first part) and of the picture loss outside the face; less than
        1 for models that make faces alone.
    picture_loss : weight of the decoded prediction's reconstruction error, for small autoencoders; 0 in the paper. It
        makes few steps sharper. In it the face counts 1, eyes, brows and lips 1.5 more, and all of the picture
        `surroundings` more.
    picture_frames : frames of a step, over all processes and parts, that are decoded for it, evenly chosen among those
        that have to be generated and are noised enough; 0: all of those. Decoding takes time and memory.
    tune_decoder : the autoencoder's decoder learns from the picture loss as well; its encoder, and so all latents, stay
        as they are.
    decoder_rate : the decoder's share of the learning rate.
    landmark_jitter : common offset of each facial feature, in pupil distances, as a detector's bias.
    reference_dropout : share of the portraits that are withheld (image prompt and appearance), so that the model can be
        guided.
    workers : processes that make batches; 0: a thread of the training process.
    keep : checkpoints that stay.
    """

    stage: Literal[1, 2]
    output: Path
    autoencoder: Path
    optimisation: Optimisation
    network: NetworkConfig
    drawings: Path | None = None
    data: tuple[DataPart, ...] = ()
    image_encoder: Path | None = None
    initial: Path | Start | None = None
    references: int = 4
    targets: int = 4
    span: int | None = None
    expression_mask: bool = True
    face_mask: bool = True
    progressive: bool = True
    landmarks: LandmarkOptions = field(default_factory=LandmarkOptions)
    unknown_clips: float = 0.25
    terminal_share: float = 0.0
    window: int | None = None
    surroundings: float = 1.0
    picture_loss: float = 0.0
    picture_frames: int = 0
    tune_decoder: bool = False
    decoder_rate: float = 0.3
    landmark_jitter: float = 0.015
    reference_dropout: float = 0.0
    workers: int = 0
    log_every: int = 50
    save_every: int = 500
    keep: int = 3
    tensorboard: bool = True
    validation: Validation | None = None

    def __post_init__(self) -> None:
        if self.stage not in (1, 2):
            raise SettingsError(f"`stage` must be 1 or 2, not {self.stage!r}")
        if self.stage == 2 and self.initial is None:
            raise SettingsError(
                "stage 2 needs `initial`, the output folder of a stage-1 run or a model's folder to start from"
            )
        require_data(self.drawings, self.data)
        require_at_least(self, 1, "references", "targets", "log_every", "save_every", "keep")
        require_at_least(self, 0, "workers", "landmark_jitter", "picture_loss", "picture_frames")
        require_window(self.window, self.network.picture_multiple)
        if self.window is not None and not self.network.warped_reference:
            raise SettingsError(
                "`window` needs `warped_reference = true`: what is around the face is the warped portrait's"
            )
        if (self.surroundings < 1 or self.picture_loss > 0) and not self.face_mask:
            raise SettingsError("`surroundings` and `picture_loss` need the face mask")
        if self.tune_decoder and self.picture_loss == 0:
            raise SettingsError("`tune_decoder` needs `picture_loss`, which the decoder learns from")
        if self.tune_decoder and self.optimisation.sharding == "fsdp":
            raise SettingsError(DECODER_IN_SHARES)
        shares = ("surroundings", "terminal_share", "unknown_clips", "reference_dropout", "decoder_rate")
        require_shares(self, *shares)
        if self.span is not None and self.span <= self.targets:
            raise SettingsError(f"`span` must be more than the {self.targets} targets, not {self.span}")
        network = self.network
        if self.stage == 2 and self.targets > network.max_frames:
            raise SettingsError(f"`targets` must be at most `max_frames`, {network.max_frames}")
        if self.stage == 2 and not network.motion_modules:
            raise SettingsError("stage 2 trains the motion modules: leave out `motion_modules = false`")
        if network.image_source == "clip" and self.image_encoder is None:
            raise SettingsError('`image_source = "clip"` needs `image_encoder`, the folder of CLIP')

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
    def masks_frames(self) -> bool:
        """Whether clips get known frames: in stage 2 of the paper layout, unless `progressive` is off."""
        return self.stage == 2 and self.progressive and self.network.layout == "paper"


RunSettings = AutoencoderRun | DenoiserRun


def require_data(drawings: Path | None, data: tuple[DataPart, ...]) -> None:
    if (drawings is None) == (not data):
        raise SettingsError(
            "a run learns from `drawings` (a folder of `fye train draw`) or from `data`, one of the two"
        )


def require_window(window: int | None, multiple: int = LATENT_STRIDE) -> None:
    if window is not None and (not is_number(window) or window < 32 or window % multiple):
        raise SettingsError(
            f"`window` must be a multiple of {multiple} pixels, which the networks halve evenly, and 32 or more, not {window!r}"
        )


def require_at_least(settings: Any, least: int, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if not is_number(value) or not value >= least:
            raise SettingsError(f"`{name}` must be {least} or more, not {value!r}")


def require_shares(settings: Any, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if not is_number(value) or not 0 <= value <= 1:
            raise SettingsError(f"`{name}` is a share from 0 to 1, not {value!r}")


def require_choices(settings: Any, **choices: Any) -> None:
    for name, kind in choices.items():
        value = getattr(settings, name)
        if value not in get_args(kind):
            raise SettingsError(f"`{name}` must be one of {', '.join(get_args(kind))}, not {value!r}")
