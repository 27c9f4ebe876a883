"""The whole method but its autoencoder: from a portrait's latents and landmark pictures to the denoiser's prediction
(Sec. 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from followyouremoji.networks.config import NetworkConfig
from followyouremoji.networks.image_prompt import QFormer
from followyouremoji.networks.landmark_encoder import LandmarkEncoder
from followyouremoji.networks.unet import AppearanceNet, Denoiser


class FollowYourEmoji(nn.Module):
    """Appearance net, denoiser, landmark encoder and, in the paper layout, the Q-Former of the image prompt.

    Animating calls `read_portrait` once a clip, `features` once a frame and the denoiser in every step; `forward` is
    all of it at once, as training needs it.
    """

    qformer: QFormer | None

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.appearance_net = AppearanceNet(config)
        self.denoiser = Denoiser(config)
        self.landmark_encoder = LandmarkEncoder(config)
        self.qformer = QFormer(config) if config.qformer is not None else None

    @property
    def device(self) -> torch.device:
        return self.landmark_encoder.conv_in.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The type that the networks compute in; inputs of others are converted."""
        return self.landmark_encoder.conv_in.weight.dtype

    def features(self, landmarks: Tensor, warped: Tensor | None = None) -> Tensor:
        """Landmark pictures to what the denoiser's first convolution adds.

        `landmarks` uint8 (batch, 3, frames, height, width); `warped` latents (batch, latent channels, frames,
        height / 8, width / 8) of the portrait warped by them, for networks with `warped_reference`. Returns (batch,
        first block width, frames, height / 8, width / 8).
        """
        pictures = (landmarks.to(self.device).float() / 255).to(self.dtype)
        return self.landmark_encoder(pictures, None if warped is None else self._own(warped))

    def read_portrait(
        self, latents: Tensor, image_tokens: Tensor, landmarks: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """A portrait to the image prompt (batch, tokens, image width) and the appearance tokens of every block, which
        `Denoiser.condition` takes.

        `latents` (batch, latent channels, height, width); `image_tokens` (batch, tokens, image width) of the image
        encoder or of the latents; `landmarks` uint8 (batch, 3, picture height, picture width), the portrait's own
        landmark picture, which networks with `reference_landmarks` read.
        """
        own = None
        if self.config.reference_landmarks and landmarks is not None:
            own = self.features(landmarks[:, :, None])[:, :, 0]
        prompt = self._own(image_tokens)
        if self.qformer is not None:
            prompt = self.qformer(prompt)
        return prompt, self.appearance_net(self._own(latents), prompt, own)

    def forward(
        self,
        latents: Tensor,
        image_tokens: Tensor,
        portrait_landmarks: Tensor,
        landmarks: Tensor,
        warped: Tensor | None,
        noisy: Tensor,
        timesteps: Tensor,
    ) -> Tensor:
        """One prediction.

        Of b portraits `latents`, `image_tokens` and `portrait_landmarks`, see `read_portrait`; of n clips, a multiple
        of b, sample-major, `landmarks` and `warped`, see `features`, `noisy` (n, denoiser channels, frames, height,
        width) and `timesteps` (n,). Returns v (n, latent channels, frames, height, width).
        """
        features = self.features(landmarks, warped)
        prompt, appearance = self.read_portrait(latents, image_tokens, portrait_landmarks)
        return self.denoiser(noisy, timesteps, features, self.denoiser.condition(prompt, appearance))

    def _own(self, values: Tensor) -> Tensor:
        """Values on the networks' device and of their type."""
        return values.to(self.device, self.dtype)
