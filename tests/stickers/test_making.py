"""Stickers as a front end asks for them, with a small model of random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from followyouremoji.errors import ClipError, FaceNotFound, MotionError, SettingsError, UserError
from followyouremoji.face.keyframes import Keyframe, keyframe_motion
from followyouremoji.media.pictures import write_picture
from followyouremoji.requests.bundled import portrait_path
from followyouremoji.requests.events import Event, Stage
from followyouremoji.requests.request import ModelChoice
from followyouremoji.settings import AnimationSettings
from followyouremoji.stickers.captions import CaptionError, find_font
from followyouremoji.stickers.checking import read_facts, read_frames, violations
from followyouremoji.stickers.encoding import StickerError
from followyouremoji.stickers.making import (
    make_sticker,
    note_on_part,
    open_driving,
    sticker_places,
    used_part,
)
from followyouremoji.stickers.motions import Timing
from followyouremoji.stickers.request import StickerClip, StickerLook, StickerRequest
from followyouremoji.stickers.services import SERVICES

pytest.importorskip("skia", reason="drawn portraits need skia")


@pytest.fixture
def asked(model: Path, tmp_path: Path) -> StickerRequest:
    """For kinds of files that are quickly written, at 4 frames a second."""
    return StickerRequest(
        portrait="bundled:ada",
        driving="smile",
        services=("discord-emoji", "webp"),
        path=tmp_path,
        model=ModelChoice(weights=str(model), device="cpu"),
        settings=AnimationSettings(steps=1, frame_rate=4.0),
    )


def refused(request: StickerRequest, error: type[UserError], *words: str) -> None:
    """It is, before a model is loaded, and nothing is written."""

    def never(choice: ModelChoice) -> None:
        raise AssertionError("a model was loaded")

    with pytest.raises(error) as raised:
        make_sticker(request, load=never)  # type: ignore[arg-type]
    for word in words:
        assert word in str(raised.value)
    assert request.path is None or not request.path.is_dir() or list(request.path.iterdir()) == []


def test_a_sticker_for_two_services(asked: StickerRequest, tmp_path: Path) -> None:
    events: list[Event] = []
    outcome = make_sticker(asked, events.append)
    assert outcome.failed == {}
    assert [made.service for made in outcome.made] == ["discord-emoji", "webp"]
    assert [made.path.name for made in outcome.made] == ["ada_smile_discord-emoji.gif", "ada_smile_webp.webp"]
    for made in outcome.made:
        facts = read_facts(made.path)
        assert violations(facts, SERVICES[made.service]) == []
        assert facts.transparent
        assert (made.bytes, made.frames, made.size) == (made.path.stat().st_size, facts.frames, facts.size)
        assert made.seconds == pytest.approx(2.0)
        frames = read_frames(made.path)
        assert not np.array_equal(frames[0], frames[len(frames) // 2])
    assert len(list(tmp_path.iterdir())) == 2
    stages = [event.name for event in events if isinstance(event, Stage) and event.name != "loading"]
    assert stages == ["tracking", "animating", "encoding", "encoding"]

    with pytest.raises(StickerError, match="exists already"):
        make_sticker(asked)


def test_with_its_background_it_is_a_square(asked: StickerRequest) -> None:
    kept = replace(asked, services=("webp",), look=StickerLook(backdrop="keep"))
    (made,) = make_sticker(kept).made
    first = read_frames(made.path)[0]
    edge = round(0.03 * first.shape[0])
    assert first.shape[0] == first.shape[1]
    assert (first[edge:-edge, edge:-edge, 3] == 255).all()


def test_what_is_outlined(asked: StickerRequest) -> None:
    """The outline is white, and lies around the head, whose hair is dark; WhatsApp alone asks for one."""

    def whitest_at_the_edge(path: Path) -> int:
        frame = read_frames(path)[0]
        row = frame[frame.shape[0] // 4]
        inside = np.flatnonzero(row[:, 3] > 200)
        return int(row[inside[:10], :3].min(axis=1).max())

    outlined, plain = make_sticker(replace(asked, services=("whatsapp", "webp"))).made
    assert whitest_at_the_edge(outlined.path) > 220
    assert whitest_at_the_edge(plain.path) < 190


def test_of_a_long_motion_the_liveliest_part_is_used_and_that_is_told(
    asked: StickerRequest, tmp_path: Path
) -> None:
    """Eight seconds of which the face moves from 4 to 5.6; a blink's way before that is no reason to begin there."""
    open_mouth, shut = {"jaw_open": 1.0}, dict[str, float]()
    keyframes = ((0.0, shut), (1.0, {"blink": 1.0}), (1.3, shut), (4.0, shut), (4.4, open_mouth), (4.8, shut))
    keyframes += ((5.2, open_mouth), (5.6, shut), (8.0, shut))
    long = keyframe_motion([Keyframe(seconds=seconds, pose=pose) for seconds, pose in keyframes])
    long.save(tmp_path / "long.fyemotion")
    request = replace(asked, driving=str(tmp_path / "long.fyemotion"), settings=AnimationSettings())

    def used(service: str, **choice: Any) -> tuple[float, float, str]:
        """From where to where, and the note."""
        chosen = replace(request, services=(service,), **choice)
        driving, lasts = open_driving(chosen)
        assert driving.motion is not None
        timing = Timing.fitting(
            SERVICES[service], driving.motion.duration, driving.frame_rate, chosen.closing
        )
        part = used_part(chosen, driving.motion, timing)
        note = note_on_part(chosen, driving.path, lasts, part, driving.motion, [service])
        begin = float(part.timestamps[0])
        return begin, begin + part.duration, note.sentence

    begin, end, note = used("telegram")
    assert 2.5 < begin <= 4.0 < 5.6 <= end
    assert end - begin == pytest.approx(3.0)
    assert f"the liveliest 3.0 s, from {begin:.1f} s on, are used for telegram" in note
    assert used("whatsapp")[:2] == (0.0, pytest.approx(8.04))
    begin, end, _ = used("telegram", closing="pingpong")
    assert 3.5 < begin < end < 6.0
    begin, end, note = used("telegram", clip=StickerClip(start="1s"))
    assert (begin, end) == (1.0, pytest.approx(4.0))
    assert "the first 3.0 s are used for telegram" in note


def test_one_service_may_fail_and_a_folder_stays_only_with_a_sticker_in_it(
    asked: StickerRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new" / "stickers"
    refused(replace(asked, path=folder, driving="nowhere.mp4"), ClipError, "nowhere.mp4")
    assert not folder.exists()
    monkeypatch.setitem(SERVICES, "webp", replace(SERVICES["webp"], least_frames=100))
    outcome = make_sticker(replace(asked, path=folder))
    assert [made.service for made in outcome.made] == ["discord-emoji"]
    assert "100" in outcome.failed["webp"]
    assert [path.name for path in folder.iterdir()] == ["ada_smile_discord-emoji.gif"]


def test_what_cannot_be_used_is_told_before_a_model_is_loaded(asked: StickerRequest, tmp_path: Path) -> None:
    refused(replace(asked, path=tmp_path / "a.gif"), StickerError, "2 services", "a folder")
    refused(replace(asked, path=tmp_path / "a.webp", services=("line",)), StickerError, "must end in .png")
    picture = str(portrait_path("bundled:max"))
    refused(replace(asked, driving=picture), MotionError, "one pose")
    refused(replace(asked, clip=StickerClip(stop="1")), MotionError, "one pose")
    with pytest.raises(SettingsError, match="telegram, whatsapp"):
        replace(asked, services=())
    with pytest.raises(SettingsError, match="'icq' is not known"):
        replace(asked, services=("icq",))
    with pytest.raises(SettingsError, match="leave the face's number out"):
        replace(asked, face=1, points=tmp_path / "points.json")


def test_a_caption_that_does_not_fit(asked: StickerRequest) -> None:
    try:
        find_font("word")
    except CaptionError:
        pytest.skip("no font is installed")
    refused(replace(asked, look=StickerLook(caption="word " * 40)), CaptionError, "fit")


def test_a_portrait_without_a_face(asked: StickerRequest, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    write_picture(tmp_path / "grey.png", np.full((300, 300, 3), 128, np.uint8))
    out = tmp_path / "out"
    out.mkdir()
    refused(replace(asked, portrait=str(tmp_path / "grey.png"), path=out), FaceNotFound, "grey.png")
    refused(replace(asked, face=2, path=out), FaceNotFound, "Face 2")


def test_names_of_the_files() -> None:
    request = StickerRequest(portrait="a/me.jpg", driving="b/talk.mp4", services=("telegram", "slack"))
    assert sticker_places(request) == {
        "telegram": Path("me_talk_telegram.webm"),
        "slack": Path("me_talk_slack.gif"),
    }
