"""The networks as models of diffusers, which saves, loads, moves and offloads them by rules of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Self

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from followyouremoji.checkpoints.tensors import on_meta
from followyouremoji.config import parse
from followyouremoji.errors import WeightsError
from followyouremoji.networks import (
    AppearanceNet,
    AutoencoderConfig,
    Denoiser,
    LandmarkEncoder,
    NetworkConfig,
    QFormer,
    SmallAutoencoder,
)

TABLES = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")
"""Where torch keeps what belongs to a module."""

Sizes = NetworkConfig | AutoencoderConfig


class Part(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers' own way
    """A network of this project as a model of diffusers.

    It holds the very tensors of its `network`, under their names: what is loaded into, moved or changed in one of both
    is so in the other.
    """

    kind: ClassVar[type[nn.Module]]
    sizes_kind: ClassVar[type[Sizes]] = NetworkConfig
    network: nn.Module

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, sizes: dict[str, Any]) -> None:
        """Build the network of `sizes`, the entries of a `NetworkConfig`; of the autoencoder of an `AutoencoderConfig`.

        Raises WeightsError for sizes that no network can have.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._stand_for(self.kind(read_sizes(self.sizes_kind, sizes, type(self).__name__)))

    @classmethod
    def of(cls, network: nn.Module, sizes: Sizes) -> Self:
        """A network that exists already."""
        part = on_meta(lambda: cls(sizes=plain(sizes)))
        part._stand_for(network)
        return part.eval()

    @property
    def sizes(self) -> Any:
        """What its config says of the network."""
        return read_sizes(self.sizes_kind, self.config["sizes"], type(self).__name__)

    def forward(self, *arguments: Any, **named: Any) -> Any:
        return self.network(*arguments, **named)

    def train(self, mode: bool = True) -> Self:
        self.network.train(mode)
        return super().train(mode)

    def _stand_for(self, network: nn.Module) -> None:
        self.__dict__["network"] = network  # past torch's registration: it is this module, not a part of it
        for table in TABLES:
            self.__dict__[table] = network.__dict__[table]


class DenoiserModel(Part):
    """`Denoiser`."""

    kind = Denoiser


class AppearanceNetModel(Part):
    """`AppearanceNet`."""

    kind = AppearanceNet


class LandmarkEncoderModel(Part):
    """`LandmarkEncoder`."""

    kind = LandmarkEncoder


class QFormerModel(Part):
    """`QFormer`."""

    kind = QFormer


class SmallAutoencoderModel(Part):
    """`SmallAutoencoder`, in float32 whatever other parts are: bfloat16 has fewer levels than a picture."""

    kind = SmallAutoencoder
    sizes_kind = AutoencoderConfig

    @classmethod
    def from_pretrained(cls, source: Any, **options: Any) -> Self:  # type: ignore[override]
        options.pop("dtype", None)  # its name in newer versions of diffusers
        return super().from_pretrained(source, **(options | {"torch_dtype": torch.float32}))


def plain(config: Any) -> dict[str, Any]:
    """A config as JSON has it: lists, no tuples."""
    entries: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return entries


def read_sizes(kind: type[Any], sizes: Mapping[str, Any], origin: object) -> Any:
    """Sizes from JSON, checked. Raises WeightsError naming `origin`."""
    return parse(kind, json.dumps(sizes), f"{origin}, `sizes`", WeightsError)
