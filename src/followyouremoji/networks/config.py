"""Sizes of the networks, validated once and saved beside the weights.

Two layouts share one code. *released* is the network of the 2024 weights: the denoiser reads noisy latents alone and
the image prompt is CLIP's tokens through a linear layer. *paper* is the network that both papers describe: masked known
frames and their mask are joined to the noisy latents (Sec. 3.3) and a 4-layer Q-Former stands between the image encoder
and the cross-attention.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from followyouremoji.errors import WeightsError

Layout = Literal["released", "paper"]
ImageSource = Literal["clip", "latents"]

LATENT_STRIDE = 8  # picture pixels to a latent pixel, in every autoencoder


@dataclass(frozen=True)
class QFormerConfig:
    """The image prompt of the paper layout: `queries` learnt tokens read the image tokens in `layers` layers."""

    layers: int = 4
    queries: int = 16
    width: int = 768
    heads: int = 8

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise WeightsError(
                f"`qformer.width` must be a multiple of its {self.heads} heads, not {self.width}"
            )


@dataclass(frozen=True)
class NetworkConfig:
    """Every size that the weights of the appearance net, denoiser, landmark encoder and image prompt depend on.

    The defaults are the released checkpoint's sizes (Stable Diffusion 1.5's UNet).

    Raises WeightsError for sizes of which no networks can be built.
    """

    layout: Layout = "released"
    latent_channels: int = 4
    block_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    layers_per_block: int = 2
    heads: int = 8
    norm_groups: int = 32
    context_width: int = 768  # of the cross-attention
    image_source: ImageSource = "clip"  # where the image prompt's tokens come from
    image_width: int = 1024  # channels of one such token
    qformer: QFormerConfig | None = None  # paper layout only
    landmark_channels: tuple[int, ...] = (16, 32, 96, 256)
    motion_modules: bool = True  # False: a stage-1 network, single frames only
    motion_levels: tuple[int, ...] | None = None  # levels with motion modules, 0 is the finest; None: all
    max_frames: int = 32  # rows of the motion modules' position table
    warped_reference: bool = False  # generates latents relative to the warped portrait's, which it also reads
    residual_scale: float = 1.0  # what those differences are multiplied by
    reference_landmarks: bool = False  # the appearance net also sees where the portrait's own features are

    def __post_init__(self) -> None:
        if self.layout not in ("released", "paper"):
            raise WeightsError(f"Unknown network layout {self.layout!r}: it must be 'released' or 'paper'.")
        if (self.layout == "paper") != (self.qformer is not None):
            raise WeightsError("A paper-layout network needs a Q-Former, a released-layout network has none.")
        for channels in self.block_channels:
            if channels % self.norm_groups or channels % self.heads or channels % 2:
                raise WeightsError(
                    f"Block width {channels} must be even, and divisible by {self.norm_groups} groups and {self.heads} heads."
                )
        if len(self.landmark_channels) != 4:
            raise WeightsError(
                "`landmark_channels` must be 4 widths, between which pictures shrink to an eighth, "
                f"not {list(self.landmark_channels)}"
            )
        if self.image_source not in get_args(ImageSource):
            raise WeightsError(
                f"`image_source` must be one of {', '.join(get_args(ImageSource))}, not {self.image_source!r}"
            )
        tokens = self.latent_channels + 2  # a latent pixel and its place, see `latent_tokens`
        if self.image_source == "latents" and self.image_width != tokens:
            raise WeightsError(
                f"`image_width` must be {tokens} for an image prompt of latents, not {self.image_width}"
            )
        if not self.residual_scale > 0:
            raise WeightsError(f"`residual_scale` must be above 0, not {self.residual_scale}")
        if any(level >= len(self.block_channels) for level in self.motion_levels or ()):
            raise WeightsError(
                f"`motion_levels` must be of the {len(self.block_channels)} levels, counted from 0, not {list(self.motion_levels or ())}"
            )

    def moves(self, level: int) -> bool:
        """Whether the denoiser has motion modules at a level; the middle belongs to the last one."""
        return self.motion_modules and (self.motion_levels is None or level in self.motion_levels)

    @property
    def picture_multiple(self) -> int:
        """Pixels that a picture's sides must be a multiple of: each level of the UNets halves the latents."""
        return LATENT_STRIDE * 2 ** (len(self.block_channels) - 1)

    @property
    def denoiser_channels(self) -> int:
        """Input channels of the denoiser: noisy latents, and in the paper layout the known frames and their mask."""
        return self.latent_channels if self.layout == "released" else 2 * self.latent_channels + 1

    @property
    def time_width(self) -> int:
        return 4 * self.block_channels[0]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NetworkConfig:
        """Read a saved config; raises WeightsError on a key that this version does not know."""
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise WeightsError(f"The network config has unknown entries: {', '.join(sorted(unknown))}.")
        values = dict(values)
        if values.get("qformer") is not None:
            values["qformer"] = QFormerConfig(**values["qformer"])
        for name in ("block_channels", "landmark_channels", "motion_levels"):
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        return cls(**values)
