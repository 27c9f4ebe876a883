"""Training of the small autoencoder, and the reading of a folder of drawings into latents."""

from __future__ import annotations

import dataclasses
import math
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from followyouremoji.checkpoints.codec import Codec, to_pixels, to_tensor
from followyouremoji.face.drawing import expression_mask, face_mask
from followyouremoji.files import atomic, clear_stale, write_json
from followyouremoji.networks import SmallAutoencoder
from followyouremoji.networks.compiling import compile_module
from followyouremoji.reading import read_json
from followyouremoji.training.batch import sample_rng
from followyouremoji.training.checkpointing import averaged_weights, check_layout, newest_state
from followyouremoji.training.drawings import LATENTS, Drawings, new_array
from followyouremoji.training.fingerprint import fingerprint, write_fingerprint
from followyouremoji.training.loop import Outcome, Report, train
from followyouremoji.training.losses import reconstruction_loss
from followyouremoji.training.picks import PickSource, open_picks
from followyouremoji.training.run import Run
from followyouremoji.training.settings import AutoencoderRun, PictureRun

LATENT_WEIGHT = 1e-3  # of the latents' mean square: keeps them from growing
MEASURED = 256  # pictures that the latents' mean and variance are taken of
SCALE_FILE = "latents.json"  # those, and the step that they were measured at


class Reconstruction(SmallAutoencoder):
    """The autoencoder with a training step's forward."""

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (batch, 3, height, width) in [-1, 1] to what is decoded of them, and their latents before
        normalising."""
        latents = self.encoder(pictures)
        return self.decoder(latents), latents


@dataclass(frozen=True)
class PictureBatch:
    """Pictures to learn from and how much each pixel counts."""

    pictures: Tensor  # uint8 (batch, 3, height, width)
    weight: (
        Tensor  # (batch, 1, height, width), of mean 1 in each picture, so that a batch may be split in parts
    )

    def to(self, device: torch.device) -> PictureBatch:
        return PictureBatch(
            self.pictures.to(device, non_blocking=True), self.weight.to(device, non_blocking=True)
        )


def make_picture(run: PictureRun, source: PickSource, step: int, index: int) -> PictureBatch:
    """One picture of a step."""
    rng = sample_rng(run.optimisation.seed, step, index)
    pick = source.pick(step * run.batch + index, rng, 1, successive=False)
    size = (source.size, source.size)
    weight = (
        1.0
        + run.face_weight * face_mask(pick.points[1], size)
        + run.expression_weight * expression_mask(pick.points[1], size)
    )
    weight = (weight / weight.mean()).astype(np.float32)
    return PictureBatch(to_tensor(pick.targets), torch.from_numpy(weight)[None, None])


def join_pictures(samples: list[PictureBatch]) -> PictureBatch:
    return PictureBatch(
        torch.cat([sample.pictures for sample in samples]), torch.cat([sample.weight for sample in samples])
    )


def train_autoencoder(
    run: AutoencoderRun, minutes: float | None = None, report: Report | None = None
) -> Outcome:
    """Train until the run's last step, or for `minutes`; a stopped run goes on from its last checkpoint."""
    torch.manual_seed(run.optimisation.seed)
    source = open_picks(run.drawings, run.data, 2, run.optimisation.seed, run.window)
    module = Reconstruction(run.autoencoder).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if run.optimisation.compile:
        compile_module(module)
    state = Run(
        module,
        run.output,
        run.optimisation,
        samples=run.batch,
        keep=run.keep,
        tensorboard=run.tensorboard,
    )

    def losses(batch: PictureBatch) -> dict[str, Tensor]:
        batch = batch.to(state.device)
        pictures = to_pixels(batch.pictures)
        decoded, latents = state.predict(pictures)
        loss = reconstruction_loss(decoded.float(), pictures, batch.weight)
        mse = F.mse_loss(decoded.detach().float().clamp(-1, 1), pictures)
        return {"loss": loss + LATENT_WEIGHT * latents.float().square().mean(), "mse": mse}

    make = partial(make_picture, run, source)
    return train(state, run, make, join_pictures, losses, figures=with_psnr, minutes=minutes, report=report)


def with_psnr(means: dict[str, float]) -> dict[str, float]:
    """What the log shows of `loss` and of `mse`, the mean squared error of pictures in [-1, 1]: dB in its place."""
    return {"loss": means["loss"], "psnr": 10 * math.log10(4 / max(means["mse"], 1e-12))}


def finished_autoencoder(run: AutoencoderRun) -> SmallAutoencoder:
    """The averaged autoencoder of a run, its latents brought to zero mean and unit variance over pictures of the run.

    Measured once and kept in the run's folder: what learns from these latents must find the same ones when the pictures
    are gone. Raises WeightsError where the folder holds no run, or one of other settings.
    """
    module, weights = SmallAutoencoder(run.autoencoder), averaged_weights(run.output)
    check_layout(run.output, weights, module)
    module.load_state_dict(weights)
    kept, step = run.output / SCALE_FILE, newest_state(run.output)["step"]
    scale: dict[str, float] = {}
    if kept.exists():
        with suppress(OSError, ValueError):  # a damaged one is measured anew
            scale = read_json(kept)
    known = scale.keys() == {"step", "shift", "scale"} and all(
        type(one) in (int, float) for one in scale.values()
    )
    if not known or scale["step"] != step:
        scale = {"step": step, **measured_scale(run, module)}
        write_json(kept, scale)  # processes that begin together all measure
    module.config = dataclasses.replace(run.autoencoder, shift=scale["shift"], scale=scale["scale"])
    return module.eval().requires_grad_(False)


def measured_scale(run: AutoencoderRun, module: SmallAutoencoder) -> dict[str, float]:
    """`shift` and `scale` of an autoencoder's latents over pictures as the run learns from, each of another person or
    clip."""
    source = open_picks(run.drawings, run.data, 2, run.optimisation.seed, run.window)
    rng = np.random.default_rng(run.optimisation.seed)
    pictures = [source.pick(position, rng, 1, successive=False).portrait for position in range(MEASURED)]
    latents = Codec(module).encode(to_tensor(np.stack(pictures)))
    return {"shift": float(latents.mean()), "scale": float(1 / latents.std())}


def write_latents(folder: Path, autoencoder: SmallAutoencoder) -> None:
    """Encode all drawings of a folder into its `latents.npy`, and record beside it which encoder they are of.

    Raises SettingsError or DataError as `Drawings.open`, and OSError where the disk has too little room.
    """
    drawings, codec = Drawings.open(folder), Codec(autoencoder)
    identities, pictures, size = drawings.pictures.shape[:3]
    shape = (identities, pictures, autoencoder.config.latent_channels, size // 8, size // 8)
    clear_stale(folder)
    with atomic(folder / LATENTS) as temporary:
        latents = new_array(temporary, np.float16, shape)
        for i in range(identities):
            latents[i] = codec.encode(to_tensor(drawings.pictures[i])).numpy()
        latents.flush()
        # A kill leaves none, or those that the record is of.
        (folder / LATENTS).unlink(missing_ok=True)
        write_fingerprint(folder, fingerprint(autoencoder))
