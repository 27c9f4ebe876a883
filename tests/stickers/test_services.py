"""The table of what services take."""

import re

import pytest

from followyouremoji.stickers.services import ENDLESS, SERVICES, StickerFormat

ENDINGS = {"webm": (".webm",), "webp": (".webp",), "gif": (".gif",), "apng": (".png", ".apng")}


def test_all_that_are_promised_are_there() -> None:
    assert {"telegram", "whatsapp", "signal", "discord", "discord-emoji", "slack", "imessage", "line"} < set(
        SERVICES
    )
    assert {"gif", "webp", "apng"} < set(SERVICES)


@pytest.mark.parametrize("format", SERVICES.values(), ids=SERVICES)
def test_each_says_where_it_is_documented_and_takes_what_is_made_for_it(format: StickerFormat) -> None:
    assert format.source.startswith("https://")
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", format.checked)
    assert format.ending in ENDINGS[format.container]
    assert format.takes(format.size)
    assert all(format.takes((side, side)) for side in format.smaller)
    assert list(format.smaller) == sorted(format.smaller, reverse=True)
    for size in ((300, 500), (1000, 800), (64, 64)):
        assert format.takes(format.fitting(size))
    if format.aim_bytes is not None:
        assert format.max_bytes is not None
        assert format.aim_bytes < format.max_bytes


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [
        ("telegram", [(512, 512), (512, 300), (1, 512)], [(511, 511), (513, 512), (256, 256)]),
        ("whatsapp", [(512, 512)], [(512, 511), (256, 256)]),
        ("signal", [(512, 512), (256, 256)], [(512, 400), (520, 520)]),
        ("imessage", [(408, 408), (300, 300)], [(299, 299), (408, 300)]),
        ("line", [(320, 270), (270, 270), (200, 270)], [(269, 269), (321, 270), (320, 271)]),
        ("gif", [(7, 900)], []),
    ],
)
def test_sides(name: str, taken: list[tuple[int, int]], refused: list[tuple[int, int]]) -> None:
    format = SERVICES[name]
    assert all(format.takes(size) for size in taken)
    assert not any(format.takes(size) for size in refused)


def test_a_line_sticker_is_looped_within_three_seconds() -> None:
    """1 s three times and 3 s once are its guideline's examples; 2 s twice is refused there."""
    assert [SERVICES["line"].loops(seconds) for seconds in (1.0, 2.0, 3.0)] == [3, 1, 1]
    assert SERVICES["signal"].loops(1.0) == ENDLESS
