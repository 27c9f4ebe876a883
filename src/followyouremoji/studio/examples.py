"""Bundled portraits and motions as materials, and what a browser shows of them. They are examined when they are first
asked for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from followyouremoji.errors import UserError
from followyouremoji.requests.bundled import (
    PORTRAIT_ENDING,
    PREFIX,
    bundled_motion,
    example_names,
    motion_names,
    portrait_path,
)
from followyouremoji.studio.material import Material, NotThere

STYLES = {
    "ada": "drawn person",
    "max": "drawn person",
    "stone": "sculpture",
    "emoji": "emoji",
    "fox": "animal",
}
"""Of the bundled portraits, in the order in which the page shows them."""


@cache
def bundled_material(identity: str) -> Material:
    """A bundled portrait or motion, `bundled:NAME`. Raises NotThere."""
    name = identity.removeprefix(PREFIX)
    if name in example_names(PORTRAIT_ENDING):
        try:
            path = portrait_path(identity)
        except UserError:
            raise NotThere(identity) from None
        from PIL import Image

        with Image.open(path) as image:
            details = {
                "size": list(image.size),
                "faces": 1,
                "transparent": image.mode == "RGBA",
                "style": STYLES[name],
            }
        return Material(identity, "portrait", name, identity, None, details)
    if name in motion_names():
        motion = bundled_motion(name)
        details = {
            "frames": len(motion),
            "frame_rate": motion.frame_rate,
            "seconds": motion.duration,
            "sound": False,
            "view": None,
        }
        return Material(identity, "driving", name, identity, None, details)
    raise NotThere(identity)


def example_portraits() -> list[Material]:
    return [bundled_material(f"{PREFIX}{name}") for name in STYLES]


def example_motions() -> list[Material]:
    return [bundled_material(f"{PREFIX}{name}") for name in motion_names()]


def view_of(material: Material) -> Path:
    """The file that a browser shows of a portrait."""
    if material.folder is None:
        return portrait_path(material.given)
    return material.folder / "view.webp"
