"""Portraits and drivings as they arrive: bounded before they are decoded, examined, and made fit for a browser to show.

The folder of a material holds the file as it was given and

    view.webp or view.mp4   what a browser shows of it
    faces.npz               of a portrait: `landmarks` (N, 478, 3) float32, normalised, of its faces from left to right
    motion.fyemotion        of a driving: its whole motion, tracked
    points.json             of a portrait: landmarks placed by hand, where there are some
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from followyouremoji.errors import FaceNotFound, PictureError
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.motion import MOTION_ENDING, MOTION_ENDINGS, Motion
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.inputs import InputFile
from followyouremoji.media.pictures import open_image, read_layers, resize_picture, write_picture
from followyouremoji.media.ranges import ClipRange
from followyouremoji.media.writing import ClipWriter
from followyouremoji.sources import read_motion, upright_portrait
from followyouremoji.studio.settings import StudioSettings

PICTURE_VIEW, CLIP_VIEW = "view.webp", "view.mp4"
PICTURE_SIDE, CLIP_SIDE = 1024, 480
"""Longest sides of what a browser shows, pixels."""

VIEW_RATE = 25.0
"""Most frames a second of a clip's view."""


def examine_portrait(path: Path, detector: FaceDetector, limits: StudioSettings) -> dict[str, Any]:
    """Check a portrait, and write its view and its faces beside it; returns what the page is told of it.

    One without a face is taken: points can be placed by hand. Raises PictureError.
    """
    with open_image(InputFile.of(path, PictureError, "a picture", "the portrait"), PictureError) as image:
        width, height = image.size
    if width * height > limits.upload_megapixels * 1e6:
        raise PictureError(
            f"{path.name} has {width}x{height} pixels; up to {limits.upload_megapixels} megapixels are taken here: scale it down"
        )
    layers, landmarks, turns = read_layers(path), [], 0
    try:
        found = upright_portrait(detector, layers, None, path.name)
        layers, landmarks, turns = found.layers, [found.landmarks], found.landmarks.quarter_turns
    except FaceNotFound:
        pass  # the page says so, and where points are placed
    height, width = layers.shape[:2]
    faces = np.array([face.normalised for face in landmarks], np.float32).reshape(-1, 478, 3)
    np.savez(path.parent / "faces.npz", landmarks=faces)
    write_picture(path.parent / PICTURE_VIEW, resize_picture(layers, within((width, height), PICTURE_SIDE)))
    return {
        "size": [width, height],
        "faces": len(faces),
        "quarter_turns": turns,
        "transparent": layers.shape[2] == 4,
    }


def examine_driving(path: Path, detector: FaceDetector, limits: StudioSettings) -> dict[str, Any]:
    """Check a driving clip, picture or motion, follow its face, and write its view and its motion beside it; returns
    what the page is told of it.

    Of a clip that is longer than what is taken here, the beginning is. Raises ClipError, MotionError, FaceNotFound.
    """
    kept = ClipRange(0, None, float(limits.clip_seconds))
    tracked = read_motion(path, detector, clip_range=kept)
    motion = tracked.motion
    motion.save(path.parent / f"motion{MOTION_ENDING}")
    details: dict[str, Any] = {
        "frames": len(motion),
        "frame_rate": motion.frame_rate,
        "seconds": motion.duration,
        "sound": False,
        "view": None,
        "notes": list(tracked.notes),
    }
    if path.suffix.lower() not in MOTION_ENDINGS:
        details["view"] = CLIP_VIEW
        details["sound"] = write_clip_view(path, path.parent / CLIP_VIEW, kept, motion)
    return details


def write_clip_view(path: Path, view: Path, kept: ClipRange, motion: Motion) -> bool:
    """What a browser can play of a clip or a picture, upright, with its sound; returns whether there is some."""
    rate = min(motion.frame_rate, VIEW_RATE)
    with ClipReader(path, kept) as clip:
        moving, sound = clip.info.frames != 1, clip.info.has_sound
    with ClipReader(path, kept, rate if moving else None) as clip:
        frames = iter(clip)
        _, first = next(frames)
        first = np.rot90(first, motion.quarter_turns)
        size = within((first.shape[1], first.shape[0]), CLIP_SIDE)
        with ClipWriter(view, rate, size, sound_from=path if moving and sound else None) as writer:
            writer.write(resize_picture(first, size))
            for _, picture in frames:
                writer.write(resize_picture(np.rot90(picture, motion.quarter_turns), size))
            return writer.has_sound


def within(size: tuple[int, int], side: int) -> tuple[int, int]:
    """A (width, height) scaled down to a longest side, even numbers of pixels."""
    scale = min(1.0, side / max(size))
    width, height = (max(2, 2 * round(one * scale / 2)) for one in size)
    return width, height
