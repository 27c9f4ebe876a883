"""What every written file says about itself is read back from it."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.errors import ClipError
from followyouremoji.media.metadata import read_metadata
from followyouremoji.media.pictures import PICTURE_ENDINGS, write_picture
from followyouremoji.media.writing import ClipWriter
from followyouremoji.provenance.record import new_record, states_source_type

RECORD = new_record(
    model="small <&>", weights="ab" * 32, settings={f"setting {number}": number for number in range(60)}
)
TYPES = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".apng": "image/png",
    "": "image/png",
}


def frames() -> list[np.ndarray]:
    tiles = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    picture = np.kron(tiles, np.ones((8, 8, 1), np.uint8))
    return [np.roll(picture, 8 * number, 1) for number in range(3)]


@pytest.mark.parametrize("ending", TYPES)
def test_clips(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"clip{ending}"
    with ClipWriter(path, 10.0, (64, 64), comment=RECORD.comment()) as writer:
        for frame in frames():
            writer.write(frame)
    found = read_metadata(path / "frame_000002.png" if ending == "" else path)
    assert (found.mime, found.record) == (TYPES[ending], RECORD)
    assert any(map(states_source_type, found.texts))


@pytest.mark.parametrize("ending", PICTURE_ENDINGS)
def test_pictures(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"picture{ending}"
    write_picture(path, frames()[0], comment=RECORD.comment())
    assert read_metadata(path).record == RECORD
    assert read_metadata(path.read_bytes()).record == RECORD


def test_damaged_files_are_refused_or_read_and_nothing_else(tmp_path: Path) -> None:
    """Bytes changed, bytes left out: in the beginning, where metadata lie."""
    rng = np.random.default_rng(1)
    for ending in (".mp4", ".gif", ".webp", ".apng", ".jpg"):
        path = tmp_path / f"a{ending}"
        if ending == ".jpg":
            write_picture(path, frames()[0], comment=RECORD.comment())
        else:
            with ClipWriter(path, 10.0, (64, 64), comment=RECORD.comment()) as writer:
                writer.write(frames()[0])
        whole = path.read_bytes()
        for _ in range(30):
            content = bytearray(whole)
            for place in rng.integers(0, len(whole), 8):
                content[place] = rng.integers(256)
            cut = int(rng.integers(1, len(whole) + 1))
            with suppress(ClipError):
                found = read_metadata(bytes(content[:cut]))
                assert found.record is None or found.record.model


def test_what_is_neither_picture_nor_clip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("#EXTM3U\n/etc/passwd\n")
    with pytest.raises(ClipError, match=r"a\.mp4"):
        read_metadata(path)
