"""What animations and previews share: a request's files opened, events, and frames written as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np

from followyouremoji.errors import SettingsError
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.placed_points import PlacedPoints
from followyouremoji.media.kinds import clip_ending
from followyouremoji.media.pictures import PICTURE_ENDINGS, read_layers, write_picture
from followyouremoji.media.writing import ClipWriter
from followyouremoji.prefetch import prefetch
from followyouremoji.prepared import PreparedGroup
from followyouremoji.provenance.record import Record
from followyouremoji.requests.bundled import driving_source, portrait_path
from followyouremoji.requests.driving import Drivings
from followyouremoji.requests.events import Event, Frame, Note, OnEvent, Outcome
from followyouremoji.requests.marking import Marks
from followyouremoji.requests.placing import found_portrait
from followyouremoji.requests.request import AnimationRequest, Output
from followyouremoji.requests.result import Destination
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import Portrait, choose_faces

WAITING_BYTES, LEAST_WAITING, MOST_WAITING = 1 << 26, 2, 64
"""Bytes of finished frames that may wait for the encoder (what a model finishes at once at 512 pixels a side), and how
many frames at least and at most."""


@dataclass
class Work:
    """A request whose files are open, and the notes on it so far.

    Attributes
    ----------
    picture : the portrait as the work is done on it: uint8 (height, width, 3 or 4)
    scaled : its size, where it was scaled
    points : that were placed on its face by hand, in its pixels
    marks : that the result will carry
    """

    request: AnimationRequest
    portrait: Path
    drivings: Drivings
    destination: Destination
    picture: np.ndarray
    scaled: str | None
    on_event: OnEvent
    started: float
    points: PlacedPoints | None = None
    marks: Marks = field(default_factory=Marks)
    notes: list[Note] = field(default_factory=list)
    _telling: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def open(cls, request: AnimationRequest, on_event: OnEvent, layers: np.ndarray | None = None) -> Work:
        """Read the portrait, unless its `layers` are known, and look into the driving. Raises UserError where one of
        them cannot be used."""
        started, settings = time.monotonic(), request.settings
        check_row(request.output, settings)
        if request.points is not None and request.faces:
            raise SettingsError(
                "points on a face say which one is animated: leave the faces' numbers out",
                settings=("points", "faces"),
            )
        portrait = portrait_path(request.portrait)
        layers = read_layers(portrait) if layers is None else layers
        driven = request.driven
        sources = {driving: driving_source(driving) for driving in driven.values()}
        drivings = Drivings(
            {face: sources[driving] for face, driving in driven.items()},
            request.clip.range,
            settings.frame_rate,
        )
        destination = Destination(request.output, portrait, drivings)
        picture = destination.portrait(layers)
        height, width = picture.shape[:2]
        scaled = None if (height, width) == layers.shape[:2] else f"{width}x{height}"
        points = None
        if request.points is not None:
            points = PlacedPoints.read(request.points).scaled_to((width, height), request.points)
        marks = Marks.of(request.output, clip_ending(destination.path))
        return cls(
            request, portrait, drivings, destination, picture, scaled, on_event, started, points, marks
        )

    def tell(self, event: Event) -> None:
        """Tell of an event, from any thread."""
        with self._telling:
            if isinstance(event, Note):
                self.notes.append(event)
            self.on_event(event)

    def find_portrait(self, detector: FaceDetector) -> Portrait:
        """The portrait with its faces. Raises UserError where those that are driven are not there, or not alone in the
        middle where settings ask for that."""
        faces = self.drivings.faces
        found = found_portrait(detector, self.picture, self.portrait, faces, self.points)
        choose_faces(found, faces, self.request.settings)
        return found

    def tell_notes(self, found: Portrait, prepared: PreparedGroup) -> None:
        for sentence in found.notes([face.number for face in prepared.faces]):
            self.tell(Note("portrait", sentence))
        for sentence in prepared.notes:
            self.tell(Note("alignment", sentence))

    def outcome(
        self,
        prepared: PreparedGroup,
        size: tuple[int, int],
        sound: bool,
        computed: int = 0,
        forecast: int = 0,
    ) -> Outcome:
        return Outcome(
            path=self.destination.path,
            frames=len(prepared),
            size=size,
            frame_rate=prepared.frame_rate,
            sound=sound,
            seconds=time.monotonic() - self.started,
            notes=tuple(self.notes),
            computed=computed,
            forecast=forecast,
        )

    def write(
        self,
        rows: Iterator[np.ndarray],
        prepared: PreparedGroup,
        size: tuple[int, int],
        made: Callable[[bool], Outcome],
        record: Record | str,
    ) -> Outcome:
        """Write frames of `size` as they come, with their record, or a comment where nothing was generated; `made` is
        called with whether there is sound when all of them are there, just before the result gets its name."""
        path, output, background = self.destination.path, self.request.output, self.destination.background
        if isinstance(record, Record):
            comment, seal = record.comment(), self.marks.seal(clip_ending(path), record)
            rows = self.marks.watermarked(rows)
        else:
            comment, seal = record, None
        if len(prepared) == 1 and path.suffix.lower() in PICTURE_ENDINGS:
            picture = next(rows)
            self.tell(Frame(0, picture))
            outcome = made(False)
            write_picture(path, picture, output.overwrite, comment=comment, background=background, seal=seal)
            return outcome
        sounding = [face for face in prepared.faces if self.drivings.of(face.number).sound]
        if not output.sound or prepared.loop == "pingpong":
            sounding = []
        with ClipWriter(
            path,
            prepared.frame_rate,
            size,
            sound_from=self.drivings.of(sounding[0].number).sound if sounding else None,
            sound_start=float(sounding[0].motion.timestamps[0]) if sounding else 0.0,
            overwrite=output.overwrite,
            background=background,
            comment=comment,
            seal=seal,
        ) as writer:
            waiting = min(max(WAITING_BYTES // (3 * size[0] * size[1]), LEAST_WAITING), MOST_WAITING)
            with closing(prefetch(rows, waiting)) as finished:
                for number, row in enumerate(finished):
                    writer.write(row)
                    self.tell(Frame(number, row))
            return made(writer.has_sound)


def check_row(output: Output, settings: AnimationSettings) -> None:
    """Raise SettingsError where a row of pictures is asked for that cannot be made."""
    if output.side_by_side and settings.loop == "pingpong":
        raise SettingsError(
            "the driving cannot be shown beside a loop that goes back and forth: leave it out, or let the loop blend",
            settings=("side_by_side", "loop"),
        )
