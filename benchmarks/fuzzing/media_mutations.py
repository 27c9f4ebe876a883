"""Breaks a media file: anywhere, and where its format keeps sizes, counts, times and matrices.

Of a PNG the checksums are set right again, as a hostile file would have them, else its reader looks no further.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator

EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
PNG = b"\x89PNG\r\n\x1a\n"
BOXES_OF_BOXES = (
    b"moov",
    b"trak",
    b"mdia",
    b"minf",
    b"stbl",
    b"edts",
    b"moof",
    b"traf",
    b"mvex",
    b"iprp",
    b"ipco",
)
Mutation = Callable[[bytearray, random.Random], bytearray]


def mutated(content: bytes, dice: random.Random) -> bytes:
    """A file with one to four faults."""
    broken = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 4))):
        broken = dice.choice(MUTATIONS)(broken, dice) or bytearray(b"\0")
    return _with_checksums(broken) if broken.startswith(PNG) else bytes(broken)


def flip_bits(content: bytearray, dice: random.Random) -> bytearray:
    for _ in range(dice.choice((1, 1, 3, 20))):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    return content


def flip_bits_of_head(content: bytearray, dice: random.Random) -> bytearray:
    for _ in range(dice.choice((1, 3))):
        content[dice.randrange(min(len(content), 200))] ^= 1 << dice.randrange(8)
    return content


def cut_off(content: bytearray, dice: random.Random) -> bytearray:
    return content[: dice.randrange(len(content))]


def cut_out(content: bytearray, dice: random.Random) -> bytearray:
    begin = dice.randrange(len(content))
    return content[:begin] + content[begin + dice.randrange(1, 300) :]


def repeat(content: bytearray, dice: random.Random) -> bytearray:
    """A piece of it again and again."""
    begin = dice.randrange(len(content))
    piece = content[begin : begin + dice.randrange(1, 300)]
    return content[:begin] + piece * dice.choice((2, 2, 50, 1000)) + content[begin:]


def overwrite(content: bytearray, dice: random.Random) -> bytearray:
    begin = dice.randrange(len(content))
    piece = dice.randbytes(dice.randrange(1, 100))
    return content[:begin] + piece + content[begin + len(piece) :]


def set_number(content: bytearray, dice: random.Random, begin: int | None = None) -> bytearray:
    """An extreme number, in 2, 4 or 8 bytes of either order."""
    form = dice.choice((">H", "<H", ">I", "<I", ">I", "<I", ">Q", "<Q"))
    value = dice.choice(EXTREMES) % (1 << 8 * struct.calcsize(form))
    number = struct.pack(form, value)
    begin = dice.randrange(len(content)) if begin is None else begin
    content[begin : begin + len(number)] = number
    return content


def set_number_of_part(content: bytearray, dice: random.Random) -> bytearray:
    """An extreme number where a part of the file has one of its own: after its head, on a place that is even."""
    places = list(parts(content))
    if not places:
        return set_number(content, dice)
    begin, end = dice.choice(places)
    return set_number(content, dice, dice.randrange(begin, max(begin + 1, min(end, begin + 120)), 2))


def reorder_parts(content: bytearray, dice: random.Random) -> bytearray:
    """One part of the file in the place of another, or twice."""
    places = list(parts(content))
    if len(places) < 2:
        return repeat(content, dice)
    (begin, end), (other, after) = dice.sample(places, 2)
    return content[:begin] + content[other:after] + content[end if dice.random() < 0.5 else begin :]


def parts(content: bytearray) -> Iterator[tuple[int, int]]:
    """Begin and end of what chunks of a PNG, RIFF or IFF, boxes of an MP4 or HEIF, and segments of a JPEG hold."""
    if content.startswith(PNG):
        yield from _chunks(content, 8, ">", 4)
    elif content.startswith(b"RIFF"):
        yield from _chunks(content, 12, "<", 0)
    elif content.startswith(b"\xff\xd8"):
        yield from _segments(content)
    elif content[4:8] == b"ftyp":
        yield from _boxes(content, 0, len(content))


def _chunks(content: bytearray, begin: int, order: str, checksum: int) -> Iterator[tuple[int, int]]:
    size_at = 0 if order == ">" else 4
    while begin + 8 <= len(content):
        (size,) = struct.unpack_from(f"{order}I", content, begin + size_at)
        yield begin + 8, min(begin + 8 + size, len(content))
        begin += 8 + size + checksum + (size % 2 if order == "<" else 0)


def _segments(content: bytearray) -> Iterator[tuple[int, int]]:
    begin = 2
    while begin + 4 <= len(content) and content[begin] == 0xFF:
        (size,) = struct.unpack_from(">H", content, begin + 2)
        yield begin + 4, min(begin + 2 + size, len(content))
        begin += 2 + size


def _boxes(content: bytearray, begin: int, end: int) -> Iterator[tuple[int, int]]:
    while begin + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, begin)
        after = min(begin + size if size >= 8 else end, end)
        yield begin + 8, after
        if kind in BOXES_OF_BOXES or kind == b"meta":
            yield from _boxes(content, begin + (12 if kind == b"meta" else 8), after)
        begin = after


def _with_checksums(content: bytearray) -> bytes:
    for begin, end in list(parts(content)):
        if end + 4 <= len(content):
            struct.pack_into(">I", content, end, zlib.crc32(content[begin - 4 : end]))
    return bytes(content)


MUTATIONS: tuple[Mutation, ...] = (
    *(flip_bits, flip_bits_of_head, cut_off, cut_out, repeat, overwrite, set_number),
    *(set_number_of_part, set_number_of_part, set_number_of_part, reorder_parts),
)
