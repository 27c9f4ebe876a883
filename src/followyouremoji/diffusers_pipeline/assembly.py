"""A pipeline's components as a model of this project, which everything else here generates with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from followyouremoji.checkpoints.codec import Codec
from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.encoders import ClipImageEncoder, StableDiffusionAutoencoder
from followyouremoji.checkpoints.model import Model, with_cpu_kernels
from followyouremoji.checkpoints.offloading import Turns
from followyouremoji.checkpoints.tensors import on_meta
from followyouremoji.diffusers_pipeline.conversion import NETWORKS, config_of
from followyouremoji.diffusers_pipeline.parts import Part, SmallAutoencoderModel
from followyouremoji.errors import WeightsError
from followyouremoji.networks import FollowYourEmoji


class HookedTurns(Turns):
    """Networks that accelerate's hooks move to the device: they wait for a component's `forward`, which is not always
    what is called first."""

    def __init__(self, components: Mapping[nn.Module, nn.Module]) -> None:
        """`components` by their networks."""
        super().__init__({})
        self._components = components

    @contextmanager
    def using(self, *networks: nn.Module) -> Iterator[None]:
        """Have these networks on the device; the hooks of others take them away."""
        for network in networks:
            component = self._components.get(network)
            hook: Any = getattr(component, "_hf_hook", None)
            if hook is not None:
                hook.pre_forward(component)
        yield


def config_of_components(pipeline: Any) -> ModelConfig:
    """The config of the model whose components a pipeline has, as a checkpoint has it. Raises WeightsError for
    components that are none of a model."""
    vae = pipeline.vae.config["sizes"] if isinstance(pipeline.vae, SmallAutoencoderModel) else None
    return config_of(
        pipeline.config["model"], pipeline.denoiser.config["sizes"], vae, "the pipeline's config"
    )


def assemble(pipeline: Any) -> Model:
    """The model of a pipeline's components, whose tensors it shares; of a modular pipeline's too.

    Raises WeightsError where they are not those of one model.
    """
    config, vae, image_encoder = config_of_components(pipeline), pipeline.vae, pipeline.image_encoder
    networks = on_meta(lambda: FollowYourEmoji(config.network)).eval()
    components: dict[nn.Module, nn.Module] = {}
    for name in NETWORKS:
        part: Part | None = getattr(pipeline, name)
        if (part is None) != (getattr(networks, name) is None):
            raise WeightsError(f"the model {config.name!r} needs {'a' if part is None else 'no'} {name}")
        if part is None:
            continue
        if part.sizes != config.network:
            raise WeightsError(f"the {name} is of another model than the denoiser; take both from one")
        setattr(networks, name, part.network)
        components[part.network] = part
    if (image_encoder is None) == (config.network.image_source == "clip"):
        raise WeightsError(
            f"the model {config.name!r} needs {'an' if image_encoder is None else 'no'} image_encoder"
        )
    own = vae.network if isinstance(vae, SmallAutoencoderModel) else StableDiffusionAutoencoder(vae)
    encoder = None if image_encoder is None else ClipImageEncoder(image_encoder)
    if encoder is not None and image_encoder is not None:
        components[encoder] = image_encoder
    return Model(config, networks, Codec(own, encoder).eval(), HookedTurns(components))


def suit_device(model: Model) -> None:
    """Have the networks of a pipeline compute in the way that suits where they are now."""
    autoencoder, device = model.codec.autoencoder, model.device
    if next(autoencoder.parameters()).dtype != torch.float32:
        autoencoder.to(torch.float32)  # bfloat16 has fewer levels than a picture
    for network in (model.networks.denoiser, model.networks.appearance_net, autoencoder):
        with_cpu_kernels(network, device)
        if device.type == "cuda":  # the layout in which its convolutions compute
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
