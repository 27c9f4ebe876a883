"""A checkpoint's folder as a folder of diffusers, and back: the files of weights are copied, byte for byte."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors import SafetensorError

from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.encoders import (
    CLIP_WEIGHTS,
    load_clip_image_encoder,
    load_stable_diffusion_autoencoder,
)
from followyouremoji.checkpoints.folder import (
    IMAGE_ENCODER_FOLDER,
    NETWORK_FILES,
    VAE_FOLDER,
    needed_entries,
    new_folder,
    read_config,
    write_config,
)
from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.checkpoints.tensors import on_meta, read_network
from followyouremoji.checkpoints.verification import verify_checkpoint
from followyouremoji.config import parse
from followyouremoji.diffusers_pipeline.model_card import model_card
from followyouremoji.diffusers_pipeline.parts import (
    AppearanceNetModel,
    DenoiserModel,
    LandmarkEncoderModel,
    Part,
    QFormerModel,
    SmallAutoencoderModel,
    plain,
)
from followyouremoji.diffusers_pipeline.scheduler import FollowYourEmojiScheduler
from followyouremoji.errors import WeightsError, first_line, shown
from followyouremoji.files import atomic_output
from followyouremoji.reading import read_json

PIPELINE = "FollowYourEmojiPipeline"
INDEX_FILE, CONFIG_FILE, CARD_FILE = "model_index.json", "config.json", "README.md"
WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"
SCHEDULER_FOLDER = "scheduler"
NETWORKS: dict[str, type[Part]] = {
    "denoiser": DenoiserModel,
    "appearance_net": AppearanceNetModel,
    "landmark_encoder": LandmarkEncoderModel,
    "qformer": QFormerModel,
}
"""Components that this project's networks are, by their names in a checkpoint too; the autoencoder is `vae`."""
FOREIGN_VAE, FOREIGN_IMAGE_ENCODER = ["diffusers", "AutoencoderKL"], ["transformers", "CLIPVisionModel"]
ENTRIES = {INDEX_FILE, CARD_FILE, SCHEDULER_FOLDER, VAE_FOLDER, IMAGE_ENCODER_FOLDER, *NETWORKS}


@dataclass(frozen=True)
class Weights:
    """A network of a model in both kinds of folder: the file in a checkpoint, and the component that it is of the
    pipeline."""

    file: str
    component: str
    part: type[Part]

    def sizes(self, config: ModelConfig) -> Any:
        """What its config says."""
        return config.autoencoder if self.part is SmallAutoencoderModel else config.network


def to_diffusers(source: str | Path, output: str | Path, *, overwrite: bool = False) -> Path:
    """Write a checkpoint as a folder that `FollowYourEmojiPipeline.from_pretrained` loads.

    Parameters
    ----------
    source : "bundled", "released" or a checkpoint's folder, see `checkpoints.load_model`.
    output : the folder; it appears when it is complete. Its parent must exist.
    overwrite : whether a folder of diffusers that lies there may be replaced.

    Raises
    ------
    WeightsError : the checkpoint is missing, incomplete or damaged, or the folder exists or cannot be written.
    """
    output = Path(output).absolute()
    folder = find_checkpoint(source)
    with atomic_output(output, overwrite, WeightsError, SafetensorError, entries=ENTRIES.__contains__) as new:
        config = _checked(folder)
        new.mkdir()
        for one in own_weights(config):
            (new / one.component).mkdir()
            shutil.copyfile(folder / one.file, new / one.component / WEIGHTS_FILE)
            on_meta(lambda one=one: one.part(sizes=plain(one.sizes(config)))).save_config(new / one.component)  # type: ignore[misc]
        for name in foreign_folders(config):
            _copy_foreign(folder / name, new / name)
        FollowYourEmojiScheduler().save_config(new / SCHEDULER_FOLDER)
        index = json.dumps(model_index(config), indent=2, sort_keys=True)
        (new / INDEX_FILE).write_text(index + "\n", encoding="utf-8")
        (new / CARD_FILE).write_text(model_card(config), encoding="utf-8")
    return output


def from_diffusers(source: str | Path, output: str | Path, *, overwrite: bool = False) -> Path:
    """Write a folder that `to_diffusers` or `FollowYourEmojiPipeline.save_pretrained` wrote as a checkpoint.

    `output` and `overwrite` as there. Raises WeightsError where a part of the folder is missing, damaged or of another
    model, or the checkpoint exists or cannot be written.
    """
    folder, output = Path(source), Path(output).absolute()
    with new_folder(output, overwrite) as new:
        config = check_folder(folder)
        for one in own_weights(config):
            shutil.copyfile(folder / one.component / WEIGHTS_FILE, new / one.file)
        for name in foreign_folders(config):
            _copy_foreign(folder / name, new / name)
        write_config(config, new)
    return output


def own_weights(config: ModelConfig) -> Iterator[Weights]:
    """This project's networks that a model has."""
    needed = needed_entries(config)
    for name, part in NETWORKS.items():
        if NETWORK_FILES[name] in needed:
            yield Weights(NETWORK_FILES[name], name, part)
    if config.autoencoder is not None:
        yield Weights(NETWORK_FILES["autoencoder"], VAE_FOLDER, SmallAutoencoderModel)


def foreign_folders(config: ModelConfig) -> list[str]:
    """Folders that are the same in both kinds: Stable Diffusion's autoencoder, CLIP's image encoder."""
    return [name for name in needed_entries(config) if name in (VAE_FOLDER, IMAGE_ENCODER_FOLDER)]


def settings_of(config: ModelConfig) -> dict[str, Any]:
    """What a pipeline's `model_index.json` says of a model: all but the sizes, which lie beside the weights."""
    return {name: value for name, value in plain(config).items() if name not in ("network", "autoencoder")}


def config_of(settings: Any, network: Any, autoencoder: Any, origin: object) -> ModelConfig:
    """The inverse: a model's config from the settings and the sizes, as JSON has them. Raises WeightsError naming
    `origin`."""
    if not isinstance(settings, dict):
        raise WeightsError(f"{origin} cannot be used: it says nothing of the model under `model`")
    entries = {**settings, "network": network, "autoencoder": autoencoder}
    return parse(ModelConfig, json.dumps(entries), origin, WeightsError)


def model_index(config: ModelConfig) -> dict[str, Any]:
    """What `model_index.json` holds: the class of each component, and of the model what is no size."""
    components: dict[str, Any] = {name: [None, None] for name in (*NETWORKS, IMAGE_ENCODER_FOLDER)}
    for one in own_weights(config):
        components[one.component] = [one.part.__module__, one.part.__name__]
    for name in foreign_folders(config):
        components[name] = FOREIGN_VAE if name == VAE_FOLDER else FOREIGN_IMAGE_ENCODER
    scheduler = FollowYourEmojiScheduler
    return {
        "_class_name": PIPELINE,
        "_diffusers_version": diffusers.__version__,
        **components,
        SCHEDULER_FOLDER: [scheduler.__module__, scheduler.__name__],
        "model": settings_of(config),
    }


def check_folder(folder: Path, *, passed: frozenset[str] = frozenset()) -> ModelConfig:
    """The config of a model in a folder of diffusers, all parts of which are there, whole, and of one model.

    Components that are `passed` to the pipeline need not lie there. Raises WeightsError naming the file.
    """
    if not folder.is_dir():
        raise WeightsError(f"there is no folder {folder}; give a folder that `fye weights to-diffusers` made")
    index = _read_json(folder / INDEX_FILE)
    if index.get("_class_name") != PIPELINE:
        raise WeightsError(
            f"{folder / INDEX_FILE} is of the pipeline {shown(repr(index.get('_class_name')))}: only a {PIPELINE} can be used"
        )
    network = _sizes(folder / "denoiser" / CONFIG_FILE)
    own_vae = index.get(VAE_FOLDER) != FOREIGN_VAE
    autoencoder = _sizes(folder / VAE_FOLDER / CONFIG_FILE) if own_vae else None
    config = config_of(index.get("model"), network, autoencoder, folder / INDEX_FILE)
    for one in own_weights(config):
        if one.component in passed:
            continue
        place = folder / one.component
        if _sizes(place / CONFIG_FILE) != plain(one.sizes(config)):
            raise WeightsError(f"{place} is of another model than {folder / 'denoiser'}; take both from one")
        _require_whole(place / WEIGHTS_FILE)
        read_network(on_meta(lambda one=one: one.part.kind(one.sizes(config))), place / WEIGHTS_FILE)  # type: ignore[misc]
    for name in set(foreign_folders(config)) - passed:
        _load_foreign(folder / name)
    if SCHEDULER_FOLDER not in passed:
        # Some of diffusers' own say -Infinity, such as DPMSolverMultistepScheduler's.
        _read_json(folder / SCHEDULER_FOLDER / "scheduler_config.json", finite=False)
    return config


def _checked(folder: Path) -> ModelConfig:
    """The config of a checkpoint without faults."""
    found = verify_checkpoint(folder)
    needed = needed_entries(found.config)
    for part in found.parts:
        if part.part in needed and part.problems:
            raise WeightsError(part.problems[0])
    return read_config(folder)[0]


def _load_foreign(folder: Path) -> None:
    if folder.name == VAE_FOLDER:
        load_stable_diffusion_autoencoder(folder, "cpu")
    else:
        load_clip_image_encoder(folder, "cpu", torch.float16)


def _copy_foreign(folder: Path, new: Path) -> None:
    new.mkdir()
    names = (WEIGHTS_FILE,) if folder.name == VAE_FOLDER else CLIP_WEIGHTS
    weights = next(name for name in names if (folder / name).is_file())
    for name in (CONFIG_FILE, weights):
        shutil.copyfile(folder / name, new / name)


def _sizes(file: Path) -> Any:
    """What a part's config says of its network."""
    sizes = _read_json(file).get("sizes")
    if sizes is None:
        raise WeightsError(f"{file} is of another model of diffusers: it has no entry `sizes`")
    return sizes


def _read_json(file: Path, *, finite: bool = True) -> dict[str, Any]:
    if not file.is_file():
        raise WeightsError(f"{file} is missing: the folder is incomplete; convert, save or fetch it again")
    try:
        return read_json(file, finite=finite)
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{file} cannot be read as JSON ({first_line(error)}); convert, save or fetch it again"
        ) from error


def _require_whole(file: Path) -> None:
    """Raise WeightsError where weights lie in several files, or under a name of their own."""
    if not file.is_file() and (others := sorted(file.parent.glob("*.safetensors"))):
        raise WeightsError(
            f"{file} is missing, and there is {others[0].name}: save the pipeline with neither `variant` nor `max_shard_size`"
        )
