"""Readers of motions and points: `followyouremoji.face`."""

from __future__ import annotations

import pickle
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from followyouremoji.face.alignment import neutral_frame
from followyouremoji.face.fitting import fit_face
from followyouremoji.face.keyframes import (
    Keyframe,
    Keyframes,
    expression_motion,
    read_keyframes,
    write_keyframes,
)
from followyouremoji.face.motion import Motion
from followyouremoji.face.placed_points import PlacedPoints

from .reader import Reader, from_file

FRAMES = 2


def written(write: Callable[[Path], object], name: str) -> bytes:
    """The bytes of the file that `write` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


def motions() -> Iterable[bytes]:
    """Motion files with all entries and with few, packed and plain: only in the latter do mutations change numbers."""
    full = replace(expression_motion("smile")[:FRAMES], blendshapes=np.zeros((FRAMES, 52), np.float32))
    for motion in (full, replace(full, blendshapes=None, rest=None)):
        packed = written(motion.save, "motion.fyemotion")
        yield packed
        yield written(lambda path, packed=packed: unpacked(packed, path), "motion.fyemotion")


def unpacked(archive: bytes, path: Path) -> None:
    """Write a zip archive's members into another, as they are."""
    with tempfile.TemporaryFile() as file:
        file.write(archive)
        with zipfile.ZipFile(file) as packed, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as plain:
            for member in packed.infolist():
                plain.writestr(member.filename, packed.read(member))


def templates() -> Iterable[bytes]:
    """Released templates, by several pickle protocols."""
    smile = expression_motion("smile")[:FRAMES]
    scores = [0.0] * 52
    frames = np.empty(FRAMES, object)
    frames[:] = [{"lmks": face, "bs": scores, "width": 512, "height": 512} for face in smile.landmarks]
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (%d,), }\n" % FRAMES
    for protocol in (0, 2, 4):
        pickled = pickle.dumps(frames, protocol=protocol)
        yield b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickled


def keyframes() -> Iterable[bytes]:
    poses = ({}, {"smile": 0.8, "gaze_right": 0.3}, {})
    moments = tuple(Keyframe(seconds=0.4 * number, pose=pose) for number, pose in enumerate(poses))
    motion = Keyframes(keyframes=moments, frame_rate=5.0)
    yield written(lambda path: write_keyframes(path, motion), "keyframes.json")


def points() -> Iterable[bytes]:
    yield PlacedPoints.template((512, 512)).text().encode()


def use_points(content: bytes) -> None:
    """Read points and fit a face to them."""
    placed = PlacedPoints.parse(content, "input.json")
    fit_face(placed.points, placed.picture)


def use_motion(path: Path) -> None:
    """Read a motion and have it measured as `fye motion info` does."""
    neutral_frame(Motion.read(path))


READERS = (
    Reader("motion/fyemotion", motions, from_file(use_motion, "input.fyemotion"), memory=1024),
    Reader("motion/released", templates, from_file(use_motion, "input.npy")),
    Reader(
        "motion/keyframes",
        keyframes,
        from_file(lambda path: read_keyframes(path).motion(), "input.json"),
        memory=1024,  # 600 s of 60 frames
        seconds=30.0,
    ),
    Reader("motion/points", points, use_points),
)
