"""Portraits and drivings as they arrive: bounded before they are decoded, examined, and made fit for a browser to show.

The folder of a material holds the file as it was given and

    view.webp or view.mp4   what a browser shows of it; the latter is made when it is first asked for
    faces.npz               of a portrait: `landmarks` (N, 478, 3) float32, normalised, of its faces from left to right
    motion.fyemotion        of a driving: all of its motion that is taken, of a clip not smoothed
    points.json             of a portrait: landmarks placed by hand, where there are some
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from followyouremoji.errors import FaceNotFound
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.motion import MOTION_ENDING, MOTION_ENDINGS, Motion
from followyouremoji.files import write_arrays
from followyouremoji.jobs.bounds import check_clip, check_picture
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.inputs import InputFile
from followyouremoji.media.pictures import read_layers, resize_picture, write_picture
from followyouremoji.media.ranges import ClipRange
from followyouremoji.media.writing import ClipWriter
from followyouremoji.sources import Face, Tracked, cut_motion, find_portrait, track_file
from followyouremoji.studio.settings import StudioSettings

PICTURE_VIEW, CLIP_VIEW = "view.webp", "view.mp4"
PICTURE_SIDE, CLIP_SIDE = 1024, 360
"""Longest sides of what a browser shows, pixels."""

EVERY_FACE: tuple[Face, ...] = ("all",)

VIEW_RATE = 25.0
"""Most frames a second of a clip's view."""


def examine_portrait(path: Path, name: str, detector: FaceDetector, limits: StudioSettings) -> dict[str, Any]:
    """Check a portrait, which messages call `name`, and write its view and its faces beside it; returns what the page
    is told of it.

    One without a face is taken: points can be placed by hand. Raises PictureError.
    """
    check_picture(InputFile(name, path), limits.upload_megapixels)
    layers, turns = read_layers(InputFile(name, path)), 0
    landmarks: Sequence[Landmarks] = ()
    notes: tuple[str, ...] = ()
    try:
        found = find_portrait(detector, layers, name, EVERY_FACE)
        layers, landmarks, notes = found.layers, found.faces, found.notes([found.largest])
        turns = landmarks[0].quarter_turns
    except FaceNotFound:
        pass  # the page says so, and where points are placed
    height, width = layers.shape[:2]
    faces = np.array([face.normalised for face in landmarks], np.float32).reshape(-1, 478, 3)
    write_arrays(path.parent / "faces.npz", {"landmarks": faces})
    write_picture(path.parent / PICTURE_VIEW, resize_picture(layers, within((width, height), PICTURE_SIDE)))
    return {
        "size": [width, height],
        "faces": len(faces),
        "quarter_turns": turns,
        "transparent": layers.shape[2] == 4,
        "notes": list(notes),
    }


def examine_driving(path: Path, name: str, detector: FaceDetector, limits: StudioSettings) -> dict[str, Any]:
    """Check a driving clip, picture or motion, which messages call `name`, follow its face, and write its motion beside
    it; returns what the page is told of it.

    A motion that is followed is not smoothed yet. Of a clip that is longer than what is taken here, the beginning is.
    What a browser shows of a clip takes longer to write than its face to follow: see `write_clip_view`.

    Raises ClipError, MotionError, FaceNotFound.
    """
    kept = kept_part(limits)
    if path.suffix.lower() in MOTION_ENDINGS:
        tracked, whole, sound, view = Tracked(cut_motion(Motion.read(path), name, kept)), None, False, None
    else:
        file = InputFile(name, path)
        check_clip(file, kept, limits.upload_megapixels)
        with ClipReader(file) as clip:
            whole, sound, moving = clip.clock.end, clip.info.has_sound, clip.info.frames != 1
        tracked, view = track_file(file, detector, smooth=0.0, clip_range=kept), CLIP_VIEW
        if not moving:
            view = PICTURE_VIEW
            write_still_view(file, path.parent / view, tracked.motion)
    motion, notes = tracked.motion, list(tracked.notes)
    motion.save(path.parent / f"motion{MOTION_ENDING}")
    if tracked.damage is not None:
        notes.append(f"{name} is damaged ({tracked.damage}); what comes before that is used.")
    if tracked.gaps is not None and str(tracked.gaps):
        notes.append(str(tracked.gaps))
    if whole is not None and whole > limits.clip_seconds:
        notes.append(
            f"{name} lasts {whole:.0f} s; its first {limits.clip_seconds} s are used, as much as is taken here."
        )
    return {
        "frames": len(motion),
        "frame_rate": motion.frame_rate,
        "seconds": motion.duration,
        "sound": sound,
        "view": view,
        "notes": notes,
    }


def kept_part(limits: StudioSettings) -> ClipRange:
    """The part of any driving that is taken."""
    return ClipRange(0, None, float(limits.clip_seconds))


def write_clip_view(path: Path, view: Path, kept: ClipRange, motion: Motion) -> None:
    """What a browser can play of a clip: upright as its `motion` is, with its sound. Raises ClipError."""
    with ClipReader(path, kept, min(motion.frame_rate, VIEW_RATE)) as clip:
        frames = (np.rot90(picture, motion.quarter_turns) for _, picture in clip)
        first = next(frames)
        size = within((first.shape[1], first.shape[0]), CLIP_SIDE)
        sound = path if clip.info.has_sound else None
        with ClipWriter(view, min(motion.frame_rate, VIEW_RATE), size, sound_from=sound) as writer:
            for picture in chain([first], frames):
                writer.write(resize_picture(picture, size))


def write_still_view(file: InputFile, view: Path, motion: Motion) -> None:
    """What a browser shows of a driving picture, upright."""
    with ClipReader(file) as clip:
        _, picture = next(iter(clip))
    upright = np.rot90(picture, motion.quarter_turns)
    write_picture(view, resize_picture(upright, within((upright.shape[1], upright.shape[0]), CLIP_SIDE)))


def within(size: tuple[int, int], side: int) -> tuple[int, int]:
    """A (width, height) scaled down to a longest side, even numbers of pixels."""
    scale = min(1.0, side / max(size))
    width, height = (max(2, 2 * round(one * scale / 2)) for one in size)
    return width, height
