"""A model: its networks, ready to run, from a checkpoint folder and back to one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.encoders import (
    ClipImageEncoder,
    StableDiffusionAutoencoder,
    load_clip_image_encoder,
    load_stable_diffusion_autoencoder,
)
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
from followyouremoji.networks import (
    AppearanceNet,
    Denoiser,
    LandmarkEncoder,
    QFormer,
    SmallAutoencoder,
    latent_tokens,
)
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.networks.cpu_kernels import use_cpu_kernels
from followyouremoji.networks.unet import UNet

PIXELS_AT_ONCE = 512 * 512  # through the autoencoder; more pictures go in slices, which bounds memory


@dataclass(frozen=True)
class Model:
    """All networks of a model.

    The autoencoder is float32 whatever the others are: bfloat16 has fewer levels than a picture. The modules are used
    as they are given, so that a training can wrap the ones it trains; `load_model` gives them in evaluation mode and
    without gradients.

    Networks that take `turns` have weights only inside of a block `with model.using(...)` that names them.
    """

    config: ModelConfig
    appearance_net: AppearanceNet
    denoiser: Denoiser
    landmark_encoder: LandmarkEncoder
    qformer: QFormer | None
    autoencoder: SmallAutoencoder | StableDiffusionAutoencoder
    image_encoder: ClipImageEncoder | None
    turns: Turns | None = None

    @property
    def device(self) -> torch.device:
        return self.landmark_encoder.conv_in.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The type that the denoiser computes in, and of latents and tokens."""
        return self.landmark_encoder.conv_in.weight.dtype

    def using(self, *names: str) -> AbstractContextManager[None]:
        """Have the weights of networks, by the names of the fields, in place until the end of the block; costs nothing
        where they always are."""
        if self.turns is None:
            return nullcontext()
        networks = (getattr(self, name) for name in names)
        return self.turns.using(*(network for network in networks if network is not None))

    def encode(self, pictures: Tensor) -> Tensor:
        """Pictures `(batch, 3, height, width)` in [-1, 1] to latents `(batch, latent channels, height / 8, width /
        8)`."""
        parameter = next(self.autoencoder.parameters())
        pictures = pictures.to(parameter.device, parameter.dtype)
        batch = _pictures_at_once(pictures.shape[-2] * pictures.shape[-1])
        return torch.cat([self.autoencoder.encode(part) for part in pictures.split(batch)]).to(self.dtype)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents `(batch, latent channels, height, width)` to pictures `(batch, 3, 8 height, 8 width)` in [-1, 1]."""
        parameter = next(self.autoencoder.parameters())
        latents = latents.to(parameter.device, parameter.dtype)
        batch = _pictures_at_once(latents.shape[-2] * latents.shape[-1] * LATENT_STRIDE**2)
        return torch.cat([self.autoencoder.decode(part) for part in latents.split(batch)]).clamp(-1, 1)

    def image_tokens(self, pictures: Tensor) -> Tensor:
        """The image prompt of pictures `(batch, 3, height, width)` in [-1, 1]: `(batch, tokens, image width)` (Sec.
        3.1)."""
        if self.image_encoder is not None:
            tokens = self.image_encoder(pictures.to(self.device)).to(self.dtype)
        else:
            tokens = latent_tokens(self.encode(pictures))
        return tokens if self.qformer is None else self.qformer(tokens)


def to_tensor(pictures: np.ndarray) -> Tensor:
    """Pictures uint8 (n, height, width, 3) as networks take them: float32 (n, 3, height, width) in [-1, 1]."""
    levels = torch.from_numpy(np.array(pictures, order="C")).permute(0, 3, 1, 2)
    return levels.float() / 127.5 - 1


def to_pictures(values: Tensor) -> np.ndarray:
    """The inverse: (n, 3, height, width) in [-1, 1] to pictures uint8 (n, height, width, 3); what lies outside is cut
    off."""
    levels = (values.float().clamp(-1, 1) + 1) * 127.5
    return levels.round().byte().permute(0, 2, 3, 1).cpu().numpy()


def network_builders(config: ModelConfig) -> dict[str, Callable[[], nn.Module]]:
    """How to build each network of the project's own that a config needs, by the name of its file, largest first."""
    network, autoencoder = config.network, config.autoencoder
    builders: dict[str, Callable[[], nn.Module]] = {
        "denoiser": lambda: Denoiser(network),
        "appearance_net": lambda: AppearanceNet(network),
        "landmark_encoder": lambda: LandmarkEncoder(network),
    }
    if network.qformer is not None:
        builders["qformer"] = lambda: QFormer(network)
    if autoencoder is not None:
        builders["autoencoder"] = lambda: SmallAutoencoder(autoencoder)
    return builders


def load_model(
    source: str | Path = "bundled",
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    *,
    offload: bool | None = False,
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

    Raises
    ------
    WeightsError : the checkpoint is missing, incomplete, damaged or of another layout.
    SettingsError : there is no such device.
    """
    folder = find_checkpoint(source)
    device = choose_device(device)
    dtype = dtype or choose_dtype(device)
    config, _ = read_config(folder)
    loaders = network_loaders(folder, config, device, dtype)
    if offload is None:
        offload = turns_pay(_weight_files(folder), device)

    # One file after the other, the largest first: the peak is the model itself and part of one file.
    networks = {name: load() for name, load in loaders.items() if not (offload and name == "denoiser")}
    turns = None
    if offload:
        # In the file's own type it is only mapped, which tells all that can be wrong with it.
        denoiser = read_network(
            on_meta(network_builders(config)["denoiser"]), folder / NETWORK_FILES["denoiser"]
        )
        take_weights(denoiser)
        with_cpu_kernels(denoiser, device)
        networks["denoiser"] = denoiser
        turns = Turns({networks[name]: loaders[name] for name in TAKING_TURNS if name in networks})
    return Model(config=config, turns=turns, **{"qformer": None, "image_encoder": None, **networks})  # type: ignore[arg-type]


def network_loaders(
    folder: Path, config: ModelConfig, device: torch.device, dtype: torch.dtype
) -> dict[str, Loader]:
    """How to load each network of a checkpoint, by its name in `Model`."""

    def read(name: str, build: Loader) -> nn.Module:
        network = read_network(
            on_meta(build),
            folder / NETWORK_FILES[name],
            device,
            torch.float32 if name == "autoencoder" else dtype,
        )
        if device.type == "cuda":  # the layout in which its convolutions compute
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return with_cpu_kernels(network, device)

    loaders: dict[str, Loader] = {
        name: partial(read, name, build) for name, build in network_builders(config).items()
    }
    if config.autoencoder is None:
        loaders["autoencoder"] = partial(load_stable_diffusion_autoencoder, folder / VAE_FOLDER, device)
    if config.network.image_source == "clip":
        loaders["image_encoder"] = partial(
            load_clip_image_encoder, folder / IMAGE_ENCODER_FOLDER, device, dtype
        )
    return loaders


def with_cpu_kernels(network: nn.Module, device: torch.device) -> nn.Module:
    """On a CPU, have the large networks computed in other ways."""
    if device.type == "cpu" and isinstance(network, UNet):
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
        for name in network_builders(model.config):
            write_tensors(getattr(model, name).state_dict(), temporary / NETWORK_FILES[name], dtype)
        if isinstance(model.autoencoder, StableDiffusionAutoencoder):
            model.autoencoder.save(temporary / VAE_FOLDER)
        if model.image_encoder is not None:
            model.image_encoder.save(temporary / IMAGE_ENCODER_FOLDER)
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


def _pictures_at_once(pixels: int) -> int:
    return max(1, PIXELS_AT_ONCE // pixels)
