"""Check a checkpoint from end to end: every file, name, shape, value and checksum."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.encoders import load_clip_image_encoder, load_stable_diffusion_autoencoder
from followyouremoji.checkpoints.folder import (
    CONFIG_FILE,
    IMAGE_ENCODER_FOLDER,
    NETWORK_FILES,
    VAE_FOLDER,
    FileRecord,
    needed_entries,
    read_config,
)
from followyouremoji.checkpoints.model import empty_networks
from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.checkpoints.tensors import not_finite, read_network
from followyouremoji.errors import WeightsError
from followyouremoji.files import checksum


@dataclass(frozen=True)
class FileReport:
    """What was found of one part of a checkpoint, a file or a folder."""

    part: str
    size: int  # bytes
    values: int  # numbers in it
    problems: tuple[str, ...]  # each one line; none: it is as it was saved


@dataclass(frozen=True)
class Verification:
    """What was found of a whole checkpoint."""

    folder: Path
    config: ModelConfig
    parts: tuple[FileReport, ...]

    @property
    def ok(self) -> bool:
        return not any(part.problems for part in self.parts)

    @property
    def problems(self) -> list[str]:
        return [problem for part in self.parts for problem in part.problems]


def verify_checkpoint(source: str | Path) -> Verification:
    """Check names, shapes, finite values and the checksums that were recorded when the checkpoint was saved.

    `source` as for `load_model`. Goes through all parts and reports what is wrong with each; raises WeightsError only
    where there is no checkpoint or its `config.json` cannot be used.
    """
    folder = find_checkpoint(source)
    config, records = read_config(folder)
    needed = needed_entries(config)
    reports = [_check_part(folder, name, config, records) for name in needed]
    known = {CONFIG_FILE, *needed}
    for entry in sorted(folder.iterdir()):
        if entry.name not in known:
            problem = f"{entry} is no part of this checkpoint; nothing reads it"
            reports.append(FileReport(entry.name, 0, 0, (problem,)))
    return Verification(folder, config, tuple(reports))


def _check_part(folder: Path, name: str, config: ModelConfig, records: dict[str, FileRecord]) -> FileReport:
    part = folder / name
    files = sorted(path for path in part.rglob("*") if path.is_file()) if part.is_dir() else [part]
    files = [file for file in files if file.is_file()]
    values, problems = 0, []
    try:
        values = _values(folder, name, config)
        for file in files:
            bad = not_finite(file) if file.suffix == ".safetensors" else []
            if bad:
                problems.append(
                    f"{file} holds values that are not finite, in {bad[0]} and {len(bad) - 1} other tensors"
                )
    except WeightsError as error:
        problems.append(str(error))

    found = {file.relative_to(folder).as_posix(): file for file in files}
    for key in sorted(set(found) | {key for key in records if key == name or key.startswith(f"{name}/")}):
        problem = check_record(folder / key, records.get(key))
        if problem:
            problems.append(problem)
    return FileReport(name, sum(file.stat().st_size for file in files), values, tuple(problems))


def _values(folder: Path, name: str, config: ModelConfig) -> int:
    """Load a part strictly and count its values."""
    module: torch.nn.Module
    if name == VAE_FOLDER:
        module = load_stable_diffusion_autoencoder(folder / name, "cpu")
    elif name == IMAGE_ENCODER_FOLDER:
        module = load_clip_image_encoder(folder / name, "cpu", torch.float16)
    else:
        network = next(network for network, file in NETWORK_FILES.items() if file == name)
        module = read_network(empty_networks(config)[network], folder / name)
    return sum(parameter.numel() for parameter in module.parameters())


def check_record(file: Path, record: FileRecord | None) -> str | None:
    """What is wrong with a file of which a checkpoint recorded that; None for nothing."""
    if record is None:
        return f"{file} has no checksum in {CONFIG_FILE}: it was not saved with this checkpoint"
    if not file.is_file():
        return f"{file} is missing; fetch or save the checkpoint again"
    if file.stat().st_size != record.size or checksum(file) != record.sha256:
        return f"{file} was changed or damaged since it was saved: its checksum differs; fetch or save the checkpoint again"
    return None
