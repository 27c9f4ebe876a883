"""The foreign parts of a full-size model: Stable Diffusion's autoencoder and CLIP's image encoder.

diffusers and transformers take seconds to import, so they are imported only where such a part is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn

from followyouremoji.checkpoints.config import STABLE_DIFFUSION_LATENT_CHANNELS
from followyouremoji.checkpoints.foreign_config import VAE_UNREAD, ClipConfig, VaeConfig, read_foreign_config
from followyouremoji.checkpoints.tensors import open_tensors, read_tensors
from followyouremoji.errors import WeightsError, first_line, shown
from followyouremoji.networks import Autoencoder

LATENT_SCALE = 0.18215  # Stable Diffusion's, brings latents to about unit variance
CLIP_SIZE = 224
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
VAE_WEIGHTS = "diffusion_pytorch_model.safetensors"
CLIP_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the better one first
# Tensors that a file may hold and that are left there on purpose: a range of integers that older files have, and CLIP's
# projection, which comes after the tokens that the image prompt is made of.
UNUSED_IN_CLIP = {"vision_model.embeddings.position_ids", "visual_projection.weight"}


class StableDiffusionAutoencoder(Autoencoder):
    """Its latents are the mean of the encoder's Gaussian."""

    def __init__(self, vae: nn.Module) -> None:
        super().__init__()
        self.vae, self.latent_channels = vae, STABLE_DIFFUSION_LATENT_CHANNELS

    def encode(self, pictures: Tensor) -> Tensor:
        return self.vae.encode(pictures).latent_dist.mean * LATENT_SCALE  # type: ignore[operator]

    def decode(self, latents: Tensor) -> Tensor:
        return self.vae.decode(latents / LATENT_SCALE).sample  # type: ignore[operator]

    def save(self, folder: Path) -> None:
        self.vae.save_pretrained(folder, safe_serialization=True)  # type: ignore[operator]


def clip_pixels(pictures: Tensor) -> Tensor:
    """What CLIP reads of pictures in [-1, 1]: 224x224, bicubic, normalised by its mean and standard deviation,
    float32."""
    size = (CLIP_SIZE, CLIP_SIZE)
    x = F.interpolate(pictures.float(), size=size, mode="bicubic", antialias=True, align_corners=False)
    mean = torch.tensor(CLIP_MEAN, device=x.device)[:, None, None]
    std = torch.tensor(CLIP_STD, device=x.device)[:, None, None]
    return (((x + 1) / 2).clamp(0, 1) - mean) / std


class ClipImageEncoder(nn.Module):
    """All tokens of CLIP's last hidden state, before its projection."""

    def __init__(self, clip: nn.Module) -> None:
        super().__init__()
        self.clip = clip

    def forward(self, pictures: Tensor) -> Tensor:
        """`(batch, 3, height, width)` in [-1, 1] to `(batch, 257, 1024)` for the ViT-L/14 of the released model."""
        dtype = next(self.clip.parameters()).dtype
        return self.clip(pixel_values=clip_pixels(pictures).to(dtype)).last_hidden_state

    def save(self, folder: Path) -> None:
        from transformers.utils import logging

        with _quiet(logging):
            self.clip.save_pretrained(folder)  # type: ignore[operator]


def load_stable_diffusion_autoencoder(folder: Path, device: torch.device | str) -> StableDiffusionAutoencoder:
    """The autoencoder in a diffusers folder, in float32. Raises WeightsError where it is missing, damaged or
    incomplete."""
    _require_files(folder, VAE_WEIGHTS, "the autoencoder stabilityai/sd-vae-ft-mse")
    read_foreign_config(folder, VaeConfig, VAE_UNREAD)
    with open_tensors(folder / VAE_WEIGHTS):
        pass  # its header is not too long
    from diffusers import AutoencoderKL
    from diffusers.utils import logging

    with _quiet(logging):
        vae = _strictly(
            AutoencoderKL.from_pretrained, folder, use_safetensors=True, torch_dtype=torch.float32
        )
    return StableDiffusionAutoencoder(vae.to(device).eval().requires_grad_(False))


def load_clip_image_encoder(folder: Path, device: torch.device | str, dtype: torch.dtype) -> ClipImageEncoder:
    """The image encoder in a transformers folder, as `model.safetensors` or, as its authors have it,
    `pytorch_model.bin`.

    Raises WeightsError where it is missing, damaged or incomplete, or the `.bin` holds more than tensors.
    """
    weights = next((name for name in CLIP_WEIGHTS if (folder / name).is_file()), CLIP_WEIGHTS[0])
    _require_files(folder, weights, "the image encoder of lambdalabs/sd-image-variations-diffusers")
    sizes = read_foreign_config(folder, ClipConfig)
    tensors = read_tensors(folder / weights)
    from transformers import CLIPVisionConfig, CLIPVisionModel
    from transformers.utils import logging

    with _quiet(logging):
        clip = _strictly(
            lambda _, **options: CLIPVisionModel.from_pretrained(
                None, **options
            ),  # nothing else of the folder
            folder,
            config=CLIPVisionConfig(**asdict(sizes)),
            state_dict=tensors,
            ignore_mismatched_sizes=True,
        )
    return ClipImageEncoder(clip.to(device, dtype).eval().requires_grad_(False))


def _require_files(folder: Path, weights: str, what: str) -> None:
    for name in ("config.json", weights):
        if not (folder / name).is_file():
            raise WeightsError(
                f"{folder / name} is missing: this model needs {what} there; "
                "fetch it with `fye weights download`, or put it there by hand"
            )


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Keep the library whose logging this is from printing progress bars and reports; what is wrong is raised
    instead."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _strictly(from_pretrained: Callable[..., Any], folder: Path, **options: Any) -> Any:
    """Load a folder of diffusers or transformers, which only log what does not fit, and raise where it does not."""
    try:
        module, info = from_pretrained(
            str(folder), local_files_only=True, output_loading_info=True, **options
        )
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RuntimeError,
        SafetensorError,
    ) as error:
        reason = first_line(error).split(". ")[0]
        raise WeightsError(f"{folder} is damaged or of another network ({reason}); fetch it again") from error
    wrong = {
        "missing": set(info["missing_keys"]),
        "of no use": set(info["unexpected_keys"]) - UNUSED_IN_CLIP,
        "of another shape": {entry[0] for entry in info["mismatched_keys"]},
    }
    for problem, names in wrong.items():
        if names:
            raise WeightsError(
                f"{folder} does not fit its network: {shown(min(names))} ({len(names)} in all) {problem}; fetch it again"
            )
    return module
