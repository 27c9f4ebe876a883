"""What files say of themselves before they are decoded: kinds, and counts that a decoder would believe."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from followyouremoji.errors import UserError
from followyouremoji.media.inputs import InputFile

MOST_BOXES = 1_000_000
SAMPLES_PER_BYTE, SPARE_SAMPLES = 4, 1_000_000
"""What an MP4 may promise: so many samples for each of its bytes, and some beside. FFmpeg keeps 24 bytes for each,
whether it is there or not. A whole file has less than one a byte; one of which the end is missing has more."""

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")

_MOST_LOOKED_AT = 64  # boxes
_BOX_SEEN = 256  # bytes of each
_PARENTS = frozenset(
    b"moov trak mdia minf stbl edts moof traf mvex mfra dinf udta sinf schi tref strk wave free hoov".split()
)
"""Boxes of boxes as FFmpeg reads them: it finds those of a `moov` in a `free` one, too."""
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)  # ITU-T T.81, B.1.1.2: not within a scan
_BEGIN_OF_SCAN, _END, _BEGIN = 0xDA, 0xD9, 0xD8


def iso_boxes(file: InputFile) -> list[tuple[bytes, bytes]]:
    """Kind and first bytes of the boxes in a file that begins with `ftyp` (ISO/IEC 14496-12), none of other files."""
    found: list[tuple[bytes, bytes]] = []
    with suppress(OSError), file.open() as opened:  # reported when the file is read
        for kind, begin, end in _boxes(opened, 0, _length(opened)):
            if len(found) == _MOST_LOOKED_AT or (not found and kind != b"ftyp"):
                break
            opened.seek(begin)
            found.append((kind, opened.read(min(end - begin, _BOX_SEEN))))
    return found


def is_heic(file: InputFile) -> bool:
    """Whether a file is a HEIF of pictures coded as HEVC, by its brands (ISO/IEC 23008-12, annexes A, B and E)."""
    _, brands = next(iter(iso_boxes(file)), (b"", b""))
    # after the major brand comes a version, then those that the file is compatible with
    return any(brands[place : place + 4] in HEIC_BRANDS for place in range(0, len(brands), 4) if place != 4)


def check_samples(file: InputFile, error: type[UserError]) -> None:
    """Raise `error` where an MP4's index is packed, or promises more samples than its bytes can hold; other files pass.
    Raises OSError."""
    with file.open() as opened:
        size, samples, edits = _length(opened), 0, 1
        for number, (kind, begin, _) in enumerate(_all_boxes(opened, 0, size)):
            if kind in (b"stsz", b"stz2", b"trun", b"elst"):
                opened.seek(begin)
                numbers = struct.unpack(">3I", opened.read(12).ljust(12, b"\0"))
                if kind == b"elst":  # each edit may list all samples anew
                    edits = max(edits, numbers[1])
                else:
                    samples += numbers[1 if kind == b"trun" else 2]
            if kind == b"cmov":  # as large as it likes when it is unpacked
                raise error(f"{file} has a packed index, as old QuickTime files have; save it anew as MP4")
            if number > MOST_BOXES or samples * edits > SAMPLES_PER_BYTE * size + SPARE_SAMPLES:
                raise error(
                    f"{file} cannot be read as a clip: its index promises more than the file can hold"
                )


def jpeg_scans(file: InputFile, most: int) -> int:
    """How many scans a JPEG has; counting ends after `most`. Raises OSError."""
    with file.open() as opened:
        content = opened.read()
    scans, place = 0, 0
    while scans <= most and (found := _JPEG_MARKER.search(content, place)) is not None:
        marker, place = content[found.start() + 1], found.end()
        if marker == _END:
            break
        scans += marker == _BEGIN_OF_SCAN
        if marker != _BEGIN:
            place += int.from_bytes(content[place : place + 2])
    return scans


def _length(opened: BinaryIO) -> int:
    length = opened.seek(0, 2)
    opened.seek(0)
    return length


def _boxes(opened: BinaryIO, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and begin and end of the content, of boxes one after another."""
    while begin + 8 <= end:
        opened.seek(begin)
        length, kind = struct.unpack(">I4s", opened.read(8).ljust(8, b"\0"))
        head = 8
        if length == 1:
            length, head = int.from_bytes(opened.read(8)), 16
        after = begin + length if length else end  # 0: to the end of the file
        if length and length < head:
            return
        yield kind, begin + head, min(after, end)
        begin = after


def _all_boxes(opened: BinaryIO, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Those within others, too."""
    waiting = [_boxes(opened, begin, end)]
    while waiting:
        box = next(waiting[-1], None)
        if box is None:
            waiting.pop()
            continue
        yield box
        if box[0] in _PARENTS:
            waiting.append(_boxes(opened, box[1], box[2]))
