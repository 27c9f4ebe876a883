"""Pretrained starts: Stable Diffusion's UNet, AnimateDiff's motion module or a saved model, copied into networks before they are trained.

The paper starts its networks from Stable Diffusion 1.5 and its temporal layers from AnimateDiff (Sec. 3, 4.1); the released image prompt is that
of sd-image-variations. The project's tensor names are those of these files, so nothing is renamed but diffusers' form of a motion module. Whatever
a file does not hold stays as a new network has it, and the report says so.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from followyouremoji.checkpoints.folder import CONFIG_FILE, NETWORK_FILES, read_config
from followyouremoji.checkpoints.released import read_tensors
from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.networks import AppearanceNet, Denoiser, LandmarkEncoder, NetworkConfig, QFormer
from followyouremoji.training.checkpointing import averaged_weights

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


class StartedNetworks(Protocol):
    """The networks that can be started, with random weights: `training.networks.Networks` is one."""

    config: NetworkConfig
    appearance_net: AppearanceNet
    denoiser: Denoiser
    landmark_encoder: LandmarkEncoder
    qformer: QFormer | None


@dataclass(frozen=True)
class Start:
    """What to start from: one of `model`, `run` and `unet`, with or without `motion` on top, or `motion` alone.

    Attributes
    ----------
    run : the output folder of a training, whose averaged weights are taken.
    model : "released", "bundled" or a model's folder: all networks.
    unet : a diffusers folder of Stable Diffusion 1.x or sd-image-variations, or its folder `unet`: appearance net and denoiser.
    motion : AnimateDiff's motion module, `.ckpt` or `.safetensors`, or diffusers' folder of one: the temporal layers.
    """

    model: str | None = None
    run: Path | None = None
    unet: Path | None = None
    motion: Path | None = None

    def __post_init__(self) -> None:
        named = [name for name in ("model", "run", "unet") if getattr(self, name) is not None]
        if len(named) > 1:
            raise SettingsError(
                f"`initial` takes one of {', '.join(named)}, not several: each fills the denoiser's spatial layers"
            )
        if not named and self.motion is None:
            raise SettingsError(
                "`initial` names nothing to start from: give `model`, `run`, `unet` or `motion`"
            )

    @classmethod
    def from_table(cls, values: Mapping[str, Any]) -> Start:
        """Read the table `initial` of a run's config. Raises SettingsError for an entry that is unknown or no text."""
        known = ("model", "run", "unet", "motion")
        for name, value in values.items():
            if name not in known:
                raise SettingsError(f"`initial` has an unknown entry {name!r}; known are {', '.join(known)}")
            if not isinstance(value, str) or not value:
                raise SettingsError(f"`initial.{name}` must be a path, not {value!r}")
        model, *paths = (values.get(name) for name in known)
        return cls(model, *(Path(path) if path else None for path in paths))


@dataclass(frozen=True)
class Copied:
    """What one file gave one network; names are those of its tensors."""

    network: str
    source: Path
    loaded: tuple[str, ...]
    values: int  # numbers in them
    widened: tuple[str, ...] = ()  # loaded into a part; the new input channels begin at zero
    unused: tuple[str, ...] = ()  # in the file, not in the network


@dataclass(frozen=True)
class StartReport:
    """What was loaded from where, and by network what stayed new."""

    copied: tuple[Copied, ...]
    fresh: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The report for people, a line a fact."""
        lines = []
        for part in self.copied:
            lines.append(
                f"{part.network}: {len(part.loaded)} tensors, {part.values / 1e6:.2f} M values, from {part.source}"
            )
            if part.widened:
                lines.append(
                    f"{part.network}: {', '.join(part.widened)} widened, new input channels begin at zero"
                )
            if part.unused:
                lines.append(f"{part.network}: {_some(part.unused)} of the file not used")
        lines += [f"{name}: {_some(names)} new" for name, names in self.fresh.items() if names]
        return lines


def initial_weights(networks: StartedNetworks, start: Start) -> StartReport:
    """Copy pretrained weights into networks.

    The denoiser's first convolution may read more channels than the file's (the known frames of Sec. 3.3): those begin at zero, so that the
    network begins as the pretrained one. A new layer for the bent portrait begins at zero for the same reason.

    Raises
    ------
    WeightsError : a folder or file is missing, damaged, not what it is said to be, or of another size than the networks.
    """
    parts = {
        name: module
        for name in ("appearance_net", "denoiser", "landmark_encoder", "qformer")
        if (module := getattr(networks, name)) is not None
    }
    copied: list[Copied] = []
    if start.model is not None:
        copied += _from_model(parts, start.model)
    if start.run is not None:
        copied += _from_run(parts, start.run)
    if start.unet is not None:
        copied += _from_unet(parts, networks.config, start.unet)
    if start.motion is not None:
        copied.append(_from_motion(networks.denoiser, start.motion))
    given: dict[str, set[str]] = {name: set() for name in parts}
    for part in copied:
        given[part.network] |= set(part.loaded)
    fresh = {
        name: tuple(key for key in module.state_dict() if key not in given[name])
        for name, module in parts.items()
    }
    if (
        hasattr(networks.landmark_encoder, "conv_warped")
        and "conv_warped.weight" in fresh["landmark_encoder"]
    ):
        nn.init.zeros_(networks.landmark_encoder.conv_warped.weight)
        nn.init.zeros_(networks.landmark_encoder.conv_warped.bias)  # type: ignore[arg-type]
    return StartReport(tuple(copied), fresh)


@torch.no_grad()
def copy_tensors(
    network: str,
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    source: Path,
    *,
    may_lack: Callable[[str], bool],
    may_ignore: Callable[[str], bool],
) -> Copied:
    """Copy tensors by name, all or none.

    `may_lack` and `may_ignore` say of a name whether the file may lack it and whether the network may. Only `conv_in.weight` may read fewer
    channels in the file. Raises WeightsError for anything else that does not fit.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in tensors and not may_lack(name)]
    foreign = [name for name in tensors if name not in own and not may_ignore(name)]
    loaded = [name for name in own if name in tensors]
    widened = [name for name in loaded if name == "conv_in.weight" and _is_narrower(tensors[name], own[name])]
    other = [name for name in loaded if name not in widened and tensors[name].shape != own[name].shape]
    if missing or foreign or other:
        problems = []
        if missing:
            problems.append(f"it lacks {_some(missing)}")
        if foreign:
            problems.append(f"it holds {_some(foreign)}, which the network has not")
        if other:
            shapes = f"{tuple(tensors[other[0]].shape)}, not {tuple(own[other[0]].shape)}"
            problems.append(f"{_some(other)} of another size ({other[0]} is {shapes})")
        raise WeightsError(
            f"{source} does not fit the {network.replace('_', ' ')} of this run: {'; '.join(problems)}. Compare `[network]` in the "
            "config with the model that the file belongs to"
        )
    values = 0
    for name in loaded:
        target, value = own[name], tensors[name]
        values += value.numel()
        if name in widened:
            target.zero_()
            target = target[:, : value.shape[1]]
        target.copy_(value)
    unused = tuple(name for name in tensors if name not in own)
    return Copied(network, source, tuple(loaded), values, tuple(widened), unused)


def _from_model(parts: Mapping[str, nn.Module], model: str) -> list[Copied]:
    folder = find_checkpoint(model)
    config, _ = read_config(folder)
    copied = []
    for network, module in parts.items():
        file = folder / NETWORK_FILES[network]
        if network == "qformer" and config.network.qformer is None:
            continue  # a released-layout model that starts a paper-layout network
        if not file.is_file():
            raise WeightsError(f"{file} is missing: the model is incomplete; fetch or save it again")
        copied.append(
            copy_tensors(
                network,
                module,
                read_tensors(file),
                file,
                may_lack=lambda name: TIME in name or name.startswith("conv_warped."),
                may_ignore=lambda name: TIME in name or name.startswith("conv_warped."),
            )
        )
    return copied


def _from_run(parts: Mapping[str, nn.Module], folder: Path) -> list[Copied]:
    weights = averaged_weights(folder)

    def started_here(name: str) -> bool:
        return TIME in name or name.startswith("conv_warped.")

    return [
        copy_tensors(
            network,
            module,
            {
                name.removeprefix(f"{network}."): value
                for name, value in weights.items()
                if name.startswith(f"{network}.")
            },
            folder,
            may_lack=started_here,
            may_ignore=started_here,
        )
        for network, module in parts.items()
    ]


def _from_unet(parts: Mapping[str, nn.Module], config: NetworkConfig, folder: Path) -> list[Copied]:
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


def _from_motion(denoiser: Denoiser, source: Path) -> Copied:
    """AnimateDiff's temporal layers, whatever levels they are of: its first and third versions have none in the middle block."""
    if source.is_dir():
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
    tensors = {_motion_name(name): value for name, value in _checkpoint(file).items()}
    tensors = {name: value for name, value in tensors.items() if not name.endswith(".pe")}
    if not any(TIME in name for name in tensors):
        raise WeightsError(
            f"{file} is not a motion module of AnimateDiff: none of its tensors is called `…{TIME}…`"
        )
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
    """The motion module that a tensor belongs to, such as `down_blocks.0.motion_modules.1.`; the name itself where it is in none."""
    found = re.match(rf".*{TIME}\.\d+\.", name)
    return found[0] if found else name


def _is_cut_off(name: str) -> bool:
    """Whether a UNet's tensor comes after the last tokens that an appearance net hands over."""
    last = re.match(r"up_blocks\.\d+\.attentions\.\d+\.transformer_blocks\.0\.(?!norm1\.)", name)
    return last is not None or name.startswith(("conv_norm_out.", "conv_out."))


def _projection(root: Path, config: NetworkConfig) -> tuple[Path, Tensor] | None:
    """CLIP's projection beside a UNet that was trained on projected image embeddings, where it fits the image prompt's layer."""
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
        raise WeightsError(f"{folder} is not {what}: its {CONFIG_FILE} says {found!r} instead of {kind!r}")
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise WeightsError(f"{folder} has no weights: {names[0]} is missing; fetch it again")


def _json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read as JSON ({error}); fetch it again") from error
    if not isinstance(values, dict):
        raise WeightsError(f"{file} does not hold a JSON object; fetch it again")
    return values


def _checkpoint(file: Path) -> Mapping[str, Tensor]:
    """Named tensors of a file, or those under `state_dict` in a training's checkpoint, which holds its step numbers beside them."""
    if file.suffix == ".safetensors":
        return read_tensors(file)
    try:
        values = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{file} is refused: it holds more than tensors, and reading it could run code; look for a .safetensors file of it"
        ) from error
    except (OSError, RuntimeError, ValueError, KeyError, EOFError) as error:
        raise WeightsError(f"{file} cannot be read: it is damaged or incomplete; fetch it again") from error
    if isinstance(values, dict) and isinstance(values.get("state_dict"), dict):
        values = values["state_dict"]
    if not isinstance(values, dict):
        raise WeightsError(f"{file} holds no named tensors; give AnimateDiff's .ckpt or .safetensors file")
    return {str(name): value for name, value in values.items() if isinstance(value, Tensor)}


def _is_narrower(given: Tensor, own: Tensor) -> bool:
    """Whether a convolution's weight reads fewer channels and is else of the same size."""
    return (
        given.ndim == own.ndim == 4
        and given.shape[1] < own.shape[1]
        and (given.shape[0], *given.shape[2:]) == (own.shape[0], *own.shape[2:])
    )


def _some(names: list[str] | tuple[str, ...]) -> str:
    text = ", ".join(names[:3])
    return text if len(names) <= 3 else f"{text} and {len(names) - 3} more"
