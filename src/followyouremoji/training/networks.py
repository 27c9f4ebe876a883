"""All networks that learn, as one module whose forward is a training step's: from a portrait and landmark pictures to
`v` (Sec. 3)."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.utils.checkpoint import checkpoint

from followyouremoji.networks import (
    AppearanceNet,
    AutoencoderConfig,
    Denoiser,
    LandmarkEncoder,
    NetworkConfig,
    QFormer,
    SmallAutoencoder,
)
from followyouremoji.networks.compiling import compile_module
from followyouremoji.networks.layers import ResnetBlock, SpatialTransformer
from followyouremoji.networks.motion_module import MotionModule


class Networks(nn.Module):
    """Appearance net, denoiser, landmark encoder and, in the paper layout, the Q-Former of the image prompt.

    With `autoencoder` given, also that autoencoder's decoder, for runs that tune it or go on from one that did: no part
    of `forward`, but trained, averaged and saved with the others. `withholds`: samples may come without their portrait,
    which processes that share the weights must know beforehand.
    """

    qformer: QFormer | None
    decoder: nn.Module | None

    def __init__(
        self, config: NetworkConfig, autoencoder: AutoencoderConfig | None = None, *, withholds: bool = False
    ) -> None:
        super().__init__()
        self.config, self.autoencoder, self.withholds = config, autoencoder, withholds
        self.appearance_net = AppearanceNet(config)
        self.denoiser = Denoiser(config)
        self.landmark_encoder = LandmarkEncoder(config)
        self.qformer = QFormer(config) if config.qformer is not None else None
        self.decoder = SmallAutoencoder(autoencoder).decoder if autoencoder is not None else None
        # The appearance net hands its last tokens over before this layer, which stays for the released tensor names.
        self.appearance_net.transformers()[-1].proj_out.requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def learn_from_nothing(self) -> None:
        """Give the landmark encoder's last layer, zero for a pretrained denoiser's sake, the ordinary
        initialisation."""
        self.landmark_encoder.conv_out.reset_parameters()

    def learn_time_alone(self) -> None:
        """Stage 2: freeze everything but the temporal layers and, in the paper layout, the convolution that reads the
        known frames."""
        for name, parameter in self.named_parameters():
            reads_known_frames = self.config.layout == "paper" and name.startswith("denoiser.conv_in")
            parameter.requires_grad_("motion_modules" in name or reads_known_frames)

    def save_activation_memory(self) -> None:
        """Keep only the inputs of each layer and compute what is inside it again in the backward pass."""
        for module in self.modules():
            if isinstance(module, (ResnetBlock, SpatialTransformer, MotionModule)):
                module.forward = partial(checkpoint, module.forward, use_reentrant=False)  # type: ignore[method-assign]

    def compile_parts(self) -> None:
        """Compile each network in place; names of parameters stay as they are.

        Where portraits are withheld, the denoiser is given those and the others apart: as many sizes of a batch, twice,
        as there are portraits.
        """
        for network in (self.appearance_net, self.denoiser, self.landmark_encoder):
            compile_module(network)

    def prompt(self, image_tokens: Tensor) -> Tensor:
        """The image prompt that both UNets read, from the image encoder's or latents' tokens (b, tokens, image
        width)."""
        return image_tokens if self.qformer is None else self.qformer(image_tokens)

    def read(
        self,
        portrait: Tensor,
        image_tokens: Tensor,
        portrait_landmarks: Tensor,
        landmarks: Tensor,
        warped: Tensor | None,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """What the denoiser is told, see `forward`: the landmarks' features, the image prompt and the appearance
        tokens."""
        features = self.landmark_encoder(landmarks, warped)
        own = self.landmark_encoder(portrait_landmarks)[:, :, 0] if self.config.reference_landmarks else None
        prompt = self.prompt(image_tokens)
        return features, prompt, self.appearance_net(portrait, prompt, own)

    def forward(
        self,
        portrait: Tensor,
        image_tokens: Tensor,
        portrait_landmarks: Tensor,
        landmarks: Tensor,
        warped: Tensor | None,
        noisy: Tensor,
        timesteps: Tensor,
        kept: Tensor,
    ) -> Tensor:
        """One prediction.

        `portrait` latents (b, c, h, w), its `image_tokens` (b, tokens, image width) and landmark picture (b, 3, 1, H,
        W); `landmarks` (n, 3, f, H, W) and the latents of the portrait warped by them, `warped` (n, c, f, h, w), for
        networks with `warped_reference`; `noisy` (n, denoiser channels, f, h, w), n a multiple of b, sample-major;
        `timesteps` (n,); `kept` bool (b,) on the CPU, False where the portrait is withheld as in guidance's second
        pass: no image prompt, no appearance. Returns v (n, c, f, h, w).
        """
        reads_noise = self.denoiser.conv_in.weight.requires_grad
        if noisy.device.type == "cpu" and torch.is_grad_enabled() and not reads_noise:
            # torch 2.13 crashes in a CPU's backward pass of a channels-last group norm whose input needs no gradient,
            # as the input of the first motion module would not where only the motion modules learn.
            noisy = noisy.detach().requires_grad_()
        features, prompt, appearance = self.read(
            portrait, image_tokens, portrait_landmarks, landmarks, warped
        )
        # Processes that hold shares of the weights gather them layer by layer: all must call the same layers, whatever
        # they keep.
        alike = self.withholds and isinstance(self, FSDPModule)
        if bool(kept.all()) and not alike:
            return self.denoiser(noisy, timesteps, features, self.denoiser.condition(prompt, appearance))

        targets = len(noisy) // len(portrait)
        v = torch.empty_like(noisy[:, : self.config.latent_channels])
        unheeded = [tokens.sum() for tokens in appearance]
        for state in (True, False):
            rows = torch.nonzero(kept == state)[:, 0].to(noisy.device)
            idle = not len(rows)
            if idle and not alike:
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
                unheeded.append(predicted.sum())
            else:
                v = v.to(predicted.dtype).index_copy(0, samples, predicted)
        # Where every portrait of a process is withheld, its gradients of the other networks are zero, not absent:
        # processes must agree.
        return v + 0.0 * torch.stack(unheeded).sum()
