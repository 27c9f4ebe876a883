"""Packs: all that a service wants, at once or not at all."""

import json
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from followyouremoji.errors import SettingsError
from followyouremoji.face.expressions import EXPRESSIONS, NAMED_EXPRESSIONS
from followyouremoji.requests.events import Event, Note
from followyouremoji.requests.request import ModelChoice
from followyouremoji.settings import AnimationSettings
from followyouremoji.stickers.checking import read_facts, read_frames, violations
from followyouremoji.stickers.composing import opaque_box
from followyouremoji.stickers.encoding import StickerError
from followyouremoji.stickers.pack import (
    EMOJIS,
    UPLOADING,
    expressions_for,
    file_name,
    is_of_pack,
    make_pack,
    small_png,
)
from followyouremoji.stickers.request import PackRequest
from followyouremoji.stickers.services import SERVICES, IconFormat

pytest.importorskip("skia", reason="drawn portraits need skia")


@pytest.fixture
def asked(model: Path, tmp_path: Path) -> PackRequest:
    """A small one, at 2 frames a second."""
    return PackRequest(
        portrait="bundled:ada",
        services=("whatsapp", "slack"),
        path=tmp_path / "pack",
        expressions=("smile", "laugh", "wink_left"),
        model=ModelChoice(weights=str(model), device="cpu"),
        settings=AnimationSettings(steps=1, frame_rate=2.0),
    )


def test_a_pack_for_two_services(asked: PackRequest, tmp_path: Path) -> None:
    outcome = make_pack(asked)
    folder = tmp_path / "pack"
    assert outcome.folder == folder
    assert sorted(path.name for path in folder.iterdir()) == [
        "slack",
        "slack.zip",
        "whatsapp",
        "whatsapp.zip",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]
    for service, stickers in outcome.packs.items():
        assert len(stickers) == 3
        for one in stickers:
            assert one.path.parent == folder / service
            assert violations(read_facts(one.path), SERVICES[service]) == []
        with zipfile.ZipFile(folder / f"{service}.zip") as archive:
            assert sorted(archive.namelist()) == sorted(path.name for path in (folder / service).iterdir())
    names = (folder / "slack/names.txt").read_text(encoding="utf-8").splitlines()
    assert names[2] == "ada_wink_left.gif\t😉\tWink left"

    with Image.open(folder / "whatsapp/tray.png") as tray:
        assert (tray.size, tray.mode) == ((96, 96), "RGBA")
    assert (folder / "whatsapp/tray.png").stat().st_size <= 50_000
    (contents,) = json.loads((folder / "whatsapp/contents.json").read_bytes())["sticker_packs"]
    assert contents["animated_sticker_pack"] is True
    for sticker in (*contents["stickers"], {"image_file": contents["tray_image_file"]}):
        assert (folder / "whatsapp" / sticker["image_file"]).is_file()
    assert "3 stickers for" in (folder / "whatsapp/README.txt").read_text(encoding="utf-8")

    with pytest.raises(StickerError, match="exists already"):
        make_pack(asked)
    (folder / "mine.txt").touch()
    with pytest.raises(StickerError, match=r"mine\.txt"):
        make_pack(replace(asked, overwrite=True))


@pytest.mark.slow
def test_faces_keep_their_size_from_sticker_to_sticker(asked: PackRequest) -> None:
    """The shoulders, which hardly move, lie at the same place in all of them."""
    outcome = make_pack(replace(asked, services=("webp",)))
    boxes = [opaque_box(read_frames(one.path)) for one in outcome.packs["webp"]]
    assert np.ptp(np.array(boxes), axis=0).max() <= 12  # of 512 pixels: what the heads' turns differ by


def test_a_limit_that_cannot_be_met_leaves_nothing(
    asked: PackRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SERVICES, "slack", replace(SERVICES["slack"], least_frames=100))
    with pytest.raises(StickerError) as raised:
        make_pack(replace(asked, services=("slack",)))
    assert str(tmp_path / "pack/slack/ada_smile.gif") in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_pack_has_as_many_stickers_as_its_service_takes(asked: PackRequest) -> None:
    whole = replace(asked, expressions=NAMED_EXPRESSIONS)
    assert expressions_for(whole, "telegram") == NAMED_EXPRESSIONS
    assert expressions_for(whole, "line") == NAMED_EXPRESSIONS[:16]
    events: list[Event] = []
    few = replace(asked, services=("line",))
    with pytest.raises(StickerError, match="at least 8 stickers, and 3"):
        make_pack(few, events.append)
    assert not any(isinstance(event, Note) for event in events)
    with pytest.raises(SettingsError, match="no expression 'dance'"):
        replace(asked, expressions=("dance",))


def test_names_and_words_for_all() -> None:
    assert set(EMOJIS) == set(EXPRESSIONS)
    assert {service for service in SERVICES if service not in ("gif", "webp", "apng")} == set(UPLOADING)
    assert all(is_of_pack(service) and is_of_pack(f"{service}.zip") for service in SERVICES)
    assert not is_of_pack("photos.zip")
    assert file_name("line", 7, "kiss", "ada") == "07.png"
    assert file_name("slack", 7, "kiss", "Me & you") == "me___you_kiss.gif"
    assert file_name("telegram", 7, "kiss", "ada") == "07_kiss.webm"


def test_icons_lose_colours_before_they_are_too_large() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 4), np.uint8)
    whole = len(small_png(noise, IconFormat("icon", (64, 64), 1 << 20)))
    small = small_png(noise, IconFormat("icon", (64, 64), whole // 3))
    assert len(small) <= whole // 3
    assert Image.open(BytesIO(small)).size == (64, 64)
    with pytest.raises(StickerError, match=r"icon\.png"):
        small_png(noise, IconFormat("icon", (64, 64), 100))
