"""A portrait that moves with the face before a camera, while it moves."""

from followyouremoji.live.pacing import LiveFigures, LiveFrame, LiveState
from followyouremoji.live.session import LiveSession

__all__ = ["LiveFigures", "LiveFrame", "LiveSession", "LiveState"]
