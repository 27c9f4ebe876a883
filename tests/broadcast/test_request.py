"""What a live portrait can be asked for."""

from pathlib import Path

import pytest

from followyouremoji.broadcast.request import LiveRequest
from followyouremoji.errors import SettingsError
from followyouremoji.options import options


def test_a_number_is_a_camera_and_all_else_a_clip() -> None:
    assert LiveRequest(portrait="a.png").number == 0
    assert LiveRequest(portrait="a.png", camera="2").number == 2
    assert LiveRequest(portrait="a.png", camera="talk.mp4").number is None
    assert LiveRequest(portrait="a.png", camera="./2").number is None


def test_a_portrait_moves_as_a_mirror_for_who_sits_before_it_and_not_for_others() -> None:
    assert LiveRequest(portrait="a.png").mirrored
    assert not LiveRequest(portrait="a.png", camera="talk.mp4").mirrored
    assert not LiveRequest(portrait="a.png", virtual_camera=True).mirrored
    assert LiveRequest(portrait="a.png", virtual_camera=True, mirror=True).mirrored
    assert not LiveRequest(portrait="a.png", mirror=False).mirrored


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ({"size": 32}, ["size"]),
        ({"size": 4096}, ["size"]),
        ({"show": False}, ["show", "record", "virtual_camera"]),
        ({"show": False, "page": True, "record": Path("a.mp4")}, ["page", "show"]),
        ({"face": 2, "points": Path("points.json")}, ["points", "face"]),
        ({"port": 70_000}, ["port"]),
    ],
)
def test_what_cannot_be_used_names_its_settings(given: dict[str, object], settings: list[str]) -> None:
    with pytest.raises(SettingsError) as refused:
        LiveRequest(portrait="a.png", **given)  # type: ignore[arg-type]
    assert list(refused.value.settings) == settings


def test_names_of_options_are_unique() -> None:
    names = [name for name, _ in options(LiveRequest)]
    assert len(names) == len(set(names))
