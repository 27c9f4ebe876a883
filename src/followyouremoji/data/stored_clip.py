"""A clip as it lies in a shard: its members, written and read.

A clip with the key ``KEY`` is, in this order, ``KEY.0000.jpg``, ``KEY.0001.jpg``, ... (the frames), ``KEY.npz``
(arrays) and ``KEY.json`` (facts). The key has no dot, so tools that group a tar file's members by what stands before
the first dot, as WebDataset does, see one sample with the fields ``0000.jpg``, ..., ``npz`` and ``json``.
`docs/data.md` describes the arrays and the facts.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from followyouremoji.errors import DataError
from followyouremoji.face.drawing import expression_mask, face_mask
from followyouremoji.face.geometry import MetricFaces, solve_metric_faces
from followyouremoji.face.topology import N_LANDMARKS, N_MESH

FORMAT = "followyouremoji-clip"
VERSION = 1
ARRAYS = ("points", "vertices", "poses", "expression_mask", "face_mask")
BLOCK = 512
"""Bytes: tar files are made of blocks of this size."""


@dataclass(frozen=True)
class Annotations:
    """What is known about the frames of a clip.

    Attributes
    ----------
    points : ``(T, 478, 3)`` float32 pixels, z growing away from the camera
    faces : metric faces, solved in the clip's own square pictures: `face.geometry.project` gives the points back
    expression_masks, face_masks : ``(T, size, size)`` bool
    """

    points: np.ndarray
    faces: MetricFaces
    expression_masks: np.ndarray
    face_masks: np.ndarray


def annotate(points: np.ndarray, size: int) -> Annotations:
    """Metric faces and masks of the points ``(T, 478, 3)`` of pictures `size` pixels wide and high."""
    square = (size, size)
    return Annotations(
        points=points.astype(np.float32),
        faces=solve_metric_faces(points / size, square),
        expression_masks=np.stack([expression_mask(frame[:, :2], square) for frame in points]),
        face_masks=np.stack([face_mask(frame[:, :2], square) for frame in points]),
    )


def frame_name(key: str, frame: int) -> str:
    return f"{key}.{frame:04d}.jpg"


def encode_picture(picture: np.ndarray, quality: int) -> bytes:
    """A picture as JPEG, with colours as finely sampled as brightness: lips and pupils are small."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality, subsampling=0)
    return stream.getvalue()


def write_clip(
    archive: tarfile.TarFile, key: str, pictures: Sequence[bytes], notes: Annotations, facts: dict[str, Any]
) -> None:
    """Append a clip to a tar file: `pictures` are its encoded frames, `facts` what `KEY.json` says besides format and
    key.

    The same clip gives the same bytes, whenever and by whomever it is written.
    """
    arrays = io.BytesIO()
    np.savez_compressed(
        arrays,
        points=notes.points,
        vertices=notes.faces.vertices.astype(np.float32),
        poses=notes.faces.poses.astype(np.float32),
        expression_mask=np.packbits(notes.expression_masks, axis=2),
        face_mask=np.packbits(notes.face_masks, axis=2),
    )
    described = {"format": FORMAT, "version": VERSION, "key": key, "frames": len(pictures), **facts}
    for index, picture in enumerate(pictures):
        _append(archive, frame_name(key, index), picture)
    _append(archive, f"{key}.npz", arrays.getvalue())
    _append(archive, f"{key}.json", json.dumps(described, ensure_ascii=False).encode())


def _append(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def decode_picture(content: bytes, size: int, where: str) -> np.ndarray:
    """A stored frame, uint8 (size, size, 3) RGB; DataError, naming `where`, if it is damaged or of another size."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            picture = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as reason:
        raise DataError(f"{where} is damaged: it cannot be decoded. Prepare the shard again.") from reason
    if picture.shape != (size, size, 3):
        raise DataError(
            f"{where} is {picture.shape[1]}x{picture.shape[0]} pixels large, the clip should be {size}x{size}."
        )
    return picture


def read_facts(content: bytes, where: str) -> dict[str, Any]:
    """`KEY.json`; DataError, naming `where`, if it is not one of this version with what is needed."""
    try:
        facts = json.loads(content)
    except ValueError as reason:
        raise DataError(f"{where} is damaged: it is no JSON text. Prepare the shard again.") from reason
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise DataError(f"{where} does not describe a clip that `fye data prepare` made.")
    if facts.get("version") != VERSION:
        raise DataError(
            f"{where} is of version {facts.get('version')}; this program reads version {VERSION}. Update it, or prepare the data again."
        )
    for name in ("size", "frames"):
        if not isinstance(facts.get(name), int) or facts[name] < 1:
            raise DataError(f"{where} lacks `{name}`, or it is no number above 0. Prepare the shard again.")
    return facts


def read_arrays(
    content: bytes, names: Sequence[str], frames: int, size: int, where: str
) -> dict[str, np.ndarray]:
    """Some of the arrays of `KEY.npz`, masks as bool ``(T, size, size)``; DataError, naming `where`, if one is missing
    or of a wrong shape."""
    packed = (frames, size, -(-size // 8))
    shapes = {
        "points": (frames, N_LANDMARKS, 3),
        "vertices": (frames, N_MESH, 3),
        "poses": (frames, 4, 4),
        "expression_mask": packed,
        "face_mask": packed,
    }
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays: dict[str, np.ndarray] = {name: stored[name] for name in names if name in stored.files}
    except Exception as reason:  # damage fails in many ways inside zipfile, zlib and NumPy
        raise DataError(
            f"{where} is damaged: its arrays cannot be read. Copy or prepare the shard again."
        ) from reason
    missing = [name for name in names if name not in arrays]
    if missing:
        raise DataError(f"{where} lacks {', '.join(f'`{name}`' for name in missing)}.")
    for name, array in arrays.items():
        if array.shape != shapes[name]:
            raise DataError(f"{where}: `{name}` has the shape {array.shape}, {shapes[name]} was expected.")
        if name.endswith("mask"):
            arrays[name] = np.unpackbits(array, axis=2, count=size).astype(bool)
        elif not np.isfinite(array).all():
            raise DataError(f"{where}: `{name}` holds values that are no numbers.")
    return arrays
