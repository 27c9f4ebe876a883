"""HEIF files as phones write them: a picture in tiles of HEVC, turned by a property (ISO/IEC 23008-12).

Written byte by byte, so that what is tested did not write what it reads; the tiles themselves are coded by x265.
"""

import struct
from pathlib import Path

import av
import numpy as np

TILE = 64  # pixels a side


def box(kind: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I", 8 + len(data)) + kind + data


def full_box(kind: bytes, version: int, flags: int, *content: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def coded(tile: np.ndarray, folder: Path) -> tuple[bytes, bytes]:
    """A tile uint8 (64, 64, 3) as an HEVC key frame, and the decoder's configuration (`hvcC`)."""
    path = folder / "tile.mp4"
    with av.open(str(path), "w") as container:
        options = {"crf": "4", "x265-params": "log-level=none:keyint=1"}
        stream = container.add_stream("libx265", rate=1, options=options)
        stream.width, stream.height, stream.pix_fmt = TILE, TILE, "yuv444p"
        stream.codec_context.color_range, stream.codec_context.colorspace = 2, 5
        frame = av.VideoFrame.from_ndarray(tile, format="rgb24")
        frame = frame.reformat(format="yuv444p", dst_color_range="JPEG", dst_colorspace="ITU601")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    place = data.index(b"hvcC") - 4
    with av.open(str(path)) as container:
        frame_data = bytes(next(container.demux(video=0)))
    path.unlink()
    return frame_data, data[place : place + struct.unpack_from(">I", data, place)[0]]


def write_tiled_heic(path: Path, picture: np.ndarray, quarter_turns: int = 0) -> None:
    """A picture uint8 (height, width, 3) in a grid of tiles, shown turned anticlockwise by quarter turns.

    The last row and column of tiles reach over its edge, as those of phones do.
    """
    height, width = picture.shape[:2]
    rows, columns = -(-height // TILE), -(-width // TILE)
    padding = ((0, rows * TILE - height), (0, columns * TILE - width), (0, 0))
    padded = np.pad(picture, padding, mode="edge")
    tiles = [
        coded(padded[top : top + TILE, left : left + TILE], path.parent)
        for top in range(0, rows * TILE, TILE)
        for left in range(0, columns * TILE, TILE)
    ]
    configuration = tiles[0][1]
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    items = [data for data, _ in tiles] + [grid]
    whole = len(items)  # the grid's number; tiles count from 1

    def meta(first: int) -> bytes:
        """The boxes before the data, which begins at byte `first` of the file."""
        entries = [
            full_box(
                b"infe",
                2,
                number < whole,
                struct.pack(">HH", number, 0),
                b"grid\0" if number == whole else b"hvc1\0",
            )
            for number in range(1, whole + 1)
        ]
        sizes = [(TILE, TILE), (width, height)]
        spatial = [full_box(b"ispe", 0, 0, struct.pack(">II", *size)) for size in sizes]
        properties = box(b"ipco", configuration, *spatial, box(b"irot", bytes([quarter_turns])))
        used = [struct.pack(">HBBB", number, 2, 0x81, 0x02) for number in range(1, whole)]
        used.append(struct.pack(">HBBB", whole, 2, 0x03, 0x84))
        places, place = [], first
        for number, data in enumerate(items, 1):
            places.append(struct.pack(">HHHII", number, 0, 1, place, len(data)))
            place += len(data)
        return full_box(
            b"meta",
            0,
            0,
            full_box(b"hdlr", 0, 0, b"\0\0\0\0pict", bytes(13)),
            full_box(b"pitm", 0, 0, struct.pack(">H", whole)),
            full_box(b"iloc", 0, 0, b"\x44\x00", struct.pack(">H", whole), *places),
            full_box(b"iinf", 0, 0, struct.pack(">H", whole), *entries),
            full_box(
                b"iref",
                0,
                0,
                box(b"dimg", struct.pack(f">HH{whole - 1}H", whole, whole - 1, *range(1, whole))),
            ),
            box(b"iprp", properties, full_box(b"ipma", 0, 0, struct.pack(">I", whole), *used)),
        )

    head = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    start = len(head) + len(meta(0)) + 8
    path.write_bytes(head + meta(start) + box(b"mdat", *items))
