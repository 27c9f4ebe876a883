"""The frames of a driving clip, as users of diffusers hold them, as a motion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from followyouremoji.errors import ClipError
from followyouremoji.face.motion import Motion
from followyouremoji.face.tracking import track_motion
from followyouremoji.face_finder import FaceFinder
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import MotionSource, as_picture

FRAME_RATE = 25.0  # of frames that come without one


def driving_motion(
    motion: MotionSource | Sequence[Image.Image | np.ndarray], settings: AnimationSettings, faces: FaceFinder
) -> MotionSource:
    """What drives a portrait: frames in a list, or as an array (frames, height, width, 3), are tracked; anything else
    stays.

    Raises ClipError for an empty list, PictureError for a frame that is no picture, and FaceNotFound where none has a
    face.
    """
    several = isinstance(motion, (list, tuple)) or (isinstance(motion, np.ndarray) and motion.ndim == 4)
    if not several:
        return motion  # type: ignore[return-value]
    pictures = [as_picture(frame, f"frame {number} of the motion") for number, frame in enumerate(motion)]  # type: ignore[arg-type]
    if len(pictures) < 2:
        if not pictures:
            raise ClipError("the motion has no frames; give a list of pictures, a clip or a motion file")
        return pictures[0]
    rate = settings.frame_rate or FRAME_RATE
    timed = ((number / rate, picture) for number, picture in enumerate(pictures))
    with faces.detector(settings.detector_bundle) as detector:
        found, _ = track_motion(
            timed, rate, detector, "the driving frames", settings.driving_face, any_turn=True
        )
    smooth: Motion = found.smoothed(1.0)
    return smooth
