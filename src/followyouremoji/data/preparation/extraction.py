"""One unit of work: a source clip becomes training clips.

The first pass surveys every frame, the second cuts the chosen ones out. Between them no picture is kept, so that clips
of any length fit in memory; in the second, one piece's encoded frames are.
"""

from __future__ import annotations

import errno
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from followyouremoji.data.preparation.discovery import Unit, open_unit
from followyouremoji.data.preparation.records import ClipEntry, UnitRecord, Workspace, failed
from followyouremoji.data.preparation.selection import Piece, Reason, box_overlap, select_pieces
from followyouremoji.data.preparation.settings import Filters, PrepareSettings
from followyouremoji.data.preparation.statistics import histograms
from followyouremoji.data.preparation.survey import Survey, bounding_boxes, face_sizes, survey_clip
from followyouremoji.data.stored_clip import encode_picture, write_clip
from followyouremoji.errors import UserError
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.face_graphs import FaceGraph, quickest_graph
from followyouremoji.files import atomic

CONFIRMED_FRAMES = 5
"""Frames of a piece at which a detector looks anew."""

CONFIRMED_DISTANCE = 0.08
"""Mean distance of its points from the tracked ones, over the face's size, up to which they agree."""

SAME_FACE_OVERLAP = 0.3
"""Faces whose boxes overlap by more (intersection over union) are one face seen twice."""

MOST_FACES = 4
"""Faces that are looked for in a crop."""

STOPPING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Errors of the output's disc: not the clip is to blame, and the next one would fare no better."""


def prepare_unit(unit: Unit, out: Path, settings: PrepareSettings) -> None:
    """Prepare one clip: its training clips go to `parts/`, its record to `units/`, each moved into place when it is
    complete.

    Whatever is wrong with the clip goes into its record. Raises OSError where the output cannot be written.
    """
    workspace = Workspace(out)
    part = workspace.part_path(unit.name)
    try:
        with atomic(part) as temporary:
            temporary.touch()
            record = _prepared(unit, temporary, settings)
        if not record.clips:
            part.unlink()
    except UserError as reason:
        record = failed(unit, str(reason))
    except MemoryError:
        record = failed(unit, "memory ran out")
    except OSError as reason:
        if reason.errno in STOPPING:
            raise
        record = failed(unit, f"it cannot be read: {reason.strerror or reason}")
    except (
        Exception
    ) as reason:  # damaged media fail in many ways inside decoders; one clip must not end the run
        record = failed(unit, f"unexpected {type(reason).__name__}: {reason}")
    workspace.save(record)


def _prepared(unit: Unit, part: Path, settings: PrepareSettings) -> UnitRecord:
    clip, frame_rate = open_unit(unit.path, settings.frame_rate)
    with clip, FaceDetector() as detector:
        survey = survey_clip(clip, detector, settings.cutting)
        damage = clip.damage
    selection = select_pieces(survey, settings)
    filters, reasons, dropped = settings.filters, selection.reasons, Counter(selection.dropped_pieces)

    entries: list[ClipEntry] = []
    if selection.pieces:
        with (
            clip,
            closing(quickest_graph(False, MOST_FACES, filters.confidence)) as graph,
            part.open("wb") as file,
        ):
            archive = tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 (its end is not wanted)
            for cut in cut_pieces(clip, survey, selection.pieces, settings):
                reason = objection(cut, graph, filters)
                if reason:
                    reasons[cut.piece.frames] = reason
                    dropped[reason] += 1
                    continue
                key = f"{unit.name}-{len(entries):04d}"
                offset = archive.offset
                facts = _facts(unit, cut, survey, settings, frame_rate)
                write_clip(archive, key, cut.pictures, cut.points, facts)
                frames = len(cut.pictures)
                entries.append(ClipEntry(key, frames, frames / frame_rate, offset, archive.offset - offset))

    kept = reasons == ""
    return UnitRecord(
        name=unit.name,
        source=unit.source,
        stamp=unit.stamp,
        damage=damage,
        frames=len(survey),
        seconds=len(survey) / frame_rate,
        dropped_frames=dict(Counter(reasons[~kept].tolist())),
        dropped_pieces=dict(dropped),
        clips=tuple(entries),
        histograms=histograms(survey, kept),
    )


@dataclass(frozen=True)
class CutPiece:
    """A piece cut out: its frames, encoded; the points ``(T, 478, 3)`` in pixels of them; and some frames as pictures,
    by their place."""

    piece: Piece
    pictures: Sequence[bytes]
    points: np.ndarray
    looked_at: dict[int, np.ndarray]


def cut_pieces(
    frames: Iterable[tuple[float, np.ndarray]],
    survey: Survey,
    pieces: Sequence[Piece],
    settings: PrepareSettings,
) -> Iterator[CutPiece]:
    """Cut the pieces of a clip, which follow one another, out of its frames as they stream by."""
    stream = enumerate(picture for _, picture in frames)
    for piece in pieces:
        looked_at_places = set(np.linspace(0, len(piece.frames) - 1, CONFIRMED_FRAMES).astype(int).tolist())
        looked_at: dict[int, np.ndarray] = {}
        pictures: list[bytes] = []
        for place, frame in enumerate(piece.frames.tolist()):
            picture = next(picture for number, picture in stream if number == frame)
            cut = piece.crop.cut(picture, settings.size)
            pictures.append(encode_picture(cut, settings.quality))
            if place in looked_at_places:
                looked_at[place] = cut
        scale = settings.size / piece.crop.side
        depth = survey.landmarks[piece.frames, :, 2:] * survey.size[0] * scale
        flat = piece.crop.to_crop(survey.points[piece.frames], settings.size)
        yield CutPiece(piece, pictures, np.concatenate([flat, depth], axis=2), looked_at)


def objection(cut: CutPiece, graph: FaceGraph, filters: Filters) -> str | None:
    """Why a piece should not be used, by a detector that looks anew at single frames of its crop; None if all is
    well."""
    agreeing = crowded = 0
    for place, picture in cut.looked_at.items():
        faces = [face.normalised[:, :2] * picture.shape[0] for face in graph.faces(picture)]
        agrees, others = compared(cut.points[place, :, :2], faces)
        agreeing += agrees
        crowded += others > filters.other_face
    if agreeing < filters.confirmed_share * len(cut.looked_at):
        return Reason.UNCONFIRMED
    # One look may be mistaken about a face on a wall; two are believed.
    return Reason.SECOND_FACE if crowded > 1 else None


def compared(tracked: np.ndarray, faces: Sequence[np.ndarray]) -> tuple[bool, float]:
    """Whether one of the faces ``(478, 2)`` found in a picture is the tracked one, and the size of the largest other
    one relative to it."""
    box, size = bounding_boxes(tracked), face_sizes(bounding_boxes(tracked))
    agrees = any(np.linalg.norm(face - tracked, axis=1).mean() <= CONFIRMED_DISTANCE * size for face in faces)
    boxes = [other for other in map(bounding_boxes, faces) if box_overlap(box, other) < SAME_FACE_OVERLAP]
    return agrees, max((float(face_sizes(other) / size) for other in boxes), default=0.0)


def _facts(
    unit: Unit, cut: CutPiece, survey: Survey, settings: PrepareSettings, frame_rate: float
) -> dict[str, Any]:
    frames = cut.piece.frames
    yaw, pitch, roll = np.median(survey.angles[frames], axis=0).tolist()
    crop = cut.piece.crop
    return {
        "size": settings.size,
        "frame_rate": frame_rate,
        "times": [round(time, 4) for time in survey.times[frames].tolist()],
        "source": unit.source,
        "source_frames": frames.tolist(),
        "source_size": list(survey.size),
        "crop": {"x": crop.x, "y": crop.y, "side": crop.side},
        "face_size": round(float(np.median(survey.face_sizes[frames])), 2),
        "sharpness": round(float(np.median(survey.sharpness[frames])), 4),
        "yaw": round(yaw, 2),
        "pitch": round(pitch, 2),
        "roll": round(roll, 2),
    }
