"""The networks in training: what each stage trains, portraits that are withheld, and the autoencoder's decoder where a
run tunes it (Sec. 3)."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.utils.checkpoint import checkpoint

from followyouremoji.networks import AutoencoderConfig, FollowYourEmoji, NetworkConfig, SmallAutoencoder
from followyouremoji.networks.compiling import compile_module
from followyouremoji.networks.layers import ResnetBlock, SpatialTransformer
from followyouremoji.networks.motion_module import MotionModule


class Networks(FollowYourEmoji):
    """The networks in training; `forward` is a training step's.

    With `autoencoder` given, also that autoencoder's decoder, for runs that tune it or go on from one that did: no part
    of `forward`, but trained, averaged and saved with the others.
    """

    decoder: nn.Module | None

    def __init__(self, config: NetworkConfig, autoencoder: AutoencoderConfig | None = None) -> None:
        super().__init__(config)
        self.autoencoder = autoencoder
        self.decoder = SmallAutoencoder(autoencoder).decoder if autoencoder is not None else None
        # The appearance net hands its last tokens over before this layer, which stays for the released tensor names.
        self.appearance_net.transformers()[-1].proj_out.requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def init_from_scratch(self) -> None:
        """Give the landmark encoder's last layer, zero for a pretrained denoiser's sake, the ordinary
        initialisation."""
        self.landmark_encoder.conv_out.reset_parameters()

    def freeze_spatial_layers(self) -> None:
        """Stage 2: freeze everything but the temporal layers and, in the paper layout, the convolution that reads the
        known frames."""
        for name, parameter in self.named_parameters():
            reads_known_frames = self.config.layout == "paper" and name.startswith("denoiser.conv_in")
            parameter.requires_grad_("motion_modules" in name or reads_known_frames)

    def freeze_all_but_denoiser(self) -> None:
        """Distillation: what the portrait and the landmarks say stays as it is, the denoiser learns to use it in fewer
        steps."""
        self.requires_grad_(False)
        self.denoiser.requires_grad_(True)

    def compile_parts(self) -> None:
        """Compile each network in place; names of parameters stay as they are.

        Where portraits are withheld, the denoiser is given those and the others apart: as many sizes of a batch, twice,
        as there are portraits.
        """
        for network in (self.appearance_net, self.denoiser, self.landmark_encoder):
            compile_module(network)

    def forward(
        self,
        latents: Tensor,
        image_tokens: Tensor,
        portrait_landmarks: Tensor,
        landmarks: Tensor,
        warped: Tensor | None,
        noisy: Tensor,
        timesteps: Tensor,
        kept: Tensor | None = None,
    ) -> Tensor:
        """One prediction, see `FollowYourEmoji.forward`, for a run that may withhold portraits.

        `kept` bool (b,) on the CPU, False where the portrait is withheld as in guidance's second pass: no image prompt,
        no appearance. None: a run that withholds none.
        """
        reads_noise = self.denoiser.conv_in.weight.requires_grad
        if noisy.device.type == "cpu" and torch.is_grad_enabled() and not reads_noise:
            # torch 2.13 crashes in a CPU's backward pass of a channels-last group norm whose input needs no gradient,
            # as the input of the first motion module would not where only the motion modules learn.
            noisy = noisy.detach().requires_grad_()
        # Processes that hold shards of the weights gather them layer by layer: all must call the same layers, whatever
        # they keep.
        uniform = isinstance(self, FSDPModule)
        if kept is None or (bool(kept.all()) and not uniform):
            return super().forward(
                latents, image_tokens, portrait_landmarks, landmarks, warped, noisy, timesteps
            )

        features = self.features(landmarks, warped)
        prompt, appearance = self.read_portrait(latents, image_tokens, portrait_landmarks)
        targets = len(noisy) // len(latents)
        v = torch.empty_like(noisy[:, : self.config.latent_channels])
        zero_terms = [tokens.sum() for tokens in appearance]
        for state in (True, False):
            rows = torch.nonzero(kept == state)[:, 0].to(noisy.device)
            idle = not len(rows)
            if idle and not uniform:
                continue
            if idle:
                rows = torch.zeros_like(kept[:1], dtype=torch.long, device=noisy.device)
            samples = (rows[:, None] * targets + torch.arange(targets, device=rows.device)).flatten()
            conditioning = (
                self.denoiser.condition(prompt[rows], [tokens[rows] for tokens in appearance])
                if state
                else self.denoiser.condition(torch.zeros_like(prompt[rows]), None)
            )
            predicted = self.denoiser(noisy[samples], timesteps[samples], features[samples], conditioning)
            if idle:
                zero_terms.append(predicted.sum())
            else:
                v = v.to(predicted.dtype).index_copy(0, samples, predicted)
        # Where every portrait of a process is withheld, its gradients of the other networks are zero, not absent:
        # processes must agree.
        return v + 0.0 * torch.stack(zero_terms).sum()


def recompute_activations(networks: nn.Module) -> None:
    """Keep only the inputs of each layer and compute what is inside it again in the backward pass."""
    for module in networks.modules():
        if isinstance(module, (ResnetBlock, SpatialTransformer, MotionModule)):
            module.forward = partial(checkpoint, module.forward, use_reentrant=False)  # type: ignore[method-assign]
