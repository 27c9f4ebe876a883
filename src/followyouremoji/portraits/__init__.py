"""Drawn people with exact landmarks: identities that stay, performances that move. Needs skia to draw."""

from typing import TYPE_CHECKING

from .casting import random_identity
from .looks import Look
from .performance import Performance, expressive_motion, speech
from .styles import ALL_ANIMALS, ANIMALS, HELD_OUT_STYLES, STYLES, Identity

if TYPE_CHECKING:
    from .drawing import DrawnPortrait, draw_portrait

__all__ = [
    "ALL_ANIMALS",
    "ANIMALS",
    "HELD_OUT_STYLES",
    "STYLES",
    "DrawnPortrait",
    "Identity",
    "Look",
    "Performance",
    "draw_portrait",
    "expressive_motion",
    "random_identity",
    "speech",
]


def __getattr__(name: str) -> object:
    # skia is imported with the first drawing, not with the package.
    if name in ("DrawnPortrait", "draw_portrait"):
        from . import drawing

        return getattr(drawing, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
