"""A portrait's face as a visitor poses it: its landmarks at once, one picture in a fraction of a second.

What a page shows is made of the portrait's view, so that it takes no longer of a large portrait; the picture that is
taken home is made of the portrait itself. Pictures do not wait for animations: the networks run beside these, for one
visitor after the other.
"""

from __future__ import annotations

import shutil
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from followyouremoji.config import validated
from followyouremoji.face.alignment import SolvedMotion, align, measure
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.keyframes import (
    Keyframe,
    Keyframes,
    keyframe_motion,
    read_keyframes,
    write_keyframes,
)
from followyouremoji.face.motion import MOTION_ENDING
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.sliders import Pose
from followyouremoji.media.pictures import read_layers
from followyouremoji.requests.bundled import portrait_path
from followyouremoji.studio.examples import view_of
from followyouremoji.studio.material import Material
from followyouremoji.studio.turns import Turns

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.posing import PoseSession
    from followyouremoji.studio.store import Visitor
    from followyouremoji.studio.studio import Studio

REMEMBERED = 8
"""Portraits that are being posed, a few megabytes each."""

KEYFRAMES = "keyframes.json"
"""Beside the motion that was made of them."""

AS_IT_IS = AlignmentSettings(portrait_expression="keep")
"""At rest a portrait stays as it is: what it shows itself is kept, and poses are added to it."""


@validated
class Posed:
    """A portrait, by its id, and a pose of its face."""

    portrait: str
    pose: Pose


@validated
class Performed:
    """Keyframes, and what some requests need beside them: a portrait, by its id, a name, a moment in seconds."""

    keyframes: Keyframes
    portrait: str = ""
    name: str = Field("Motion", min_length=1, max_length=80)
    seconds: float = 0.0


@dataclass(frozen=True)
class Picture:
    """uint8 (height, width, 3 or 4), and the seconds that it took."""

    layers: np.ndarray
    seconds: float


class Sitter:
    """A portrait that is being posed: uint8 (height, width, 3 or 4), and the landmarks of its face."""

    def __init__(self, layers: np.ndarray, landmarks: Landmarks) -> None:
        self.layers, self.landmarks = layers, landmarks
        self._measure = lru_cache(1)(measure)  # of the face at rest
        self._session: PoseSession | None = None

    def pose(self, pose: Pose) -> np.ndarray:
        """The landmarks ``(1, 478, 2)`` of a pose, pixels."""
        settings, rest = replace(AS_IT_IS, pose=pose), _at_rest()
        return align(
            rest.motion, self.landmarks, settings, solve=lambda _: rest, measure=self._measure
        ).points

    def perform(self, keyframes: Keyframes) -> np.ndarray:
        """The landmarks ``(T, 478, 2)`` of all frames, pixels."""
        return align(keyframes.motion(), self.landmarks, AS_IT_IS).points

    def picture(self, animator: PortraitAnimator, pose: Pose) -> np.ndarray:
        """What the model makes of a pose, as large as the portrait. The first one takes longer: the networks read the
        portrait. One thread at a time."""
        if self._session is None:
            from followyouremoji.posing import PoseSession

            self._session = PoseSession(animator, self.layers, portrait_landmarks=self.landmarks)
        return self._session.picture(_at_rest().motion, replace(AS_IT_IS, pose=pose))


class Posing:
    """Poses portraits for several visitors. Threads may share it; `animator` waits for the model."""

    def __init__(self, animator: Callable[[], PortraitAnimator]) -> None:
        self._animator, self._turns = animator, Turns()
        self._lock = Lock()
        self._sitters: OrderedDict[tuple[str, bytes], Sitter] = OrderedDict()

    def sitter(self, portrait: Material, landmarks: Landmarks) -> Sitter:
        """The view of a portrait whose face has `landmarks`; remembered."""
        key = (portrait.given, landmarks.normalised.tobytes())  # points may be placed anew
        with self._lock:
            sitter = self._sitters.get(key)
            if sitter is None:
                layers = read_layers(view_of(portrait))
                height, width = layers.shape[:2]
                sitter = self._sitters[key] = Sitter(layers, replace(landmarks, size=(width, height)))
                while len(self._sitters) > REMEMBERED:
                    self._sitters.popitem(last=False)
            self._sitters.move_to_end(key)
            return sitter

    def picture(self, visitor: str, sitter: Sitter, pose: Pose) -> Picture:
        """Made when it is the visitor's turn. Raises Superseded where the visitor asks for another one meanwhile, and
        UserError where there is no model."""
        animator = self._animator()
        with self._turns.turn(visitor):
            began = time.perf_counter()
            layers = sitter.picture(animator, pose)
            return Picture(layers, time.perf_counter() - began)

    def whole_picture(self, visitor: str, portrait: Material, landmarks: Landmarks, pose: Pose) -> Picture:
        """The same in the portrait's own resolution, of which nothing is remembered."""
        given = read_layers(portrait_path(portrait.given))
        upright = np.ascontiguousarray(np.rot90(given, portrait.details.get("quarter_turns", 0)))
        return self.picture(visitor, Sitter(upright, landmarks), pose)


def keep_motion(studio: Studio, visitor: Visitor, keyframes: Keyframes, name: str) -> Material:
    """Keep the motion of keyframes among a visitor's drivings, with the keyframes beside it; once, however often it is
    asked for."""
    title = f"{name}{MOTION_ENDING}"
    for driving in visitor.materials("driving"):
        assert driving.folder is not None
        beside = driving.folder / KEYFRAMES
        if driving.name == title and beside.exists() and read_keyframes(beside) == keyframes:
            return driving
    folder = visitor.new_folder()
    try:
        file = folder / f"given{MOTION_ENDING}"
        keyframes.motion(name).save(file)
        write_keyframes(folder / KEYFRAMES, keyframes)
        return studio.add_material(visitor, "driving", title, file)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # it was moved where all went well


@cache
def _at_rest() -> SolvedMotion:
    return SolvedMotion(keyframe_motion([Keyframe(seconds=0.0)]))
