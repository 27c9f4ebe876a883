"""The weights that the authors published, in either published form, made a checkpoint folder.

The authors' `.pth` files are pickles, which can carry code. They are read by torch's restricted reader, which knows
tensors and nothing else and refuses a file that asks for more.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.encoders import (
    CLIP_WEIGHTS,
    UNUSED_IN_CLIP,
    load_clip_image_encoder,
    load_stable_diffusion_autoencoder,
)
from followyouremoji.checkpoints.folder import (
    IMAGE_ENCODER_FOLDER,
    NETWORK_FILES,
    VAE_FOLDER,
    new_folder,
    write_config,
)
from followyouremoji.checkpoints.model import empty_networks
from followyouremoji.checkpoints.sources import released_folder
from followyouremoji.checkpoints.tensors import (
    check_shapes,
    expected_shapes,
    read_tensors,
    write_tensors,
)
from followyouremoji.errors import WeightsError
from followyouremoji.networks import NetworkConfig

AUTHORS_REPOSITORY = "YueMafighting/FollowYourEmoji"
SAFETENSORS_REPOSITORY = "Kijai/FollowYourEmoji-safetensors"
VAE_REPOSITORY = "stabilityai/sd-vae-ft-mse"
CLIP_REPOSITORY = "lambdalabs/sd-image-variations-diffusers"

# Our network's name: the authors' file, the safetensors conversion's file.
PUBLISHED_FILES = {
    "denoiser": ("unet.pth", "FYE_unet-fp16.safetensors"),
    "appearance_net": ("referencenet.pth", "FYE_referencenet-fp16.safetensors"),
    "landmark_encoder": ("lmk_guider.pth", "FYE_lmk_guider.safetensors"),
}
CLIP_FILE = "sd-image-variations-encoder-fp16.safetensors"  # of the safetensors conversion; it has no config beside it
VAE_WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")  # the better one first
# CLIP ViT-L/14 (Radford et al. 2021, Table 20), whose file in the safetensors conversion has no config.
CLIP_VIT_L14 = {
    "architectures": ["CLIPVisionModel"],
    "model_type": "clip_vision_model",
    "hidden_act": "quick_gelu",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
    "image_size": 224,
}
PROVENANCE = (
    "The weights that the authors of Follow-Your-Emoji (2024) published, trained by them on their own portrait videos; "
    "see their repository for the terms of use."
)


@dataclass(frozen=True)
class PublishedFiles:
    """Where the parts of the released model lie, as they were published."""

    networks: Mapping[str, Path]  # by our network's name, `.pth` or `.safetensors`
    vae: Path  # diffusers folder
    image_encoder: Path  # transformers folder, or the safetensors conversion's file


def released_config(network: NetworkConfig | None = None) -> ModelConfig:
    """How the released model is sampled: 512x512, windows of 24 frames, 30 steps, guidance 3.5."""
    return ModelConfig(
        name="Follow-Your-Emoji (2024)",
        network=network or NetworkConfig(),
        window=24,
        provenance=PROVENANCE,
    )


def find_published_files(
    folder: Path, *, vae: Path | None = None, image_encoder: Path | None = None
) -> PublishedFiles:
    """Find the published files in a folder (or its subfolders `ckpts` and `base`) by their names.

    `vae` and `image_encoder` say where those lie if not there. Raises WeightsError listing every missing file and where
    to get it.
    """
    if not folder.is_dir():
        raise WeightsError(
            f"there is no folder {folder}; give the folder that holds unet.pth and its companions"
        )
    roots = [folder, folder / "ckpts", folder / "base"]
    networks: dict[str, Path] = {}
    missing: list[str] = []
    for name, published in PUBLISHED_FILES.items():
        found = [root / file for file in published for root in roots if (root / file).is_file()]
        if found:
            networks[name] = found[0]
        else:
            missing.append(
                f"{published[0]} (from {AUTHORS_REPOSITORY}) or {published[1]} (from {SAFETENSORS_REPOSITORY})"
            )
    vaes = [vae] if vae else [root / name for root in roots for name in (VAE_FOLDER, "sd-vae-ft-mse")]
    vaes = [path for path in vaes if _weights_in(path, VAE_WEIGHTS)]
    if not vaes:
        missing.append(f"{VAE_FOLDER}/config.json and {VAE_FOLDER}/{VAE_WEIGHTS[0]} (from {VAE_REPOSITORY})")
    encoders = (
        [image_encoder]
        if image_encoder
        else [
            root / name
            for root in roots
            for name in (
                IMAGE_ENCODER_FOLDER,
                f"sd-image-variations-diffusers/{IMAGE_ENCODER_FOLDER}",
                CLIP_FILE,
            )
        ]
    )
    encoders = [path for path in encoders if path.is_file() or _weights_in(path, CLIP_WEIGHTS)]
    if not encoders:
        missing.append(
            f"{IMAGE_ENCODER_FOLDER}/config.json and {IMAGE_ENCODER_FOLDER}/{CLIP_WEIGHTS[1]} (from {CLIP_REPOSITORY}) or "
            f"{CLIP_FILE} (from {SAFETENSORS_REPOSITORY})"
        )
    if missing:
        raise WeightsError(
            f"{folder} lacks {'; '.join(missing)}. All are repositories of https://huggingface.co: put these files into {folder}"
        )
    return PublishedFiles(networks, vaes[0], encoders[0])


def convert_released(
    files: PublishedFiles | str | Path,
    folder: str | Path | None = None,
    *,
    half: bool = True,
    overwrite: bool = False,
    network: NetworkConfig | None = None,
) -> Path:
    """Make the published files a checkpoint folder.

    Parameters
    ----------
    files : the published files, or the folder in which to find them.
    folder : where the checkpoint goes; it appears when it is complete. None: the cache folder's `released`.
    half : save in float16, as the release computes; otherwise in the types that the files have.
    network : sizes of the networks; None: the release's.

    Raises
    ------
    WeightsError : a file is missing, is not a plain file of tensors, or does not hold exactly the tensors of its
        network.
    """
    if not isinstance(files, PublishedFiles):
        files = find_published_files(Path(files))
    if folder is None:
        folder = released_folder()
        folder.parent.mkdir(parents=True, exist_ok=True)
    config = released_config(network)
    dtype = torch.float16 if half else None
    with new_folder(Path(folder), overwrite) as temporary:
        for name, module in empty_networks(config).items():
            file = files.networks[name]
            tensors = read_tensors(file)
            check_shapes({key: tuple(value.shape) for key, value in tensors.items()}, module, file)
            # Position tables stay behind: the network computes them, see `recomputed_shapes`.
            write_tensors(
                {key: tensors[key] for key in expected_shapes(module)}, temporary / NETWORK_FILES[name], dtype
            )
            del tensors
        _copy_vae(files.vae, temporary / VAE_FOLDER)
        _copy_image_encoder(files.image_encoder, temporary / IMAGE_ENCODER_FOLDER, dtype)
        write_config(config, temporary)
    return Path(folder)


def _weights_in(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The weights of a diffusers or transformers folder, None where they or their config are missing."""
    if not (folder / "config.json").is_file():
        return None
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _copy_vae(source: Path, folder: Path) -> None:
    weights = _weights_in(source, VAE_WEIGHTS)
    if weights is None:
        raise WeightsError(
            f"{source} lacks config.json or {VAE_WEIGHTS[0]} of {VAE_REPOSITORY}; put both there"
        )
    folder.mkdir()
    shutil.copyfile(source / "config.json", folder / "config.json")
    write_tensors(read_tensors(weights), folder / VAE_WEIGHTS[0])
    with _named(source, folder):
        load_stable_diffusion_autoencoder(folder, "cpu")


def _copy_image_encoder(source: Path, folder: Path, dtype: torch.dtype | None) -> None:
    weights = source if source.is_file() else _weights_in(source, CLIP_WEIGHTS)
    if weights is None:
        raise WeightsError(
            f"{source} lacks config.json or {CLIP_WEIGHTS[1]} of {CLIP_REPOSITORY}; put both there"
        )
    folder.mkdir()
    if source.is_file():
        (folder / "config.json").write_text(json.dumps(CLIP_VIT_L14, indent=1), encoding="utf-8")
    else:
        shutil.copyfile(source / "config.json", folder / "config.json")
    tensors = {name: value for name, value in read_tensors(weights).items() if name not in UNUSED_IN_CLIP}
    write_tensors(tensors, folder / CLIP_WEIGHTS[0], dtype)
    with _named(source, folder):
        load_clip_image_encoder(folder, "cpu", torch.float16)


@contextmanager
def _named(source: Path, folder: Path) -> Iterator[None]:
    """Errors about a temporary copy name what it was copied from."""
    try:
        yield
    except WeightsError as error:
        raise WeightsError(str(error).replace(str(folder), str(source))) from error
