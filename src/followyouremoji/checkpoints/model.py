"""A model, ready to run, from a checkpoint folder and back to one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from followyouremoji.checkpoints.codec import Codec
from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.decoders import find_decoder, load_decoder
from followyouremoji.checkpoints.encoders import load_clip_image_encoder, load_stable_diffusion_autoencoder
from followyouremoji.checkpoints.folder import (
    IMAGE_ENCODER_FOLDER,
    NETWORK_FILES,
    VAE_FOLDER,
    new_folder,
    read_config,
    write_config,
)
from followyouremoji.checkpoints.offloading import (
    TAKING_TURNS,
    Loader,
    Turns,
    take_weights,
    turns_pay,
)
from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.checkpoints.tensors import on_meta, read_network, write_tensors
from followyouremoji.errors import SettingsError
from followyouremoji.networks import FollowYourEmoji, SmallAutoencoder
from followyouremoji.networks.cpu_kernels import use_cpu_kernels
from followyouremoji.networks.unet import UNet


@dataclass(frozen=True)
class Model:
    """A model's networks, the codec that they read and write pictures with, and what its config says of both.

    `load_model` gives them in evaluation mode and without gradients. Networks that take `turns` have weights only
    inside of a block `with model.using(...)` that names them.
    """

    config: ModelConfig
    networks: FollowYourEmoji
    codec: Codec
    turns: Turns | None = None

    @property
    def device(self) -> torch.device:
        return self.networks.device

    @property
    def dtype(self) -> torch.dtype:
        """The type that all but the autoencoder computes in."""
        return self.networks.dtype

    def using(self, *names: str) -> AbstractContextManager[None]:
        """Have the weights of networks, by their names in `networks` and `codec`, in place until the end of the block;
        costs nothing where they always are."""
        if self.turns is None:
            return nullcontext()
        parts = self.parts()
        return self.turns.using(*(parts[name] for name in names if name in parts))

    def parts(self) -> dict[str, nn.Module]:
        """Every network by its name."""
        return dict(self.networks.named_children()) | dict(self.codec.named_children())


def empty_networks(config: ModelConfig) -> dict[str, nn.Module]:
    """The project's own networks that a config needs, without weights, by the names of their files, largest first."""
    networks = dict(on_meta(lambda: FollowYourEmoji(config.network)).named_children())
    if (autoencoder := config.autoencoder) is not None:
        networks["autoencoder"] = on_meta(lambda: SmallAutoencoder(autoencoder))
    return {name: networks[name] for name in NETWORK_FILES if name in networks}


def load_model(
    source: str | Path = "bundled",
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    *,
    offload: bool | None = False,
    decoder: str | Path = "full",
) -> Model:
    """Load a model, strictly, ready to run.

    Parameters
    ----------
    source : "bundled", "released", a checkpoint's folder, or the name of one in the cache folder.
    device : where it shall run; None: a GPU where there is one.
    dtype : what it shall compute in; None: float32 on a CPU, bfloat16 on a GPU that has it, else float16.
    offload : whether the large networks take turns in memory, on a GPU in the GPU's: those that read the portrait, then
        the denoiser. Each is read from the checkpoint when it is used, see `Model.using`, so its files must stay where
        they are. None: where that saves much.
    decoder : "full", the autoencoder's own, or a small one in its stead: "small", TAESD for Stable Diffusion's latents,
        or the file of one that was distilled from this model's.

    Raises
    ------
    WeightsError : the checkpoint or the decoder is missing, incomplete, damaged or of another layout.
    SettingsError : there is no such device.
    """
    folder = find_checkpoint(source)
    device = choose_device(device)
    dtype = dtype or choose_dtype(device)
    config, _ = read_config(folder)
    small = find_decoder(decoder)
    small_decoder = None if small is None else load_decoder(small, config.network.latent_channels, device)
    loaders = network_loaders(folder, config, device, dtype)
    if offload is None:
        offload = turns_pay(_weight_files(folder), device)

    # One file after the other, the largest first: the peak is the model itself and part of one file.
    parts = {name: load() for name, load in loaders.items() if not (offload and name == "denoiser")}
    turns = None
    if offload:
        # In the file's own type it is only mapped, which tells all that can be wrong with it.
        denoiser = read_network(empty_networks(config)["denoiser"], folder / NETWORK_FILES["denoiser"])
        take_weights(denoiser)
        parts["denoiser"] = with_cpu_kernels(denoiser, device)
        turns = Turns({parts[name]: loaders[name] for name in TAKING_TURNS if name in parts})
    networks = on_meta(lambda: FollowYourEmoji(config.network)).eval()
    for name, _ in list(networks.named_children()):
        setattr(networks, name, parts[name])
    codec = Codec(parts["autoencoder"], parts.get("image_encoder"), small_decoder).eval()  # type: ignore[arg-type]
    return Model(config, networks, codec, turns)


def outline_model(source: str | Path = "bundled") -> Model:
    """A model without weights, whose networks are on torch's meta device: what plans and checks need where others do
    the work. Raises WeightsError where there is no such checkpoint."""
    config, _ = read_config(find_checkpoint(source))
    return Model(config, on_meta(lambda: FollowYourEmoji(config.network)).eval(), Codec(nn.Identity()))  # type: ignore[arg-type]


def network_loaders(
    folder: Path, config: ModelConfig, device: torch.device, dtype: torch.dtype
) -> dict[str, Loader]:
    """How to load each network of a checkpoint, by its name."""

    empty = empty_networks(config)

    def read(name: str) -> nn.Module:
        network = read_network(
            deepcopy(empty[name]),
            folder / NETWORK_FILES[name],
            device,
            torch.float32 if name == "autoencoder" else dtype,
        )
        if device.type == "cuda":  # the layout in which its convolutions compute
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return with_cpu_kernels(network, device)

    loaders: dict[str, Loader] = {name: partial(read, name) for name in empty}
    if config.autoencoder is None:
        loaders["autoencoder"] = partial(load_stable_diffusion_autoencoder, folder / VAE_FOLDER, device)
    if config.network.image_source == "clip":
        loaders["image_encoder"] = partial(
            load_clip_image_encoder, folder / IMAGE_ENCODER_FOLDER, device, dtype
        )
    return loaders


def with_cpu_kernels(network: nn.Module, device: torch.device) -> nn.Module:
    """On a CPU, have the networks with wide convolutions computed in other ways."""
    if device.type == "cpu" and isinstance(network, (UNet, SmallAutoencoder)):
        use_cpu_kernels(network)
    return network


def save_model(
    model: Model, folder: str | Path, *, dtype: torch.dtype | None = None, overwrite: bool = False
) -> Path:
    """Write a model as a checkpoint folder: `config.json` with checksums and one safetensors file a network.

    Parameters
    ----------
    folder : where; it appears when it is complete. Its parent must exist.
    dtype : the type to save the project's own networks in, float16 for half the size; None: as they are.
    overwrite : whether a checkpoint that lies there may be replaced.

    Raises
    ------
    WeightsError : the folder exists or cannot be written.
    """
    folder = Path(folder)
    with new_folder(folder, overwrite) as temporary, model.using(*TAKING_TURNS):
        parts = model.parts()
        for name in empty_networks(model.config):
            write_tensors(parts[name].state_dict(), temporary / NETWORK_FILES[name], dtype)
        model.codec.save(temporary)
        write_config(model.config, temporary)
    return folder


def choose_device(device: torch.device | str | None) -> torch.device:
    """The device that a user names, or the best one that this machine has. Raises SettingsError if it has no such
    device."""
    if device is None:
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SettingsError(
            f"this machine has no usable device {str(device)!r}; use 'cpu', 'cuda' or 'mps'"
        ) from error
    return torch.device(device)


def choose_dtype(device: torch.device) -> torch.dtype:
    if device.type == "cpu":
        return torch.float32
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float16


def _weight_files(folder: Path) -> dict[str, Path]:
    """Where the weights of each network lie, where a checkpoint has it."""
    foreign = {
        "autoencoder": folder / VAE_FOLDER / "diffusion_pytorch_model.safetensors",
        "image_encoder": folder / IMAGE_ENCODER_FOLDER / "model.safetensors",
    }
    own = {name: folder / file for name, file in NETWORK_FILES.items()}
    return own | {name: file for name, file in foreign.items() if file.is_file()}


def split_devices(
    device: torch.device | str | Sequence[torch.device | str] | None,
) -> list[torch.device | str | None]:
    """The devices that a user names, one or several, "cuda:0,cuda:1" as well as a list; `[None]` leaves the choice
    open.

    Raises SettingsError for a list of none.
    """
    if device is None or isinstance(device, torch.device):
        return [device]
    named = device.split(",") if isinstance(device, str) else list(device)
    devices = [one.strip() if isinstance(one, str) else one for one in named]
    if not devices or "" in devices:
        raise SettingsError(
            f"{device!r} names no device; give one such as cpu or cuda, or several: cuda:0,cuda:1"
        )
    return list(devices)
