"""Shards as a source: which clip a position gives, and what damaged shards say."""

import io
import json
import pickle
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.data import Shards
from followyouremoji.data.shard_index import index_path, shard_index
from followyouremoji.errors import DataError, SettingsError
from tests.data.samples import SIZE, face_points, shade, write_shard

LENGTHS = [9, 4, 12, 9, 10, 3, 9]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shard(tmp_path / "shard-000000.tar", LENGTHS[:4])
    write_shard(tmp_path / "shard-000001.tar", LENGTHS[4:], first=4)
    return tmp_path


def numbers(shards: Shards, positions: range, frames: int) -> list[int]:
    return [int(shards.clip(position, frames).key.split("-")[1]) for position in positions]


def test_an_epoch_has_every_long_enough_clip_once_and_epochs_differ(folder: Path) -> None:
    shards = Shards(folder, seed=3)
    assert shards.epoch_length(9) == 5
    epochs = [numbers(shards, range(5 * epoch, 5 * epoch + 5), 9) for epoch in range(4)]
    assert all(sorted(epoch) == [0, 2, 3, 4, 6] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert shards.epoch_length(1) == len(LENGTHS)


def test_a_position_gives_the_same_clip_in_any_order_and_any_process(folder: Path) -> None:
    one, other = Shards(folder, seed=5), pickle.loads(pickle.dumps(Shards(folder, seed=5)))
    forwards = {position: one.clip(position, 4) for position in range(20)}
    for position in reversed(range(20)):
        clip = other.clip(position, 4)
        assert clip.key == forwards[position].key
        np.testing.assert_array_equal(clip.pictures, forwards[position].pictures)
        np.testing.assert_array_equal(clip.points, forwards[position].points)
    assert numbers(Shards(folder, seed=6), range(12), 4) != numbers(one, range(12), 4)


def test_frames_are_successive_and_belong_to_their_points(folder: Path) -> None:
    shards = Shards(folder)
    begins = set()
    for position in range(40):
        clip = shards.clip(position, 4)
        number = int(clip.key.split("-")[1])
        begin = round(float(clip.points[0, 0, 0] - face_points(1)[0, 0, 0]) / 0.5)
        begins.add((number, begin))
        assert clip.pictures.shape == (4, SIZE, SIZE, 3)
        for frame in range(4):
            assert abs(float(clip.pictures[frame].mean()) - shade(number, begin + frame)) < 1.5
        np.testing.assert_allclose(clip.points, face_points(LENGTHS[number])[begin : begin + 4], atol=1e-5)
    assert len({begin for number, begin in begins if number == 2}) > 1


def test_strides_are_drawn_among_those_a_clip_is_long_enough_for(folder: Path) -> None:
    shards = Shards(folder, strides=(1, 3))
    steps: dict[int, Counter[int]] = {}
    for position in range(60):
        clip = shards.clip(position, 4)
        moved = np.diff(clip.points[:, 0, 0]) / 0.5
        np.testing.assert_allclose(moved, moved[0], atol=1e-4)
        steps.setdefault(int(clip.key.split("-")[1]), Counter())[round(float(moved[0]))] += 1
    assert set(steps[1]) == {1}  # four frames long
    assert set(steps[2]) == {1, 3}
    with pytest.raises(SettingsError, match="strides"):
        Shards(folder, strides=(0,))


def test_all_that_was_written_comes_back(folder: Path) -> None:
    shards = Shards(folder)
    stored = shards.stored(2)
    assert stored.key == "clip-2"
    assert shards.facts(2)["frames"] == len(stored.pictures) == 12
    np.testing.assert_allclose(stored.points, face_points(12), atol=1e-5)
    with tarfile.open(folder / "shard-000000.tar") as archive:
        arrays = np.load(io.BytesIO(archive.extractfile("clip-2.npz").read()))  # type: ignore[union-attr]
    assert arrays.files == ["points"]  # all else that is known of a frame follows from them


def test_shards_of_the_version_before_are_read(folder: Path) -> None:
    """They also hold metric faces and masks, and mix with those of today."""
    expected = Shards(folder).stored(0)
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        points=face_points(9).astype(np.float32),
        vertices=np.zeros((9, 468, 3), np.float32),
        poses=np.zeros((9, 4, 4), np.float32),
        expression_mask=np.zeros((9, SIZE, SIZE // 8), np.uint8),
        face_mask=np.zeros((9, SIZE, SIZE // 8), np.uint8),
    )
    facts = {"format": "followyouremoji-clip", "version": 1, "key": "clip-0", "frames": 9, "size": SIZE}
    change = {"clip-0.npz": stream.getvalue(), "clip-0.json": json.dumps(facts).encode()}
    rewritten(folder / "shard-000000.tar", change)
    index_path(folder / "shard-000000.tar").unlink()
    shards = Shards(folder)
    before = shards.stored(0)
    assert shards.facts(0)["version"] == 1
    np.testing.assert_array_equal(before.points, expected.points)
    np.testing.assert_array_equal(before.pictures, expected.pictures)


def test_the_index_is_kept_beside_the_shard_and_made_anew_when_the_shard_changes(folder: Path) -> None:
    shard = folder / "shard-000000.tar"
    index = shard_index(shard)
    assert index.lengths.tolist() == LENGTHS[:4]
    kept = index_path(shard).read_bytes()
    shard_index(shard)
    assert index_path(shard).read_bytes() == kept
    write_shard(shard, [5, 6], first=7)
    assert shard_index(shard).lengths.tolist() == [5, 6]
    index_path(shard).write_bytes(b"no index")
    assert shard_index(shard).keys.tolist() == ["clip-7", "clip-8"]


@pytest.mark.parametrize("lost", [1, 700, 5_000])
def test_a_shard_cut_short_is_named(folder: Path, lost: int) -> None:
    shard = folder / "shard-000001.tar"
    content = shard.read_bytes()
    end = shard_index(shard).facts[-1].sum()
    shard.write_bytes(content[: int(end) - lost])
    with pytest.raises(DataError, match=r"shard-000001\.tar is cut short.*clip-6"):
        Shards(folder)


def test_a_shard_cut_between_two_members_is_noticed_too(folder: Path) -> None:
    shard = folder / "shard-000001.tar"
    after_first = int(shard_index(shard).facts[0].sum())
    shard.write_bytes(shard.read_bytes()[: -(-after_first // 512) * 512])
    with pytest.raises(DataError, match=r"cut short.* after clip-4\.json"):
        Shards(folder)


def test_a_shard_that_shrinks_while_it_is_read_is_named(folder: Path) -> None:
    shards = Shards(folder)
    for shard in shards.paths:
        shard.write_bytes(shard.read_bytes()[:600])
    with pytest.raises(DataError, match=r"shard-00000\d\.tar has become shorter"):
        shards.clip(0, 3)


def rewritten(shard: Path, change: dict[str, bytes | None]) -> None:
    """The shard with some members replaced, or left out where None."""
    with tarfile.open(shard) as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    members |= {name: content for name, content in change.items() if content is not None}
    with tarfile.open(shard, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            if name in change and change[name] is None:
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("gone", ["clip-1.npz", "clip-3.json", "clip-0.0003.jpg", "clip-2.0000.jpg"])
def test_a_clip_that_lacks_a_member_is_named(folder: Path, gone: str) -> None:
    rewritten(folder / "shard-000000.tar", {gone: None})
    with pytest.raises(DataError, match=gone.split(".")[0]):
        Shards(folder)


def test_arrays_that_lack_or_are_of_another_shape_are_named(folder: Path) -> None:
    stream = io.BytesIO()
    np.savez(stream, vertices=np.zeros((4, 468, 3)))
    rewritten(folder / "shard-000000.tar", {"clip-1.npz": stream.getvalue()})
    with pytest.raises(DataError, match=r"shard-000000\.tar, clip-1\.npz lacks `points`"):
        Shards(folder).stored(1)
    stream = io.BytesIO()
    np.savez(stream, points=np.zeros((9, 400, 3)))
    rewritten(folder / "shard-000000.tar", {"clip-0.npz": stream.getvalue()})
    with pytest.raises(DataError, match=r"clip-0\.npz"):
        Shards(folder).stored(0)


def test_no_pickle_is_read(folder: Path) -> None:
    stream = io.BytesIO()
    np.savez(stream, points=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    rewritten(folder / "shard-000000.tar", {"clip-0.npz": stream.getvalue()})
    with pytest.raises(DataError, match=r"clip-0\.npz"):
        [Shards(folder).clip(position, 9) for position in range(5)]


def test_a_damaged_frame_is_named(folder: Path) -> None:
    rewritten(folder / "shard-000000.tar", {"clip-2.0005.jpg": b"\xff\xd8nothing"})
    with pytest.raises(DataError, match=r"shard-000000\.tar, frame 5 of clip-2 is damaged"):
        Shards(folder).stored(2)


def test_a_flipped_byte_gives_the_same_clip_or_a_named_error(tmp_path: Path) -> None:
    shard = tmp_path / "shard-000000.tar"
    write_shard(shard, [1])
    shards = Shards(tmp_path)
    whole, true = shard.read_bytes(), shards.stored(0).points
    (start, size), (facts, length) = shards.indices[0].arrays[0], shards.indices[0].facts[0]
    # All of the zip's directory, which lies at its end, and of the facts; of the arrays, places near and far.
    places = [*range(start, start + size - 500, 97), *range(start + size - 500, start + size)]
    outcomes: Counter[str] = Counter()
    for place in [*places, *range(facts, facts + length)]:
        for bit in (0x01, 0x80):
            with shard.open("r+b") as file:
                file.seek(place)
                file.write(bytes([whole[place] ^ bit]))
            try:
                shards.facts(0)
                points = shards.stored(0).points
            except DataError as error:
                outcomes["named" if str(error).startswith(str(shard)) else "nameless"] += 1
            else:
                np.testing.assert_array_equal(points, true)
                outcomes["same"] += 1
            with shard.open("r+b") as file:
                file.seek(place)
                file.write(whole[place : place + 1])
    assert set(outcomes) == {"named", "same"}
    assert outcomes["named"] > 200
    assert shards.stored(0).key == "clip-0"


def test_facts_of_another_version_are_refused(folder: Path) -> None:
    facts = {"format": "followyouremoji-clip", "version": 3, "size": SIZE, "frames": 9}
    rewritten(folder / "shard-000000.tar", {"clip-0.json": json.dumps(facts).encode()})
    with pytest.raises(DataError, match=r"clip-0\.json is of version 3"):
        Shards(folder)


def test_foreign_files_and_empty_folders_are_refused(tmp_path: Path, folder: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    with pytest.raises(DataError, match="no shard"):
        Shards(foreign)
    with tarfile.open(foreign / "photos.tar", "w") as archive:
        archive.add(__file__, "holiday.py")
    with pytest.raises(DataError, match=r"photos\.tar is not a shard.*holiday\.py"):
        Shards(foreign)
    (foreign / "photos.tar").write_bytes(b"plain text " * 300)
    with pytest.raises(DataError, match=r"photos\.tar is not a tar file"):
        Shards(foreign)
    with pytest.raises(DataError, match="There is no folder"):
        Shards(tmp_path / "nowhere")


def test_a_missing_shard_of_a_list_is_named(folder: Path) -> None:
    plan = {"shards": [{"name": "shard-000000.tar"}, {"name": "shard-000007.tar"}]}
    (folder / "shards.json").write_text(json.dumps(plan))
    with pytest.raises(DataError, match=r"lacks 1 of its 2 shards \(shard-000007\.tar"):
        Shards(folder)
    shutil.copy(folder / "shard-000001.tar", folder / "shard-000007.tar")
    assert len(Shards(folder)) == len(LENGTHS)


@pytest.mark.parametrize(
    "listed",
    [
        '[{"name": "../a.tar"}]',
        '[{"name": "/a.tar"}]',
        '[{"name": "a\\\\b.tar"}]',
        '[{"name": 5}]',
        "[" * 10_000,
        "[5]",
    ],
)
def test_a_list_leads_nowhere_but_into_its_folder(folder: Path, listed: str) -> None:
    write_shard(folder.parent / "a.tar", [3])
    (folder / "shards.json").write_text(f'{{"shards": {listed}}}')
    with pytest.raises(DataError, match=r"shards\.json is damaged"):
        Shards(folder)


def test_too_long_clips_are_refused_in_words(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no clip of 13 frames; the longest of its 7 clips has 12"):
        Shards(folder).clip(0, 13)


def test_webdataset_groups_the_members_of_a_clip_as_one_sample(folder: Path) -> None:
    """Read by the package itself where it is installed; the rule that it groups by is checked in any case."""
    with tarfile.open(folder / "shard-000000.tar") as archive:
        names = archive.getnames()
    grouped = [name.partition(".")[0] for name in names]
    changes = [key for key, before in zip(grouped, [None, *grouped], strict=False) if key != before]
    assert changes == ["clip-0", "clip-1", "clip-2", "clip-3"]  # each together, none twice
    webdataset = pytest.importorskip("webdataset", reason="the package that streams shards is not installed")
    samples = list(webdataset.WebDataset(str(folder / "shard-000000.tar"), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == ["clip-0", "clip-1", "clip-2", "clip-3"]
    for sample, frames in zip(samples, LENGTHS, strict=False):
        fields = {field for field in sample if not field.startswith("__")}
        assert fields == {f"{frame:04d}.jpg" for frame in range(frames)} | {"npz", "json"}
        assert json.loads(sample["json"])["frames"] == frames
