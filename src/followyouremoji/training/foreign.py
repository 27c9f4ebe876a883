"""Weights that others trained: Stable Diffusion's UNet, as diffusers saves it, and AnimateDiff's motion module.

The project's tensor names are those of these files, so nothing is renamed but diffusers' form of a motion module. Files
are read as tensors only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from followyouremoji.checkpoints.folder import CONFIG_FILE, NETWORK_FILES
from followyouremoji.checkpoints.tensors import read_tensors
from followyouremoji.errors import SettingsError, WeightsError, first_line, shown
from followyouremoji.networks import Denoiser, NetworkConfig
from followyouremoji.reading import read_json
from followyouremoji.training.copying import Copied, copy_tensors

TIME = "motion_modules"
UNET_FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
IMAGE_ENCODER_FILES = ("model.safetensors", "pytorch_model.bin")
MOTION_ENDINGS = (".safetensors", ".ckpt", ".pth", ".bin")
PROJECTION = (
    "visual_projection.weight"  # CLIP's, from token width to the width that the UNet's cross-attention reads
)
# Pieces of a name in diffusers' MotionAdapter, and what AnimateDiff's own files call them.
ADAPTER_NAMES = (
    (re.compile(r"(motion_modules\.\d+)\.(?!temporal_transformer)"), r"\1.temporal_transformer."),
    (re.compile(r"\.attn([12])\."), lambda found: f".attention_blocks.{int(found[1]) - 1}."),
    (re.compile(r"\.norm([12])\."), lambda found: f".norms.{int(found[1]) - 1}."),
    (re.compile(r"\.norm3\."), ".ff_norm."),
)


def copy_unet(parts: Mapping[str, nn.Module], config: NetworkConfig, folder: Path) -> list[Copied]:
    """Stable Diffusion's UNet into appearance net and denoiser, and CLIP's projection where it lies beside it. Raises
    WeightsError."""
    root, unet = (folder, folder / "unet") if (folder / "unet").is_dir() else (folder.parent, folder)
    file = _diffusers_file(unet, UNET_FILES, "UNet2DConditionModel", "Stable Diffusion's UNet")
    settings = _json(unet / CONFIG_FILE)
    heads = settings.get("attention_head_dim", config.heads)  # diffusers' old name: it is a number of heads
    heads = settings.get("num_attention_heads") or heads
    expected = {"norm_num_groups": config.norm_groups, "layers_per_block": config.layers_per_block}
    wrong = [
        f"{name} is {settings[name]}"
        for name, value in expected.items()
        if settings.get(name, value) != value
    ]
    if set(heads if isinstance(heads, list) else [heads]) != {config.heads}:
        wrong.append(f"its attentions have {heads} heads")
    if wrong:
        raise WeightsError(
            f"{unet} is not a UNet of this run's sizes: {'; '.join(wrong)}; Stable Diffusion 1.x and sd-image-variations are"
        )
    tensors = read_tensors(file)
    projection = _projection(root, config)
    copied = []
    for network in ("appearance_net", "denoiser"):
        copied.append(
            copy_tensors(
                network,
                parts[network],
                tensors,
                file,
                may_lack=lambda name: TIME in name or name.startswith("clip_fc."),
                may_ignore=lambda name, kept=network == "appearance_net": kept and _is_cut_off(name),  # type: ignore[misc]
            )
        )
        if projection is not None:
            source, weight = projection
            clip_fc = {"clip_fc.weight": weight, "clip_fc.bias": torch.zeros(len(weight))}
            copied.append(
                copy_tensors(
                    network,
                    parts[network],
                    clip_fc,
                    source,
                    may_lack=lambda name: not name.startswith("clip_fc."),
                    may_ignore=lambda name: False,
                )
            )
    return copied


def copy_motion(denoiser: Denoiser, source: Path) -> Copied:
    """The temporal layers of a model's folder, or AnimateDiff's, whatever levels they are of: its first and third
    versions have none in the middle block.
    """
    if (source / NETWORK_FILES["denoiser"]).is_file():
        file = source / NETWORK_FILES["denoiser"]
    elif source.is_dir():
        file = _diffusers_file(source, UNET_FILES, "MotionAdapter", "AnimateDiff's motion adapter")
    else:
        file = source
        if not file.is_file():
            raise WeightsError(
                f"there is no motion module {file}; give AnimateDiff's .ckpt or .safetensors file"
            )
        if file.suffix not in MOTION_ENDINGS:
            raise WeightsError(
                f"{file} is not a motion module: its name must end in {', '.join(MOTION_ENDINGS)}"
            )
    if not any(TIME in name for name in denoiser.state_dict()):
        raise SettingsError(
            "`initial.motion` starts the temporal layers, but the networks have none: set it in stage 2, not in stage 1"
        )
    tensors = {_motion_name(name): value for name, value in read_tensors(file, checkpoint=True).items()}
    tensors = {name: value for name, value in tensors.items() if TIME in name and not name.endswith(".pe")}
    if not tensors:
        raise WeightsError(f"{file} holds no temporal layers: none of its tensors is called `…{TIME}…`")
    own = denoiser.state_dict()
    held = {_module_of(name) for name in tensors}
    return copy_tensors(
        "denoiser",
        denoiser,
        tensors,
        file,
        may_lack=lambda name: TIME not in name or _module_of(name) not in held,
        may_ignore=lambda name: TIME in name and not any(key.startswith(_module_of(name)) for key in own),
    )


def _motion_name(name: str) -> str:
    """A motion module's tensor as the denoiser calls it: a training's prefix off, diffusers' pieces renamed."""
    name = name.removeprefix("module.")
    for piece, called in ADAPTER_NAMES:
        name = piece.sub(called, name)
    return name


def _module_of(name: str) -> str:
    """The motion module that a tensor belongs to, such as `down_blocks.0.motion_modules.1.`; the name itself where it
    is in none."""
    found = re.match(rf".*{TIME}\.\d+\.", name)
    return found[0] if found else name


def _is_cut_off(name: str) -> bool:
    """Whether a UNet's tensor comes after the last tokens that an appearance net hands over."""
    last = re.match(r"up_blocks\.\d+\.attentions\.\d+\.transformer_blocks\.0\.(?!norm1\.)", name)
    return last is not None or name.startswith(("conv_norm_out.", "conv_out."))


def _projection(root: Path, config: NetworkConfig) -> tuple[Path, Tensor] | None:
    """CLIP's projection beside a UNet that was trained on projected image embeddings, where it fits the image prompt's
    layer."""
    for name in IMAGE_ENCODER_FILES:
        file = root / "image_encoder" / name
        if file.is_file():
            weight = read_tensors(file).get(PROJECTION)
            if weight is not None and tuple(weight.shape) == (config.context_width, config.image_width):
                return file, weight
    return None


def _diffusers_file(folder: Path, names: tuple[str, ...], kind: str, what: str) -> Path:
    """The weights of a diffusers folder whose config says that it is of `kind`."""
    if not folder.is_dir():
        raise WeightsError(f"there is no folder {folder}; give the diffusers folder of {what}")
    if not (folder / CONFIG_FILE).is_file():
        raise WeightsError(f"{folder} is not {what} as diffusers saves it: it has no {CONFIG_FILE}")
    found = _json(folder / CONFIG_FILE).get("_class_name")
    if found != kind:
        raise WeightsError(
            f"{folder} is not {what}: its {CONFIG_FILE} says {shown(repr(found))} instead of {kind!r}"
        )
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise WeightsError(f"{folder} has no weights: {names[0]} is missing; fetch it again")


def _json(file: Path) -> dict[str, Any]:
    try:
        return read_json(file)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read as JSON ({first_line(error)}); fetch it again") from error
