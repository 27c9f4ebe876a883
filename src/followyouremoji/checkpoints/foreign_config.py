"""What the folders of diffusers and transformers say of their networks, checked before these libraries build them: they
take numbers of any size, and follow entries to other files and to the network."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from followyouremoji.config import Config, parse, validated
from followyouremoji.errors import WeightsError, first_line
from followyouremoji.networks.config import Count, Size, Sizes
from followyouremoji.reading import read_json


@validated
class VaeConfig:
    """What decides the network of a folder of Stable Diffusion's autoencoder, which diffusers builds of it."""

    act_fn: Literal["silu"] = "silu"
    in_channels: Literal[3] = 3
    out_channels: Literal[3] = 3
    latent_channels: Size = 4
    block_out_channels: Sizes = (64,)
    down_block_types: tuple[Literal["DownEncoderBlock2D"], ...] = ("DownEncoderBlock2D",)
    up_block_types: tuple[Literal["UpDecoderBlock2D"], ...] = ("UpDecoderBlock2D",)
    layers_per_block: Count = 1
    norm_num_groups: Size = 32
    mid_block_add_attention: bool = True
    use_quant_conv: bool = True
    use_post_quant_conv: bool = True
    sample_size: Size = 32

    @model_validator(mode="after")
    def _has_blocks(self) -> Self:
        if not len(self.block_out_channels) == len(self.down_block_types) == len(self.up_block_types):
            raise ValueError("its levels and the types of their blocks must be of one number")
        return self


VAE_UNREAD = frozenset(
    {
        *("_class_name", "_diffusers_version", "_name_or_path", "force_upcast"),
        *("scaling_factor", "shift_factor", "latents_mean", "latents_std"),
    }
)
"""Entries that change no network. Others are refused: diffusers would follow them."""


@validated
class ClipConfig:
    """What decides CLIP's image encoder; by default as transformers has it."""

    hidden_size: Size = 768
    intermediate_size: Size = 3072
    num_hidden_layers: Annotated[int, Field(ge=1, le=64)] = 12
    num_attention_heads: Size = 12
    image_size: Annotated[int, Field(ge=1, le=1024)] = 224
    patch_size: Annotated[int, Field(ge=1, le=1024)] = 32
    hidden_act: Literal["quick_gelu", "gelu"] = "quick_gelu"
    layer_norm_eps: Annotated[float, Field(gt=0, lt=1)] = 1e-5

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        if self.hidden_size % self.num_attention_heads or self.patch_size > self.image_size:
            raise ValueError("its heads must divide its width, and a patch fit into its pictures")
        return self


def read_foreign_config(folder: Path, kind: type[Config], unread: frozenset[str] | None = None) -> Config:
    """What a folder's `config.json` says of its network; other entries are left out: all, or those that are `unread`.

    Raises WeightsError where it cannot be read or is of no network of this `kind`.
    """
    file = folder / "config.json"
    try:
        values = read_json(file)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read as JSON ({first_line(error)}); fetch it again") from error
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    kept = {
        name: value
        for name, value in values.items()
        if name in known or not (unread is None or name in unread)
    }
    return parse(kind, json.dumps(kept), file, WeightsError)
