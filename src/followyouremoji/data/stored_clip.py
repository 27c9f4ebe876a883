"""A clip as it lies in a shard: its members, written and read.

A clip with the key ``KEY`` is, in this order, ``KEY.0000.jpg``, ``KEY.0001.jpg``, ... (the frames), ``KEY.npz``
(the points) and ``KEY.json`` (facts). The key has no dot, so tools that group a tar file's members by what stands
before the first dot, as WebDataset does, see one sample with the fields ``0000.jpg``, ..., ``npz`` and ``json``.
Metric faces, masks and landmark pictures are functions of the points and not stored; `docs/formats/shards.md` describes
all.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from followyouremoji.arrays import ArraysError, read_arrays
from followyouremoji.errors import DataError, first_line, shown
from followyouremoji.face.topology import N_LANDMARKS
from followyouremoji.reading import json_object

FORMAT = "followyouremoji-clip"
VERSION = 2
READ = (1, 2)
"""Versions that can be read; clips of version 1 also hold masks and metric faces, which are passed over."""
BLOCK = 512
"""Bytes: tar files are made of blocks of this size."""
LARGEST_SIDE, MOST_FRAMES = 4096, 1 << 20
"""Of a clip: pixels, as many as `fye data prepare` makes at most, and frames, hours of them."""
FURTHEST = 16.0 * LARGEST_SIDE
"""Largest coordinate of a point, pixels."""
MOST_BYTES = {"jpg": 1 << 26, "npz": 1 << 28, "json": 1 << 22}
"""Of a clip's members, by ending: more than the largest clip has."""


def frame_field(frame: int) -> str:
    return f"{frame:04d}.jpg"


def encode_picture(picture: np.ndarray, quality: int) -> bytes:
    """A picture as JPEG, with colours as finely sampled as brightness: lips and pupils are small."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality, subsampling=0)
    return stream.getvalue()


def write_clip(
    archive: tarfile.TarFile, key: str, pictures: Sequence[bytes], points: np.ndarray, facts: dict[str, Any]
) -> None:
    """Append a clip to a tar file: `pictures` are its encoded frames, `points` ``(T, 478, 3)`` in their pixels, `facts`
    what `KEY.json` says besides format and key.

    The same clip gives the same bytes, whenever and by whomever it is written.
    """
    arrays = io.BytesIO()
    np.savez_compressed(arrays, points=points.astype(np.float32))
    described = {"format": FORMAT, "version": VERSION, "key": key, "frames": len(pictures), **facts}
    for index, picture in enumerate(pictures):
        _append(archive, f"{key}.{frame_field(index)}", picture)
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
            if image.size != (size, size):  # before room is made for it
                raise DataError(
                    f"{where} is {image.width}x{image.height} pixels large, the clip should be {size}x{size}."
                )
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as reason:
        raise DataError(f"{where} is damaged: it cannot be decoded. Prepare the shard again.") from reason


def read_facts(content: bytes, where: str) -> dict[str, Any]:
    """`KEY.json`; DataError, naming `where`, if it is of another version or lacks what is needed."""
    try:
        facts = json_object(content)
    except ValueError as reason:
        raise DataError(
            f"{where} is damaged: it is no JSON text of facts ({first_line(reason)}). Prepare the shard again."
        ) from reason
    if facts.get("format") != FORMAT:
        raise DataError(f"{where} does not describe a clip that `fye data prepare` made.")
    if facts.get("version") not in READ:
        raise DataError(
            f"{where} is of version {shown(str(facts.get('version')))}; this program reads versions {READ[0]} to {READ[-1]}. Update it, "
            "or prepare the data again."
        )
    for name, most in (("size", LARGEST_SIDE), ("frames", MOST_FRAMES)):
        if not isinstance(facts.get(name), int) or not 1 <= facts[name] <= most:
            raise DataError(
                f"{where} lacks `{name}`, or it is not a number from 1 to {most}. Prepare the shard again."
            )
    return facts


def read_points(content: bytes, frames: int, where: str) -> np.ndarray:
    """The points of `KEY.npz`, float32 ``(T, 478, 3)``; DataError, naming `where`, if they are missing, of a wrong
    shape, or nowhere near a picture."""
    try:
        points = read_arrays(content).get("points")
    except ArraysError as reason:
        raise DataError(
            f"{where} is damaged: its arrays cannot be read. Copy or prepare the shard again."
        ) from reason
    if points is None:
        raise DataError(f"{where} lacks `points`.")
    if points.shape != (frames, N_LANDMARKS, 3) or points.dtype.kind != "f":
        raise DataError(
            f"{where}: `points` has the shape {shown(str(points.shape))} of {points.dtype}, {(frames, N_LANDMARKS, 3)} of float32 was expected."
        )
    if not (points.min() >= -FURTHEST and points.max() <= FURTHEST):  # also where one is NaN
        raise DataError(
            f"{where}: `points` holds values that are not finite (NaN or infinite) or far outside every picture."
        )
    return points.astype(np.float32, copy=False)
