"""Requests whose paths lead to the same files from any folder: workers run in folders of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from followyouremoji.requests.bundled import PREFIX
from followyouremoji.requests.request import AnimationRequest, BatchRequest, ModelChoice
from followyouremoji.storage import address_of, is_address

Request = TypeVar("Request", AnimationRequest, BatchRequest)


def with_whole_paths(request: Request) -> Request:
    """A request that means the same in whatever folder a worker runs."""
    bundle, output = request.settings.detector_bundle, request.output
    paths: dict[str, Any] = {
        name: whole_path(getattr(output, name)) for name in ("path", "certificate", "private_key")
    }
    same: dict[str, Any] = {
        "output": replace(output, **paths),
        "model": whole_model(request.model),
        "loras": tuple(replace(lora, file=lora.file.absolute()) for lora in request.loras),
        "settings": replace(request.settings, detector_bundle=bundle and bundle.absolute()),
    }
    if isinstance(request, BatchRequest):
        lists: dict[str, Any] = {
            name: tuple(map(whole, getattr(request, name))) for name in ("portraits", "motions")
        }
        return replace(request, **same, **lists)
    return replace(request, **same)


def whole_model(choice: ModelChoice) -> ModelChoice:
    """A choice whose files are named by whole paths."""
    weights, decoder = Path(choice.weights), Path(choice.decoder)
    named = choice.weights in ("bundled", "released")
    return replace(
        choice,
        weights=str(weights.absolute()) if weights.is_dir() and not named else choice.weights,
        decoder=str(decoder.absolute()) if decoder.is_file() else choice.decoder,
    )


def whole_path(path: Path | None) -> Path | None:
    return path if path is None or address_of(path) else path.absolute()


def whole(given: str) -> str:
    return given if given.startswith(PREFIX) or is_address(given) else str(Path(given).absolute())
