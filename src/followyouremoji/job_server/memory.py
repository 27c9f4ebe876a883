"""What a worker remembers of the latest portraits and motions, by the content of their files."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from followyouremoji.face.detection import Landmarks
from followyouremoji.face.motion import Motion
from followyouremoji.files import checksum
from followyouremoji.requests.driving import Driving
from followyouremoji.requests.events import Event, Note, OnEvent, Stage
from followyouremoji.requests.finding import Finder
from followyouremoji.requests.work import Work
from followyouremoji.sources import Portrait, choose_faces

MOST_PORTRAITS = 256
MOST_FRAMES = 20_000
"""Of all motions that are remembered: about 120 MB."""


@dataclass(frozen=True)
class _Followed:
    """The motion of a file, and what was told of it."""

    path: Path
    motion: Motion
    notes: list[Note]


class RememberingFinder(Finder):
    """A `Finder` that looks at the same portrait, and the same part of the same clip, once."""

    def __init__(self) -> None:
        super().__init__()
        self._faces: OrderedDict[Hashable, tuple[Landmarks, ...]] = OrderedDict()
        self._motions: OrderedDict[Hashable, _Followed] = OrderedDict()

    def portrait(self, work: Work) -> Portrait:
        picture, faces = work.picture, work.drivings.faces
        content = hashlib.sha256(np.ascontiguousarray(picture).data).digest()
        key = content, picture.shape, set(faces) != {None}  # then all faces were searched for
        known = self._faces.get(key)
        if known is None:
            found = super().portrait(work)
            self._faces[key] = found.faces
            if len(self._faces) > MOST_PORTRAITS:
                self._faces.popitem(last=False)
            return found
        self._faces.move_to_end(key)
        upright = np.ascontiguousarray(np.rot90(picture, known[0].quarter_turns))
        found = Portrait(upright, known, str(work.portrait))
        choose_faces(found, faces, work.request.settings)
        return found

    def motion(self, driving: Driving, face: int | None, smooth: float, on_event: OnEvent) -> Motion:
        if driving.motion is not None or not isinstance(driving.source, Path):  # there is nothing to follow
            return super().motion(driving, face, smooth, on_event)
        key = checksum(driving.path), driving.clip_range, driving.frame_rate, face, smooth
        if key in self._motions:
            self._motions.move_to_end(key)
            known = self._motions[key]
            on_event(Stage("tracking", f"The face in {driving.path.name} was followed before"))
            for note in known.notes:  # somebody else's file had another name
                on_event(replace(note, sentence=note.sentence.replace(str(known.path), str(driving.path))))
            return known.motion
        told: list[Note] = []

        def tell(event: Event) -> None:
            if isinstance(event, Note):
                told.append(event)
            on_event(event)

        motion = super().motion(driving, face, smooth, tell)
        self._motions[key] = _Followed(driving.path, motion, told)
        while sum(len(one.motion) for one in self._motions.values()) > MOST_FRAMES and len(self._motions) > 1:
            self._motions.popitem(last=False)
        return motion
