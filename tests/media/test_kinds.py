"""Bounds of what is written, by the numbers of their sources."""

import pytest

from followyouremoji.errors import ClipError
from followyouremoji.files import check_room
from followyouremoji.media.kinds import expected_bytes, fitting_size, level_bound, macroblocks


def test_level_5_1_by_table_a_1() -> None:
    """ITU-T H.264, Table A-1: MaxFS 36 864 and MaxMBPS 983 040 macroblocks; there is no more a picture from 26.67 a
    second on."""
    assert [level_bound(rate) for rate in (1, 25, 983_040 / 36_864, 30, 60, 120)] == [
        *(36_864, 36_864, 36_864),
        *(32_768, 16_384, 8_192),
    ]
    assert macroblocks((1920, 1080)) == 8160  # 120 x 68
    assert macroblocks((4096, 2304)) == 36_864
    assert macroblocks((1, 17)) == 2


@pytest.mark.parametrize(
    ("size", "rate", "fits"),
    [
        ((720, 1280), 25, (720, 1280)),
        ((721, 1281), 25, (721, 1281)),  # odd sides stay where they are within the bound
        ((4096, 2304), 25, (4096, 2304)),
        ((3840, 2160), 30, (3840, 2160)),  # the usual ultra high definition: 32 400 macroblocks
        ((3840, 2160), 60, (2720, 1530)),  # 170 x 96 = 16 320 of 16 384
        ((3024, 4032), 25, (2656, 3542)),  # 166 x 222 = 36 852; a column of 222 more would be too many
        ((6000, 400), 25, (4096, 274)),
        ((17_000, 64), 25, (4096, 16)),
    ],
)
def test_mp4_is_what_common_players_take(size: tuple[int, int], rate: float, fits: tuple[int, int]) -> None:
    assert fitting_size(size, ".mp4", rate) == fits
    assert fitting_size(size[::-1], ".mp4", rate) == fits[::-1]
    assert fitting_size(size, ".webp", rate) == fitting_size(size, "", rate) == size


@pytest.mark.parametrize("rate", [1.0, 12.5, 24.0, 29.97, 50.0, 60.0, 240.0, 1000.0])
@pytest.mark.parametrize("size", [(4000, 6000), (4032, 3024), (10_000, 10_000), (8192, 300), (999, 3001)])
def test_what_fits_is_the_largest_of_its_shape(size: tuple[int, int], rate: float) -> None:
    width, height = fitting_size(size, ".mp4", rate)
    assert max(width, height) <= 4096
    assert macroblocks((width, height)) <= level_bound(rate)
    assert abs(width / height - size[0] / size[1]) < 2.1 * size[0] / size[1] / min(width, height)
    if (width, height) != size:
        assert width % 2 == height % 2 == 0
        grown = 1 + 18 / min(width, height)  # by a macroblock and a little: one side or the other is full
        larger = (round(width * grown), round(height * grown))
        assert max(larger) > 4096 or macroblocks(larger) > level_bound(rate)


def test_a_bound_that_is_asked_for_holds_for_every_kind_and_instead_of_the_level() -> None:
    for ending in (".mp4", ".webm", ".gif", ".png", ""):
        assert fitting_size((3024, 4032), ending, 25, max_side=1000) == (750, 1000)
        assert fitting_size((300, 400), ending, 25, max_side=1000) == (300, 400)
    assert fitting_size((6000, 8000), ".mp4", 60, max_side=8000) == (6000, 8000)


def test_room_on_the_disk_is_checked(tmp_path) -> None:
    needed = expected_bytes((1920, 1080), 250, ".mp4")
    assert 10e6 < needed < 100e6
    assert expected_bytes((1920, 1080), 250, "") > 10 * needed
    check_room(tmp_path / "made.mp4", needed, ClipError)
    with pytest.raises(ClipError, match=r"made\.mp4: it may take 1000000000\.0 GB, and .* GB free"):
        check_room(tmp_path / "made.mp4", 10**18, ClipError)
