"""What results carry beside their frames, by what a request asks for: their record, a signature, a watermark."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from followyouremoji.errors import SettingsError
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.provenance.record import Record, new_record
from followyouremoji.provenance.signing import MIME, Signer
from followyouremoji.provenance.watermark import Watermark
from followyouremoji.requests.request import ClipSettings, ModelChoice, Output
from followyouremoji.requests.resume import HOW, Recipe, fingerprint
from followyouremoji.settings import AnimationSettings

VARIABLES = {
    name: f"FYE_{name.upper()}" for name in ("certificate", "private_key", "timestamp_authority", "watermark")
}
"""Environment variables that stand for settings which a request does not give; for servers."""


def record_of(recipe: Recipe, model: str) -> Record:
    """The record of a result of that recipe, made now by the model of that name."""
    from followyouremoji.checkpoints.folder import CONFIG_FILE  # torch

    return new_record(
        model=model,
        weights=dict(recipe["weights"])[CONFIG_FILE],
        seed=recipe["seed"],
        decoder=recipe["decoder"],
        loras=tuple((checksum, scale) for checksum, scale in recipe["LoRA"]),
        settings=differing(recipe, ClipSettings(), AlignmentSettings(), AnimationSettings()),
        portrait=recipe["portrait"],
        driving=tuple(recipe["driving"]),
        points=recipe["points"],
    )


def model_record(choice: ModelChoice, model: str, **known: Any) -> Record:
    """A record of what the chosen model, of that name, makes now; `known` is the rest. Raises UserError where its
    weights are not there."""
    from followyouremoji.checkpoints.folder import CONFIG_FILE  # torch
    from followyouremoji.checkpoints.sources import find_checkpoint

    weights = fingerprint(find_checkpoint(choice.weights) / CONFIG_FILE)
    return new_record(model=model, weights=weights, **known)


def differing(given: Mapping[str, Any], *defaults: Any) -> dict[str, Any]:
    """Of settings as JSON holds them, by name, those that differ from the `defaults`; without those that a record tells
    otherwise, that change no frame, or that are paths."""
    usual: dict[str, Any] = {}
    for settings in defaults:
        usual |= TypeAdapter(type(settings)).dump_python(settings, mode="json")
    told = usual.keys() - {*HOW, "seed", "detector_bundle"}
    return {name: given[name] for name in usual if name in told and given[name] != usual[name]}


@dataclass(frozen=True)
class Marks:
    """The marks of a result beside its record: who signs it, and what puts a watermark into its frames."""

    signer: Signer | None = None
    watermark: Watermark | None = None

    @classmethod
    def of(cls, output: Output, ending: str) -> Marks:
        """The marks of a file of that ending, "" for a folder, as its output or else the environment says.

        Raises SettingsError where they cannot be made. What a request asks for must be possible; the environment's
        certificate signs those kinds of files that can be signed.
        """
        marked = output.watermark or os.environ.get(VARIABLES["watermark"], "") not in ("", "0")
        return cls(_signer(output, ending), Watermark() if marked else None)

    @classmethod
    def from_environment(cls, ending: str) -> Marks:
        """The signature that the environment asks for, for files that no request's output describes."""
        return cls(_signer(Output(), ending))

    def watermarked(self, frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Frames uint8 (height, width, 3 or 4) with the watermark, if there is one."""
        return frames if self.watermark is None else map(self.watermark, frames)

    def seal(self, ending: str, record: Record) -> Callable[[Path], None] | None:
        """What signs a finished file, if it is to be signed."""
        return None if self.signer is None else partial(self.signer.sign, ending=ending, record=record)


def _signer(output: Output, ending: str) -> Signer | None:
    given = output.certificate is not None or output.private_key is not None
    if output.timestamp_authority is not None and not given:  # a server asks nobody whom a client names
        raise SettingsError(
            "a timestamp is of a signature: give a certificate and its key too, or no authority",
            settings=("timestamp_authority", "certificate", "private_key"),
        )
    certificate = output.certificate or _path_in("certificate")
    key = output.private_key or _path_in("private_key")
    authority = output.timestamp_authority or os.environ.get(VARIABLES["timestamp_authority"]) or None
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise SettingsError(
            "signing takes a certificate and its private key: give both",
            settings=("certificate", "private_key"),
        )
    if ending not in MIME:
        if not given:
            return None
        raise SettingsError(
            f"{ending or 'a folder of frames'} cannot carry a signature (C2PA); what can is {', '.join(MIME)}",
            settings=("certificate", "path"),
        )
    return Signer(certificate, key, authority)


def _path_in(name: str) -> Path | None:
    value = os.environ.get(VARIABLES[name])
    return Path(value) if value else None
