"""How results are measured: what every table must say, and what must be equal before two tables may be joined."""

from __future__ import annotations

import platform
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Self

from pydantic import Field

from followyouremoji.benchmark.fingerprints import code_hash
from followyouremoji.config import validated
from followyouremoji.errors import DataError
from followyouremoji.version import __version__

LIBRARIES = ("numpy", "opencv-contrib-python", "mediapipe", "torch", "av", "onnxruntime", "pyarrow")
"""Whose versions can change a figure."""


@validated
class Protocol:
    """The paper's by default: 256x256 pixels, 64 frames, the first frame as reference (Sec. 4.1)."""

    size: Annotated[int, Field(ge=64, le=1024)] = 256
    """Pixels a side at which results are compared; larger ones are averaged down."""
    frames: Annotated[int, Field(ge=3)] = 64
    """Of each clip, from its first; of shorter clips, all."""
    reference: str = "the first frame of the clip (self), the suite's portrait (cross)"
    """What a system is given to animate."""
    crop: str = "squares of the suite, as they are"
    """What of a picture is seen."""
    detector: str = "MediaPipe face mesh, each frame on its own"
    """What finds the landmarks of results."""
    networks: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each network's file that measures."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Of this package and of the libraries that figures depend on."""

    @classmethod
    def here(cls, size: int = 256, frames: int = 64, networks: dict[str, str] | None = None) -> Self:
        """The protocol as this installation measures by it."""
        return cls(size=size, frames=frames, networks=networks or {}, versions=installed_versions())

    def check_same(self, other: Protocol, what: str) -> None:
        """Raise DataError, naming `what` and the first difference, where figures of both must not stand in one
        table."""
        for field in fields(self):
            mine, others = getattr(self, field.name), getattr(other, field.name)
            if mine != others:
                raise DataError(
                    f"{what} was measured by another protocol: {field.name} is {_shown(others, mine)} there and {_shown(mine, others)} here. "
                    "Figures of two protocols cannot be compared; measure into a new folder."
                )


def installed_versions() -> dict[str, str]:
    """With a hash of this package's code, since a version that is being worked on measures otherwise from day to
    day."""
    own = f"{__version__} (code {code_hash()})"
    versions = {"python": platform.python_version(), "followyouremoji": own}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return versions


def _shown(value: object, other: object) -> object:
    """Of two tables the entries that differ."""
    if not (isinstance(value, dict) and isinstance(other, dict)):
        return value
    different = {name: entry for name, entry in value.items() if other.get(name) != entry}
    return ", ".join(f"{name} {entry}" for name, entry in different.items()) or "without it"
