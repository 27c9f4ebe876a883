"""A batch as the networks meet it: portraits, clips and what is known of them as latents, to be noised as much as one
likes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from followyouremoji.checkpoints.codec import Codec
from followyouremoji.networks import NetworkConfig
from followyouremoji.sampling.known_frames import join_known
from followyouremoji.sampling.residual import relative_to_warp
from followyouremoji.training.batch import Batch

Predict = Callable[..., Tensor]
"""`FollowYourEmoji.forward`, or that of `Networks` where portraits are withheld, as it is or wrapped for several
processes."""


@dataclass(frozen=True)
class Example:
    """b portraits and n clips of f frames, sample-major; all on the networks' device."""

    config: NetworkConfig
    portrait: Tensor  # (b, c, h, w)
    image_tokens: Tensor  # (b, tokens, image width)
    portrait_landmarks: Tensor  # uint8 (b, 3, H, W)
    landmarks: Tensor  # uint8 (n, 3, f, H, W)
    warped: Tensor | None  # (n, c, f, h, w)
    latents: Tensor  # (n, c, f, h, w), relative to the warped portrait where the networks work so
    noise: Tensor  # (n, c, f, h, w)
    known: Tensor  # (n, 1, f, 1, 1), 1 where a frame is known

    def inputs(self, noised: Tensor, timesteps: Tensor) -> tuple[Tensor | None, ...]:
        """What the networks are given of noised latents (n, c, f, h, w) at `timesteps` (n,)."""
        noisy = join_known(noised, self.latents, self.known) if self.config.layout == "paper" else noised
        return (
            self.portrait,
            self.image_tokens,
            self.portrait_landmarks,
            self.landmarks,
            self.warped,
            noisy,
            timesteps,
        )

    def with_known(self, noised: Tensor, angles: Tensor) -> Tensor:
        """Latents (n, c, f, h, w) noised to `angles` (n,) whose known frames are where the way from their noise leads
        through, as they are while a clip is sampled."""
        angles = angles.view(-1, 1, 1, 1, 1)
        on_their_way = angles.cos() * self.latents + angles.sin() * self.noise
        return torch.where(self.known == 1, on_their_way, noised)


@torch.no_grad()
def read_batch(config: NetworkConfig, codec: Codec, batch: Batch) -> Example:
    """Pictures of a batch to latents, where those are not cached, and to the image prompt's tokens."""
    portrait = batch.portrait_latents if batch.portrait_latents is not None else codec.encode(batch.portrait)
    if batch.latents is not None:
        latents = batch.latents
    else:
        assert batch.targets is not None
        latents = codec.encode_clips(batch.targets)
    warped = None
    if batch.warped is not None:
        warped = codec.encode_clips(batch.warped)
        latents = relative_to_warp(latents, warped, config.residual_scale)
    return Example(
        config,
        portrait,
        codec.image_tokens(batch.portrait, portrait),
        batch.portrait_landmarks,
        batch.landmarks,
        warped,
        latents,
        batch.noise,
        batch.known[:, None, :, None, None].float(),
    )
