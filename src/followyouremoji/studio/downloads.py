"""Results in the kinds of files that visitors take home."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from followyouremoji.media.clips import ClipReader
from followyouremoji.media.metadata import read_metadata
from followyouremoji.media.pictures import BACKGROUND, read_layers, resize_picture, write_picture
from followyouremoji.media.writing import ClipWriter
from followyouremoji.provenance.record import GENERATED_COMMENT
from followyouremoji.requests.animation import prepare
from followyouremoji.requests.events import Outcome, ignore
from followyouremoji.requests.marking import Marks
from followyouremoji.requests.memory import FittingModel, Load
from followyouremoji.requests.request import AnimationRequest, Output
from followyouremoji.requests.result import row_size, rows_beside
from followyouremoji.requests.work import Work

if TYPE_CHECKING:
    pass

CLIP_KINDS, PICTURE_KINDS = (".mp4", ".gif", ".webp", ".webm"), (".png", ".jpg", ".webp")
LARGEST_SIDES = {".gif": 640, ".webp": 1024}
"""Of animations, in pixels: larger ones are too much to send to anybody."""


def kinds_of(master: Path) -> tuple[str, ...]:
    """Endings that a result is given away with."""
    return PICTURE_KINDS if master.suffix == ".png" else CLIP_KINDS


def convert(master: Path, target: Path) -> None:
    """Write a result as another kind of file, with its rate, sound and opacity as far as that kind has them, and its
    record."""
    record = read_metadata(master).record
    comment, seal = GENERATED_COMMENT, None
    if record is not None:
        comment, seal = record.comment(), Marks.from_environment(target.suffix).seal(target.suffix, record)
    if master.suffix == ".png":
        write_picture(target, read_layers(master), comment=comment, seal=seal)
        return
    with ClipReader(master) as clip:
        rate, size = clip.info.frame_rate, clip.info.size
        within = LARGEST_SIDES.get(target.suffix, max(size))
        width, height = (max(2, round(side * min(1.0, within / max(size)))) for side in size)
    with ClipWriter(target, rate, (width, height), sound_from=master, comment=comment, seal=seal) as writer:
        for frame in frames_of(master):
            writer.write(resize_picture(frame, (width, height)))


def frames_of(master: Path) -> Iterator[np.ndarray]:
    """The frames of a result uint8 (height, width, 3); of a WebM, which is transparent, (height, width, 4)."""
    if master.suffix == ".png":
        yield read_layers(master)
    elif master.suffix == ".webm":
        yield from with_opacity(master)
    else:
        with ClipReader(master) as clip:
            yield from (picture for _, picture in clip)


def with_opacity(path: Path) -> Iterator[np.ndarray]:
    """The frames of a transparent WebM, uint8 (height, width, 4). libvpx is asked: FFmpeg's own decoder of VP9, which
    `ClipReader` uses, leaves opacity out."""
    import av

    with av.open(f"file:{path}") as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        decoder.extradata = stream.codec_context.extradata
        for packet in container.demux(stream):
            for frame in decoder.decode(packet if packet.size else None):
                yield frame.reformat(format="rgba", src_colorspace="ITU709").to_ndarray()


def write_beside(request: AnimationRequest, master: Path, target: Path, load: Load) -> None:
    """Write driving, landmarks, portrait and a finished result in a row. No network runs.

    Raises UserError where the portrait or the driving is not there any more, or goes backwards.
    """
    work = Work.open(replace(request, output=Output(path=target, side_by_side=True)), ignore)
    prepared = prepare(work, None, FittingModel(request.model, load))
    size = work.destination.fitting(row_size(work.drivings, prepared))

    def made(sound: bool) -> Outcome:
        return work.outcome(prepared, size, sound)

    record = read_metadata(master).record or GENERATED_COMMENT
    results = (resize_picture(frame, prepared.output_size) for frame in frames_of(master))
    rows = rows_beside(work.drivings, prepared, results, BACKGROUND)
    work.write((resize_picture(row, size) for row in rows), prepared, size, made, record)
