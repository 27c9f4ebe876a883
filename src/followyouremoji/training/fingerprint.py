"""Which autoencoder latents are of, so that what was encoded or learnt with one is not used with another."""

from __future__ import annotations

import hashlib
from pathlib import Path

from followyouremoji.errors import WeightsError
from followyouremoji.files import write_json
from followyouremoji.networks import Autoencoder
from followyouremoji.reading import read_json

FILE = "encoder.json"  # beside cached latents, and in the folder of a run that learns from latents
DECODER = ("decoder.", "vae.decoder.", "vae.post_quant_conv.")  # may be tuned: latents do not depend on it
HALF = "(The half-precision copy of an autoencoder in an exported model is another one than that of the run it comes from.)"


def fingerprint(autoencoder: Autoencoder) -> str:
    """The sha256 of all that an autoencoder's latents depend on: its tensors but the decoder's, and the latents' shift
    and scale."""
    digest = hashlib.sha256()
    for name, value in sorted(autoencoder.state_dict().items()):
        if not name.startswith(DECODER):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.cpu().numpy().tobytes())
    config = autoencoder.config
    if config is not None:  # Stable Diffusion's scale never changes
        digest.update(f"{config.shift!r} {config.scale!r}".encode())
    return digest.hexdigest()


def write_fingerprint(folder: Path, encoder: str) -> None:
    """Record in a folder which encoder its latents are of, by its fingerprint."""
    write_json(folder / FILE, {"sha256": encoder})


def same_encoder(folder: Path, encoder: str) -> bool:
    """Whether a folder's latents are of the encoder with this fingerprint; true where it has no record, as in those of
    earlier versions.

    Raises WeightsError where the record is damaged.
    """
    file = folder / FILE
    try:
        return bool(read_json(file)["sha256"] == encoder)
    except FileNotFoundError:
        return True
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{file} is damaged; if you are sure that the autoencoder is still the same, delete it"
        ) from error


def require_encoder(folder: Path, encoder: str, autoencoder: Path) -> None:
    """Raise WeightsError where the run in `folder` learnt from latents of another encoder than that of `autoencoder`, a
    config's entry."""
    if not same_encoder(folder, encoder):
        raise WeightsError(
            f"the run in {folder} learnt from latents of another autoencoder than {autoencoder} is now: go back to the one it began with, "
            f"or begin a new stage 1, in another `output`, which may name this folder as `initial`. {HALF}"
        )
