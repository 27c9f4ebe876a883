"""What questions are asked with: models of random weights, clips of random features, and the bundled portrait, whose
landmarks are known, so that nothing has to be detected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from benchmarks.denoiser import randomise
from benchmarks.gpu.sizes import Sizes
from followyouremoji.animator import PortraitAnimator
from followyouremoji.checkpoints.codec import Codec
from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.encoders import ClipImageEncoder, StableDiffusionAutoencoder
from followyouremoji.checkpoints.model import Model, with_cpu_kernels
from followyouremoji.checkpoints.tensors import on_meta
from followyouremoji.face.detection import Landmarks
from followyouremoji.media.pictures import read_picture, resize_picture
from followyouremoji.networks import FollowYourEmoji
from followyouremoji.prepared import Prepared
from followyouremoji.requests.bundled import bundled_motion, portrait_landmarks, portrait_path
from followyouremoji.sampling.guidance import ClipConditioning, condition_clip, predict_velocity
from followyouremoji.sampling.sampler import Tally, sample
from followyouremoji.sampling.settings import SamplingSettings

PORTRAIT, MOTION, OTHER_MOTION = "bundled:ada", "talk", "hello"
IMAGE_TOKENS = 257
SEED = 1
Network = TypeVar("Network", bound=nn.Module)


def random_networks(sizes: Sizes, device: torch.device) -> FollowYourEmoji:
    """The networks as a model that is loaded has them, with random weights from a seed."""
    networks = on_meta(lambda: FollowYourEmoji(sizes.network)).to(sizes.dtype).to_empty(device=device)
    return ready(networks, device)


def ready(networks: Network, device: torch.device) -> Network:
    """Give networks random weights, none of which is zero, and the form in which they are computed quickest."""
    randomise(networks)
    if device.type == "cuda":
        networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for network in networks.children():
        with_cpu_kernels(network, device)
    return networks.eval().requires_grad_(False)


def random_codec(sizes: Sizes, device: torch.device) -> Codec:
    """Stable Diffusion's autoencoder and CLIP's image encoder, with random weights. Raises ImportError without
    diffusers or transformers."""
    from diffusers import AutoencoderKL
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(SEED)
    with torch.device(device):
        autoencoder: Any = AutoencoderKL(**sizes.autoencoder)
        encoder: Any = CLIPVisionModel(CLIPVisionConfig(**sizes.image_encoder))
    codec = Codec(StableDiffusionAutoencoder(autoencoder), ClipImageEncoder(encoder.to(sizes.dtype)))
    return codec.eval().requires_grad_(False)


def random_model(sizes: Sizes, device: torch.device, networks: FollowYourEmoji | None = None) -> Model:
    """A model of the paper's layout with random weights, or with these networks."""
    config = ModelConfig(
        name="random",
        network=sizes.network,
        picture_size=sizes.picture,
        steps=sizes.steps,
        guidance_scale=sizes.guidance,
        window=sizes.frames,
    )
    return Model(config, networks or random_networks(sizes, device), random_codec(sizes, device))


def known_landmarks(side: int) -> Landmarks:
    """Of the bundled portrait, `side` pixels a side."""
    landmarks = portrait_landmarks(portrait_path(PORTRAIT))
    assert landmarks is not None
    return Landmarks(landmarks, (side, side))


def prepared_clip(animator: PortraitAnimator, frames: int, side: int = 512, motion: str = MOTION) -> Prepared:
    """So many frames of the bundled portrait, `side` pixels a side, with a bundled motion."""
    picture = resize_picture(read_picture(portrait_path(PORTRAIT)), (side, side))
    driving = bundled_motion(motion)[:frames]
    return animator.prepare(picture, driving, portrait_landmarks=known_landmarks(side))


class RandomClip:
    """A portrait and landmark features of random numbers, for questions about denoising alone; a
    `sampling.sampler.ClipReader`."""

    def __init__(self, networks: FollowYourEmoji, sizes: Sizes, guidance_scale: float) -> None:
        self.device, self.denoiser = networks.device, networks.denoiser
        self._networks, self._sizes, self._scale = networks, sizes, guidance_scale
        config, side = sizes.network, sizes.latents
        generator = torch.Generator().manual_seed(SEED)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator).to(self.device, sizes.dtype)

        self._portrait = normal(1, config.latent_channels, side, side)
        self._tokens = normal(1, IMAGE_TOKENS, config.image_width)
        self._features = normal(1, config.block_channels[0], sizes.frames, side, side)
        self._noisy = normal(1, config.latent_channels, sizes.frames, side, side)
        self.conditioning = self.read()

    @torch.inference_mode()
    def read(self) -> ClipConditioning:
        """What all frames attend to."""
        prompt, appearance = self._networks.read_portrait(self._portrait, self._tokens)
        return condition_clip(self.denoiser, prompt, appearance, self._scale)

    def warped(self, frames: Sequence[int]) -> Tensor | None:
        return None

    def features(self, frames: Sequence[int], warped: Tensor | None) -> Tensor:
        return self._features[:, :, [frame % self._sizes.frames for frame in frames]]

    def region(self, frames: Sequence[int]) -> Tensor:
        """Half of each picture."""
        region = torch.zeros_like(self._features[:, :1, [0] * len(frames)])
        region[..., : region.shape[-1] // 2] = 1
        return region

    @torch.inference_mode()
    def velocity(self) -> Tensor:
        """A step's prediction for one window."""
        nothing, mask = torch.zeros_like(self._noisy), torch.zeros_like(self._noisy[:, :1, :, :1, :1])
        step = torch.tensor(500)
        return predict_velocity(
            self.denoiser, self._noisy, nothing, mask, step, self._features, self.conditioning
        )

    def latents(self, frames: int, settings: SamplingSettings, tally: Tally | None = None) -> Tensor:
        """A whole clip's latents (frames, channels, height, width)."""
        shape = (self._sizes.network.latent_channels, self._sizes.latents, self._sizes.latents)
        return torch.cat([part.latents for part in sample([self], frames, shape, settings, tally=tally)])
