"""How an animation finds what its files show: the faces of the portrait, and the motions of its drivings."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.motion import Motion
from followyouremoji.requests.driving import Driving
from followyouremoji.requests.events import OnEvent
from followyouremoji.requests.work import Work
from followyouremoji.sources import Portrait


class Finder:
    """Looks with a detector, a context manager. A front end that keeps one between calls loads it once, and may
    remember what it found; not for two threads at once."""

    def __init__(self, bundle: Path | None = None) -> None:
        self.detector = FaceDetector(bundle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.detector.close()

    def portrait(self, work: Work) -> Portrait:
        """See `Work.find_portrait`."""
        return work.find_portrait(self.detector)

    def motion(self, driving: Driving, face: int | None, smooth: float, on_event: OnEvent) -> Motion:
        """See `Driving.track`."""
        return driving.track(self.detector, face, smooth, on_event)
