"""Clips are found in whatever layout, with names that are unique and stay."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from followyouremoji.data.preparation.discovery import Pictures, find_units, open_unit
from followyouremoji.errors import ClipError, DataError
from tests.media.synthetic import moving_picture, write_clip


def write_frames(folder: Path, count: int, first: int = 0, digits: int = 8) -> None:
    folder.mkdir(parents=True)
    for index in range(count):
        Image.fromarray(moving_picture(index)).save(folder / f"{first + index:0{digits}d}.png")


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    (tmp_path / "hdtf" / "RD").mkdir(parents=True)
    for name in ("hdtf/RD/Radio 1.mp4", "hdtf/RD_Radio-1.MP4", "hdtf/notes.txt", "hdtf/._RD_Radio-1.mp4"):
        (tmp_path / name).write_bytes(b"x")
    write_frames(tmp_path / "vfhq" / "Clip+0aB-1+P0+C1+F208-226", 9, first=208)
    write_frames(tmp_path / "vfhq" / "too few", 3)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "old.mp4").write_bytes(b"x")
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "left.mp4").write_bytes(b"x")
    return tmp_path


def test_videos_and_folders_of_numbered_pictures_are_found_in_order(collection: Path) -> None:
    units = find_units(collection, leave_out=collection / "shards")
    assert [unit.source for unit in units] == [
        "hdtf/RD/Radio 1.mp4",
        "hdtf/RD_Radio-1.MP4",
        "vfhq/Clip+0aB-1+P0+C1+F208-226",
    ]
    names = [unit.name for unit in units]
    assert len(set(names)) == 3
    assert all("." not in name and "/" not in name and " " not in name for name in names)
    assert names[0].rsplit("-", 1)[0] == names[1].rsplit("-", 1)[0]  # told apart by the digest alone
    assert [unit.name for unit in find_units(collection)][:2] == names[:2]


def test_a_changed_clip_has_another_stamp(collection: Path) -> None:
    before = find_units(collection)[0]
    before.path.write_bytes(b"longer")
    after = find_units(collection)[0]
    assert after.name == before.name
    assert after.stamp != before.stamp


def test_links_are_followed_once_and_real_places_give_the_names(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "clips", tmp_path / "elsewhere"
    (folder / "real").mkdir(parents=True)
    (folder / "real" / "one.mp4").write_bytes(b"x")
    elsewhere.mkdir()
    (elsewhere / "two.mp4").write_bytes(b"x")
    write_frames(tmp_path / "frames", 8)
    links = {"a link to real": folder / "real", "b": elsewhere, "c": elsewhere, "frames": tmp_path / "frames"}
    loops = {"real/loop": folder, "real/itself": folder / "real" / "itself", "nowhere": tmp_path / "nowhere"}
    for link, target in (links | loops).items():
        (folder / link).symlink_to(target, target_is_directory=True)
    (elsewhere / "back").symlink_to(folder, target_is_directory=True)
    assert [unit.source for unit in find_units(folder)] == ["b/two.mp4", "frames", "real/one.mp4"]
    assert [unit.source for unit in find_units(folder, elsewhere)] == ["frames", "real/one.mp4"]


def test_a_clip_that_cannot_be_reached_is_found_all_the_same(collection: Path) -> None:
    before = find_units(collection)
    (collection / "hdtf" / "gone.mp4").symlink_to(collection / "nowhere.mp4")
    (collection / "hdtf" / "loop.mp4").symlink_to("loop.mp4")
    found = {unit.source: unit for unit in find_units(collection)}
    assert found["hdtf/gone.mp4"].stamp == found["hdtf/loop.mp4"].stamp == (0, 0)
    assert [unit for unit in found.values() if unit.stamp != (0, 0)] == before
    (collection / "nowhere.mp4").write_bytes(b"x")
    after = {unit.source: unit for unit in find_units(collection)}["hdtf/gone.mp4"]
    assert after.name == found["hdtf/gone.mp4"].name
    assert after.stamp != (0, 0)


def test_frames_of_a_clip_with_the_longest_name_fit_a_tar_header(tmp_path: Path) -> None:
    (tmp_path / f"{'n' * 251}.mp4").touch()
    (unit,) = find_units(tmp_path)
    tarfile.TarInfo(f"{unit.name}-99999.99999.jpg").tobuf(tarfile.USTAR_FORMAT)


def test_one_clip_and_no_clip(collection: Path) -> None:
    assert [unit.source for unit in find_units(collection / "hdtf" / "RD_Radio-1.MP4")] == ["RD_Radio-1.MP4"]
    with pytest.raises(DataError, match="No clip was found"):
        find_units(collection / "vfhq" / "too few")
    with pytest.raises(DataError, match="There is no folder"):
        find_units(collection / "nowhere")


def test_numbered_pictures_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write_frames(tmp_path / "clip", 12, first=3, digits=1)  # 9.png and 10.png: text would sort them wrongly
    clip, frame_rate = open_unit(tmp_path / "clip", None)
    assert frame_rate == 25.0
    for _ in range(2):
        frames = list(clip)
        assert [time for time, _ in frames] == pytest.approx(np.arange(12) / 25)
        for index, (_, picture) in enumerate(frames):
            np.testing.assert_array_equal(picture, moving_picture(index))
    assert clip.damage is None
    slower, frame_rate = open_unit(tmp_path / "clip", 12.5)
    assert frame_rate == 12.5
    assert len(list(slower)) == 6


def test_pictures_end_before_the_first_that_cannot_be_read(tmp_path: Path) -> None:
    write_frames(tmp_path / "clip", 10)
    (tmp_path / "clip" / "00000006.png").write_bytes(b"no picture")
    clip = Pictures(tmp_path / "clip")
    assert len(list(clip)) == 6
    assert clip.damage is not None
    assert "00000006.png" in clip.damage
    (tmp_path / "clip" / "00000004.png").unlink()
    (tmp_path / "clip" / "00000004.png").symlink_to("nowhere.png")
    assert len(list(clip)) == 4
    assert "00000004.png" in clip.damage
    (tmp_path / "clip" / "00000000.png").write_bytes(b"no picture")
    with pytest.raises(ClipError, match=r"00000000\.png"):
        Pictures(tmp_path / "clip")


def test_videos_are_read_at_their_own_rate_or_another(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=20)
    clip, frame_rate = open_unit(tmp_path / "clip.mp4", None)
    assert frame_rate == pytest.approx(25.0)
    assert len(list(clip)) == 20
    _, frame_rate = open_unit(tmp_path / "clip.mp4", 10.0)
    assert frame_rate == 10.0
