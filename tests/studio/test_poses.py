"""What the tab Expressions asks for: a posed face, its picture, and motions of keyframes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from followyouremoji.config import parse
from followyouremoji.face.alignment import align
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.drawing import PARTS
from followyouremoji.face.keyframes import Keyframes
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.topology import LEFT_IRIS, RIGHT_IRIS
from followyouremoji.media.pictures import read_layers
from followyouremoji.requests.bundled import portrait_landmarks, portrait_path
from followyouremoji.sources import still_motion

ADA, FINE = "bundled:ada", 1 / 8  # pixel
SHOWN = sorted({point for _, edges in PARTS for edge in edges for point in edge} | {RIGHT_IRIS, LEFT_IRIS})
SMILE = {"smile": 0.8, "yaw": 12.0}
RISING: dict[str, Any] = {
    "keyframes": [
        {"seconds": 0.0, "pose": {}},
        {"seconds": 0.4, "pose": SMILE, "easing": "linear"},
        {"seconds": 0.8, "pose": {"gaze_x": 1.0}},
    ],
    "seconds": 1.0,
}


def points_of(answer: Any) -> np.ndarray:
    """(T, shown, 2), pixels of the view."""
    assert answer.status_code == 200, answer.text
    (length,) = struct.unpack_from("<I", answer.content)
    about = json.loads(answer.content[4 : 4 + length])
    places = np.frombuffer(answer.content, "<i2", offset=4 + length)
    return places.reshape(about["frames"], about["points"], 2) * FINE


def ada() -> Landmarks:
    path = portrait_path(ADA)
    known = portrait_landmarks(path)
    assert known is not None
    height, width = read_layers(path).shape[:2]
    return Landmarks(known, (width, height))


def test_at_rest_landmarks_are_the_portraits_own(client: TestClient) -> None:
    shown = points_of(client.post("/studio/pose", json={"portrait": ADA, "pose": {}}))
    np.testing.assert_allclose(shown[0], ada().points[SHOWN], atol=0.2)


def test_a_pose_is_what_alignment_gives(client: TestClient) -> None:
    shown = points_of(client.post("/studio/pose", json={"portrait": ADA, "pose": SMILE}))
    portrait = ada()
    own = replace(still_motion(portrait, "ada"), rest=portrait.normalised)  # which moves nothing
    aligned = align(own, portrait, AlignmentSettings(portrait_expression="keep", pose=SMILE)).points
    np.testing.assert_allclose(shown[0], aligned[0, SHOWN], atol=0.2)


def test_keyframes_move_the_portrait_as_their_poses_do(client: TestClient) -> None:
    moving = points_of(client.post("/studio/keyframes/preview", json={"portrait": ADA, "keyframes": RISING}))
    assert len(moving) == 25
    for keyframe in RISING["keyframes"]:
        posed = points_of(client.post("/studio/pose", json={"portrait": ADA, "pose": keyframe["pose"]}))
        np.testing.assert_allclose(moving[round(25 * keyframe["seconds"])], posed[0], atol=1.0)


def test_the_pose_between_keyframes_goes_by_their_easing(client: TestClient) -> None:
    def pose_at(seconds: float) -> dict[str, float]:
        answer = client.post("/studio/keyframes/pose", json={"keyframes": RISING, "seconds": seconds})
        pose: dict[str, float] = answer.json()["pose"]
        return pose

    assert pose_at(0.2) == {"smile": pytest.approx(0.4), "yaw": pytest.approx(6.0)}
    assert pose_at(0.5) == {
        "smile": pytest.approx(0.6),
        "yaw": pytest.approx(9.0),
        "gaze_x": pytest.approx(0.25),
    }
    assert pose_at(5.0) == {"gaze_x": 1.0}


def test_pictures(client: TestClient) -> None:
    answers = [
        client.post("/studio/pose/picture", json={"portrait": ADA, "pose": pose})
        for pose in ({}, {"mouth_open": 1.0})
    ]
    at_rest, opened = (np.asarray(Image.open(BytesIO(answer.content)).convert("RGB")) for answer in answers)
    own = read_layers(portrait_path(ADA))[..., :3]
    assert at_rest.shape == opened.shape == own.shape
    assert all(float(answer.headers["x-seconds"]) > 0.0 for answer in answers)

    def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        difference: np.ndarray = np.abs(one.astype(float) - other).mean(axis=-1)
        return difference

    left, top, right, bottom = mouth_box()
    assert apart(at_rest, own).mean() < 5.0
    changed = apart(opened, at_rest)
    assert changed[top:bottom, left:right].mean() > 10.0 * changed[:top].mean()


def mouth_box() -> tuple[int, int, int, int]:
    lips = ada().points[[61, 291, 0, 17]]
    (left, top), (right, bottom) = lips.min(axis=0).astype(int), lips.max(axis=0).astype(int)
    return left, top, right, bottom


def test_a_picture_to_take_home_is_the_whole_portrait_upright(
    client: TestClient,
) -> None:
    given = Image.open(portrait_path(ADA)).convert("RGB")
    turned = given.resize((1200, 1200)).rotate(90)
    written = BytesIO()
    turned.save(written, "PNG")
    uploaded = client.post("/studio/materials?kind=portrait&name=ada.png", content=written.getvalue()).json()
    assert uploaded["faces"] == 1
    answer = client.post("/studio/pose/file", json={"portrait": uploaded["id"], "pose": {}})
    picture = Image.open(BytesIO(answer.content)).convert("RGB")
    assert picture.size == (1200, 1200)
    upright = given.resize((1200, 1200))
    assert np.abs(np.asarray(picture, float) - np.asarray(upright, float)).mean() < 6.0


@pytest.mark.parametrize(
    ("pose", "words"),
    [
        ({"smlie": 1.0}, "smile"),
        ({"smile": 3.0}, "smile must be a number from 0 to 1"),
        ({"yaw": "far"}, "yaw must be a number"),
    ],
)
def test_a_bad_pose_is_refused_in_words(client: TestClient, pose: dict[str, Any], words: str) -> None:
    answer = client.post("/studio/pose", json={"portrait": ADA, "pose": pose})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_bad_keyframes_are_refused_in_words(client: TestClient) -> None:
    def refused(keyframes: dict[str, Any]) -> str:
        answer = client.post("/studio/keyframes/preview", json={"portrait": ADA, "keyframes": keyframes})
        assert answer.status_code == 422
        detail: str = answer.json()["detail"]
        return detail

    backwards = {"keyframes": [{"seconds": 1.0, "pose": {}}, {"seconds": 0.5, "pose": {}}]}
    assert "does not come after" in refused(backwards)
    assert "make it shorter" in refused({**RISING, "seconds": 500.0})
    answer = client.post("/studio/keyframes/read?name=poem.json", content=b"roses are red")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("poem.json")


def test_others_portraits_are_unknown(new_client: Callable[..., TestClient]) -> None:
    owner, other = new_client(), new_client()
    content = portrait_path(ADA).read_bytes()
    identity = owner.post("/studio/materials?kind=portrait&name=ada.png", content=content).json()["id"]
    asked = {"portrait": identity, "pose": {}}
    assert owner.post("/studio/pose", json=asked).status_code == 200
    for path in ("pose", "pose/picture", "pose/file"):
        assert other.post(f"/studio/{path}", json=asked).status_code == 404
    keyframes = {"portrait": identity, "keyframes": RISING}
    for path in ("keyframes/preview", "keyframes/result"):
        assert other.post(f"/studio/{path}", json=keyframes).status_code == 404
    assert other.get("/studio/materials?kind=driving").json() == []


def test_a_motion_taken_home_moves_the_portrait_in_the_same_way(client: TestClient, tmp_path: Path) -> None:
    taken = client.post("/studio/keyframes/file?kind=fyemotion", json={"keyframes": RISING, "name": "Rising"})
    path = tmp_path / "rising.fyemotion"
    path.write_bytes(taken.content)
    motion = Motion.load(path)
    assert (len(motion), motion.source) == (25, "Rising")
    aligned = align(motion, ada(), AlignmentSettings(portrait_expression="keep")).points
    shown = points_of(client.post("/studio/keyframes/preview", json={"portrait": ADA, "keyframes": RISING}))
    np.testing.assert_allclose(shown, aligned[:, SHOWN], atol=0.1)


def test_keyframes_taken_home_can_be_opened_again(client: TestClient) -> None:
    taken = client.post("/studio/keyframes/file?kind=json", json={"keyframes": RISING})
    opened = client.post("/studio/keyframes/read?name=rising.json", content=taken.content).content
    assert parse(Keyframes, opened, "opened") == parse(Keyframes, json.dumps(RISING), "rising")


def test_a_kept_motion_is_a_driving(client: TestClient) -> None:
    asked = {"keyframes": RISING, "name": "../Rising"}
    kept = client.post("/studio/keyframes/material", json=asked).json()
    assert (kept["name"], kept["kind"], kept["frames"]) == ("../Rising.fyemotion", "driving", 25)
    again = client.post("/studio/keyframes/material", json=asked).json()
    assert again["id"] == kept["id"]  # nothing has changed since
    assert [one["id"] for one in client.get("/studio/materials?kind=driving").json()] == [kept["id"]]
    previewed = client.post(
        "/studio/preview",
        json={"portrait": ADA, "driving": kept["id"], "controls": {"portrait_expression": "keep"}},
    )
    shown = client.post("/studio/keyframes/preview", json={"portrait": ADA, "keyframes": RISING})
    np.testing.assert_allclose(points_of(previewed), points_of(shown), atol=0.2)
