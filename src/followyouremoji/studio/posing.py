"""A portrait's face as a visitor poses it: its landmarks at once, one picture in a fraction of a second.

Pictures are made of the portrait's view, which is as large as a page shows it, so that they take no longer of a large
portrait; the one that is taken home is made of the portrait itself. They do not wait for animations: the networks run
beside these, in the threads that ask.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import cache, lru_cache
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from followyouremoji.config import validated
from followyouremoji.face.alignment import AlignmentSettings, SolvedMotion, align, measure
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.keyframes import Keyframe, Keyframes, keyframe_motion
from followyouremoji.face.sliders import Pose
from followyouremoji.media.pictures import read_layers
from followyouremoji.requests.bundled import portrait_path
from followyouremoji.studio.examples import view_of
from followyouremoji.studio.material import Material
from followyouremoji.studio.turns import Turns

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator

REMEMBERED = 8
"""Portraits that are being posed, a few megabytes each; the latest are remembered."""


@validated
class Posed:
    """A portrait, by its id, and a pose of its face."""

    portrait: str
    pose: Pose = {}


@validated
class Performed:
    """A portrait, by its id, and the keyframes that move it; `name` is what the visitor calls them."""

    portrait: str
    keyframes: Keyframes
    name: str = ""


AS_IT_IS = AlignmentSettings(portrait_expression="keep")
"""At rest a portrait stays as it is: what it shows itself is kept, and poses are added to it."""


@cache
def _at_rest() -> SolvedMotion:
    return SolvedMotion(keyframe_motion([Keyframe(seconds=0.0)]))


class Sitter:
    """A portrait that is being posed: its view uint8 (height, width, 3 or 4), and the face's landmarks in it."""

    def __init__(self, layers: np.ndarray, landmarks: Landmarks) -> None:
        self.layers, self.landmarks = layers, landmarks
        self._measure = lru_cache(1)(measure)  # of the face at rest

    def pose(self, pose: Pose) -> np.ndarray:
        """The landmarks ``(1, 478, 2)`` of a pose, pixels of the view."""
        settings = replace(AS_IT_IS, pose=pose)
        rest = _at_rest()
        return align(rest.motion, self.landmarks, settings, solve=lambda _: rest, measure=self._measure).points

    def perform(self, keyframes: Keyframes) -> np.ndarray:
        """The landmarks ``(T, 478, 2)`` of all frames, pixels of the view."""
        return align(keyframes.motion(), self.landmarks, AS_IT_IS).points
