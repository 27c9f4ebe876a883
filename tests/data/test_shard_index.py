"""What of an index and of a tar file's headers is believed."""

import tarfile
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.data.shard_index import index_path, shard_index
from followyouremoji.data.stored_clip import BLOCK
from followyouremoji.errors import DataError
from tests.data.samples import write_shard


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    write_shard(tmp_path / "shard.tar", [3, 2])
    return tmp_path / "shard.tar"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("first", np.array([0, 3])),
        ("first", np.array([0, 3, 2])),
        ("first", np.array([0.0, np.inf, 5.0])),
        ("first", np.array(["0", "3", "5"])),
        ("frames", np.zeros((5, 3), int)),
        ("frames", np.zeros((2, 2), int)),
        ("frames", np.full((5, 2), -1)),
        ("frames", np.array([[2**62, 2**62]] * 5)),
        ("facts", np.array([[0, 10**9]] * 2)),
        ("arrays", np.array(7)),
        ("keys", np.array([0.5, 1.5])),
        ("keys", np.array("one")),
        ("bytes", np.array(["10"])),
        ("unknown", np.array(1)),
    ],
)
def test_an_index_that_does_not_fit_its_shard_is_made_anew(shard: Path, name: str, value: np.ndarray) -> None:
    true = vars(shard_index(shard))
    with index_path(shard).open("wb") as file:
        np.savez(file, **{**true, name: value})
    for key, array in vars(shard_index(shard)).items():
        np.testing.assert_array_equal(array, true[key])


def member(name: str, size: int, kind: bytes = tarfile.REGTYPE, content: bytes = b"") -> bytes:
    """A header of GNU's tar, which has sizes below zero and beyond all files, and what it says is there."""
    header = tarfile.TarInfo(name)
    header.size, header.type = size, kind
    return header.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % BLOCK)


def extension(record: bytes) -> bytes:
    """An extended header with one record, such as "size=5"."""
    length = len(record) + 2 + len(str(len(record) + 5))
    return member("x", length, tarfile.XHDTYPE, f"{length} ".encode() + record + b"\n")


TRICKS = {
    "a size below zero": member("clip-0.0000.jpg", -BLOCK),
    "a size below zero that leads to the beginning": member("clip-0.0000.jpg", -2 * BLOCK),
    "an extension that makes the size less than zero": extension(b"size=-2048") + member("clip-0.json", 1),
    "an extended header with a size below zero": member("x", -BLOCK, tarfile.XHDTYPE),
    "more than any disk holds": member("clip-0.0000.jpg", 1 << 60),
    "a link": member("clip-0.json", 0, tarfile.SYMTYPE),
    "a sparse file": member("clip-0.json", 0, tarfile.GNUTYPE_SPARSE),
    "thousands of extended headers": extension(b"comment=a") * 3000,
    "a size that is no number": extension(b"size=" + b"9" * 5000) + member("clip-0.json", 1),
    "a long key": extension(b"path=" + b"k" * 5000 + b".0000.jpg") + member("a.0000.jpg", 0),
    "a long ending": extension(b"path=clip-0." + b"\x1b" * 5000) + member("a", 0),
    "nothing but zeros": bytes(20 * BLOCK),
}


@pytest.mark.parametrize("at_the_end", [False, True])
@pytest.mark.parametrize("trick", TRICKS)
def test_a_tar_file_with_tricks_is_refused_in_a_short_message(
    shard: Path, trick: str, at_the_end: bool
) -> None:
    whole = shard.read_bytes()
    with tarfile.open(shard) as archive:
        before = whole[: archive.getmembers()[-1].offset] if at_the_end else b""
    shard.write_bytes(before + TRICKS[trick] + bytes(2 * BLOCK))
    with pytest.raises(DataError, match=r"shard\.tar") as refused:
        shard_index(shard)
    assert len(str(refused.value)) < len(str(shard)) + 250
    assert not index_path(shard).exists()
