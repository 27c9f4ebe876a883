"""Drawn people with exact landmarks: identities that stay, performances that move. Needs skia to draw."""

from typing import TYPE_CHECKING

from .looks import HELD_OUT_TEXTURES, TEXTURES, Look
from .performance import EXPRESSIONS, Expression, Performance, expressive_motion, speech
from .styles import HELD_OUT_STYLES, STYLES, Identity

if TYPE_CHECKING:
    from .drawing import DrawnPortrait, draw_portrait
    from .sheet import contact_sheet

__all__ = [
    "EXPRESSIONS",
    "HELD_OUT_STYLES",
    "HELD_OUT_TEXTURES",
    "STYLES",
    "TEXTURES",
    "DrawnPortrait",
    "Expression",
    "Identity",
    "Look",
    "Performance",
    "contact_sheet",
    "draw_portrait",
    "expressive_motion",
    "speech",
]


def __getattr__(name: str) -> object:
    # skia is imported with the first drawing, not with the package.
    if name in ("DrawnPortrait", "draw_portrait"):
        from . import drawing

        return getattr(drawing, name)
    if name == "contact_sheet":
        from .sheet import contact_sheet

        return contact_sheet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
