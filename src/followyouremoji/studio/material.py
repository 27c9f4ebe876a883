"""A portrait or a driving that the page works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["portrait", "driving"]


class NotThere(LookupError):
    """A visitor has no such material or result."""


@dataclass(frozen=True)
class Material:
    """A portrait or a driving.

    Attributes
    ----------
    id : 32 hexadecimal digits, or `bundled:NAME`
    given : what an `AnimationRequest` takes for it: a path, or `bundled:NAME`
    folder : its own; None for a bundled one
    """

    id: str
    kind: Kind
    name: str
    given: str
    folder: Path | None
    details: Mapping[str, Any]

    def in_words(self, sentence: str) -> str:
        """A sentence about its file, which says the name that the visitor knows instead of a path."""
        return sentence.replace(self.given, self.name)
