"""A checkpoint is a folder: `config.json`, one safetensors file a network, and diffusers' and transformers' folders for
foreign parts.

A folder appears whole or not at all, see `files`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt
from safetensors import SafetensorError

from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.config import parse, validated
from followyouremoji.errors import WeightsError, first_line, shown
from followyouremoji.files import AtomicOutput, atomic_output, checksum
from followyouremoji.reading import read_json, relative

CONFIG_FILE = "config.json"
FORMAT = 1  # of config.json; a newer number means that this version cannot read the checkpoint
VAE_FOLDER = "vae"  # Stable Diffusion's autoencoder, as diffusers saves it
IMAGE_ENCODER_FOLDER = "image_encoder"  # CLIP's image encoder, as transformers saves it
NETWORK_FILES = {
    name: f"{name}.safetensors"
    for name in ("denoiser", "appearance_net", "landmark_encoder", "qformer", "autoencoder")
}
ENTRIES = {CONFIG_FILE, VAE_FOLDER, IMAGE_ENCODER_FOLDER, *NETWORK_FILES.values()}


@validated
class FileRecord:
    """What `config.json` remembers of a file that was saved with it."""

    size: NonNegativeInt
    """Bytes."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """The SHA-256 sum, hexadecimal."""


def needed_entries(config: ModelConfig) -> list[str]:
    """Names of the files and folders that a checkpoint of this config has beside `config.json`."""
    names = [NETWORK_FILES[name] for name in ("denoiser", "appearance_net", "landmark_encoder")]
    if config.network.qformer is not None:
        names.append(NETWORK_FILES["qformer"])
    names.append(VAE_FOLDER if config.autoencoder is None else NETWORK_FILES["autoencoder"])
    if config.network.image_source == "clip":
        names.append(IMAGE_ENCODER_FOLDER)
    return names


def read_config(folder: Path) -> tuple[ModelConfig, dict[str, FileRecord]]:
    """A checkpoint's config and the records of its files. Raises WeightsError naming the file and what to do."""
    file = folder / CONFIG_FILE
    if not folder.is_dir():
        raise WeightsError(
            f"there is no folder {folder}; give a checkpoint's folder, 'bundled' or 'released'"
        )
    try:
        values = read_json(file)
    except FileNotFoundError as error:
        raise WeightsError(
            f"{folder} is not a checkpoint: it has no {CONFIG_FILE}; weights as the authors published them are made one by "
            "`fye weights convert`"
        ) from error
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{file} cannot be read as JSON ({first_line(error)}); fetch or save the checkpoint again"
        ) from error
    if (found := values.pop("format", None)) != FORMAT:
        raise WeightsError(
            f"{file} cannot be used: its format is {shown(repr(found))}, this version reads format {FORMAT}; "
            "a file of a newer format needs a newer followyouremoji"
        )
    said = json.dumps(values.pop("files", {}))
    config = parse(ModelConfig, json.dumps(values), file, WeightsError)
    records = parse(dict[str, FileRecord], said, f"{file}, `files`", WeightsError)
    try:
        for name in records:
            relative(name)
    except ValueError as error:
        raise WeightsError(f"{file} cannot be used: in its `files`, {error}") from None
    return config, records


def write_config(config: ModelConfig, folder: Path) -> None:
    """Write `config.json` with the sizes and SHA-256 sums of all files that lie in `folder`."""
    files = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": checksum(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    text = json.dumps({"format": FORMAT, **asdict(config), "files": files}, indent=1)
    (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")


def check_free(folder: Path, overwrite: bool) -> None:
    """Raise WeightsError unless a checkpoint may be written as `folder`; only a checkpoint is ever replaced."""
    AtomicOutput(folder, overwrite, WeightsError, ENTRIES.__contains__)


@contextmanager
def new_folder(folder: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary folder to write a checkpoint to, that takes the place of `folder` if all goes well and vanishes if
    not."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 (a link stays a link)
    with atomic_output(
        folder, overwrite, WeightsError, SafetensorError, entries=ENTRIES.__contains__
    ) as temporary:
        temporary.mkdir()
        yield temporary
