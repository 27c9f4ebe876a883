"""`fye animate`: its options, rows of pictures beside each other, and what it refuses before a clip is tracked."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.errors import SettingsError
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.framing import ModelFraming
from followyouremoji.media.kinds import CLIP_ENDINGS, KINDS
from followyouremoji.media.pictures import write_picture
from followyouremoji.preparation import prepare
from followyouremoji.prepared import Prepared, PreparedGroup
from followyouremoji.requests.request import AnimationRequest
from followyouremoji.requests.result import row
from tests.apps.conftest import Run
from tests.apps.test_bad_input import assert_nothing_written, assert_refused

pytest.importorskip("skia", reason="drawn portraits need skia")
from followyouremoji.portraits import DrawnPortrait, Performance, draw_portrait, random_identity
from tests.test_preparation import drawn_motion, landmarks_of


@pytest.fixture(scope="module")
def portrait() -> DrawnPortrait:
    return draw_portrait(random_identity(np.random.default_rng(3), "person"), Performance(), 256)


@pytest.fixture(scope="module")
def prepared(portrait: DrawnPortrait) -> Prepared:
    """For a model that makes faces alone, in windows of 64 pixels."""
    landmarks = landmarks_of(portrait)
    return prepare(
        portrait.picture, drawn_motion(2), ModelFraming(64, face_alone=True), portrait_landmarks=landmarks
    )


@pytest.mark.parametrize("pasted", [True, False])
def test_the_portrait_in_a_row_is_what_the_result_sets_in_motion(prepared: Prepared, pasted: bool) -> None:
    prepared = replace(prepared, paste_back=pasted)
    side = prepared.output_size[1]
    result = np.full((side, side, 3), 200, np.uint8)
    tiles = np.split(row([np.zeros((90, 90, 3), np.uint8)], 1, result, PreparedGroup((prepared,))), 4, axis=1)
    assert np.array_equal(tiles[2], prepared.portrait if pasted else prepared.framing.square)
    assert np.array_equal(tiles[3], result)


def test_a_row_of_large_pictures_fits_into_every_clip(prepared: Prepared) -> None:
    photo = np.zeros((4032, 3024, 3), np.uint8)
    group = PreparedGroup((replace(prepared, portrait=photo, paste_back=True),))
    made = row([np.zeros((90, 160, 3), np.uint8)], 0, photo, group)
    assert made.shape[1] < min(KINDS[ending].largest_side for ending in CLIP_ENDINGS)
    assert made.shape[1] / made.shape[0] == pytest.approx(16 / 9 + 1 + 2 * 3 / 4, abs=0.01)


def test_every_option_of_the_motion_reaches_the_alignment(fye: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[AlignmentSettings] = []

    def stop(request: AnimationRequest, *_: object, **__: object) -> None:
        reached.append(request.alignment)
        raise SettingsError("far enough")

    monkeypatch.setattr("followyouremoji.requests.animation.animate", stop)
    monkeypatch.setattr("followyouremoji.requests.preview.preview", stop)
    given = AlignmentSettings(
        head="none",  # the motions that fit nothing to the portrait take no pose
        head_strength=0.1,
        expression=0.2,
        brows=0.3,
        eyes=0.4,
        mouth=0.5,
        gaze=0.6,
        neutral=0,
        portrait_expression="replace",
        conjugate_gaze="on",
        pose={"smile": 0.4},
    )
    said = {**asdict(given), "pose": "smile=0.4"}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in said.items()]
    for command in (("animate",), ("motion", "preview", "--stop", 1)):
        output = ("-o", "out.png") if command == ("animate",) else ("out.png",)
        assert_refused(fye(*command, *options, "bundled:ada", "bundled:hello", *output), "far enough")
    assert reached == [given, given]


def test_what_the_portrait_rules_out_is_told_before_a_clip_is_tracked(
    fye: Run, clip: Path, portrait: DrawnPortrait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("followyouremoji.requests.driving.Driving.track")
    write_picture("wide.png", np.zeros((64, 17_000, 3), np.uint8))
    assert_refused(fye("animate", "wide.png", clip, "-o", "out.webp"), "out.webp", "17000x64", "16383")
    beside = np.pad(portrait.picture, ((0, 0), (0, 600), (0, 0)), mode="edge")
    write_picture("beside.png", beside)
    for command in (("animate", "beside.png", clip, "-o"), ("motion", "preview", "beside.png", clip)):
        assert_refused(fye(*command, "out.mp4", "--no-crop"), "856x256", "outside", "Without cropping")
    assert_nothing_written()
