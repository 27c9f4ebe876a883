"""The tab Animate: what its scripts ask for, and what a visitor sees."""

from __future__ import annotations

import json
import shutil
import struct
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from followyouremoji.face.alignment import align_motion
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.timeline import looped
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import read_layers
from followyouremoji.media.ranges import WHOLE
from followyouremoji.media.writing import ClipWriter
from followyouremoji.requests.bundled import bundled_motion, portrait_landmarks, portrait_path
from followyouremoji.sources import track_file
from followyouremoji.studio.aligning import MOST_FRAMES, Aligner
from followyouremoji.studio.downloads import convert
from followyouremoji.studio.preview import FINE, shown
from tests.studio.conftest import PATIENCE, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

ADA, HELLO = "bundled:ada", "bundled:hello"


def upload(client: TestClient, kind: str, file: Path) -> Any:
    query = {"kind": kind, "name": file.name}
    return client.post("/studio/materials", params=query, content=file.read_bytes())


def unpacked(answer: Any) -> tuple[dict[str, Any], np.ndarray]:
    """The text of a preview, and its points (T, N, 2) in pixels of the view."""
    assert answer.status_code == 200, answer.text
    (length,) = struct.unpack_from("<I", answer.content)
    header = json.loads(answer.content[4 : 4 + length])
    places = np.frombuffer(answer.content, "<i2", offset=4 + length)
    return header, places.reshape(header["frames"], header["points"], 2) / FINE


def finished(client: TestClient, identity: str) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE / 100
    while time.monotonic() < until:
        result: dict[str, Any] = client.get(f"/studio/results/{identity}").json()
        if result["state"] not in ("waiting", "running"):
            return result
        time.sleep(0.1)
    raise TimeoutError


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of a face: a bundled portrait that moves to the side."""
    picture = read_layers(portrait_path(ADA))[..., :3]
    file = tmp_path_factory.mktemp("clip") / "moving.mp4"
    with ClipWriter(file, 25.0, (512, 512)) as writer:
        for shift in range(0, 24, 2):
            writer.write(np.roll(picture, shift, axis=1))
    return file


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of two people."""
    file = tmp_path_factory.mktemp("two") / "two.png"
    pictures = [read_layers(portrait_path(f"bundled:{name}"))[..., :3] for name in ("ada", "max")]
    Image.fromarray(np.hstack(pictures)).save(file)
    return file


# What can be used, and what cannot


def test_examples_say_what_they_are(client: TestClient) -> None:
    examples = client.get("/studio/examples").json()
    styles = [one["style"] for one in examples["portraits"]]
    assert styles == ["drawn person", "drawn person", "sculpture", "emoji", "animal"]
    assert {"bundled:hello", "bundled:talk", "bundled:smile"} <= {one["id"] for one in examples["drivings"]}
    assert all(one["seconds"] > 0 for one in examples["drivings"])
    assert examples["limits"] == {"megabytes": 200, "megapixels": 50, "seconds": 120}


def drawn(size: tuple[int, int], mode: str = "RGB") -> bytes:
    """A grey picture as a PNG."""
    written = BytesIO()
    Image.new(mode, size, "grey").save(written, "PNG")
    return written.getvalue()


BAD: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "empty.jpg": ("portrait", bytes, "empty.jpg is empty"),
    "words.jpg": ("portrait", lambda: b"no picture at all", "words.jpg"),
    "cut.png": ("portrait", lambda: portrait_path(ADA).read_bytes()[:5000], "cut.png"),
    "huge.png": ("portrait", lambda: drawn((8200, 8200), "L"), "8200x8200 pixels; up to 50 megapixels"),
    "tiny.png": ("portrait", lambda: drawn((8, 8)), "too small"),
    "empty.mp4": ("driving", bytes, "empty.mp4 is empty"),
    "words.mp4": ("driving", lambda: b"no clip at all", "words.mp4"),
    "words.fyemotion": ("driving", lambda: b"no motion", "words.fyemotion is not a motion file"),
    "code.npy": ("driving", lambda: b"\x93NUMPY\x01\x00", "code.npy"),
    "grey.gif": ("driving", lambda: drawn((128, 128)), "grey.gif"),
}
"""Kind, content, and what the sentence says, by name."""


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_used_is_answered_with_a_sentence(
    studio: Served, client: TestClient, name: str
) -> None:
    kind, content, sentence = BAD[name]
    answer = client.post("/studio/materials", params={"kind": kind, "name": name}, content=content())
    assert answer.status_code == 422
    said = answer.json()["detail"]
    assert sentence in said
    assert "/" not in said.replace("video/", "")  # no path of this machine
    assert client.get("/studio/materials").json() == []
    assert list(studio.studio.store.folder.glob("visitors/*/incoming/*")) == []


def test_a_portrait_without_a_face_is_taken_and_said_to_have_none(client: TestClient, tmp_path: Path) -> None:
    Image.new("RGB", (200, 160), "grey").save(tmp_path / "wall.png")
    portrait = upload(client, "portrait", tmp_path / "wall.png").json()
    assert portrait["faces"] == 0
    answer = client.post("/studio/preview", json={"portrait": portrait["id"], "driving": HELLO})
    assert answer.status_code == 422
    assert "No face was found in wall.png" in answer.json()["detail"]


def test_uploads_are_listed_for_their_visitor_alone(
    new_client: Callable[..., TestClient], clip: Path, tmp_path: Path
) -> None:
    ada, eve = new_client(), new_client()
    shutil.copyfile(portrait_path(ADA), tmp_path / "me.png")
    portrait = upload(ada, "portrait", tmp_path / "me.png").json()
    driving = upload(ada, "driving", clip).json()
    assert [one["id"] for one in ada.get("/studio/materials").json()] == [driving["id"], portrait["id"]]
    assert [one["id"] for one in ada.get("/studio/materials?kind=driving").json()] == [driving["id"]]
    assert eve.get("/studio/materials").json() == []
    assert eve.get(f"/studio/materials/{portrait['id']}").status_code == 404


def test_a_clip_is_shown_as_browsers_play_it(client: TestClient, clip: Path, tmp_path: Path) -> None:
    driving = upload(client, "driving", clip).json()
    assert (driving["frames"], driving["frame_rate"], driving["view"]) == (12, 25.0, "view.mp4")
    view = client.get(f"/studio/materials/{driving['id']}/view")
    assert view.headers["content-type"] == "video/mp4"
    (tmp_path / "view.mp4").write_bytes(view.content)
    with ClipReader(tmp_path / "view.mp4") as shown:
        assert (shown.info.frames, shown.info.size) == (12, (360, 360))
    header, points = unpacked(client.get(f"/studio/materials/{driving['id']}/motion"))
    assert header["frames"] == 12
    assert 10 < points[-1, 0, 0] - points[0, 0, 0] < 20  # 22 of 512 pixels, as 360 show them


# The preview


@pytest.mark.parametrize(
    ("controls", "settings"),
    [
        ({}, {}),
        (
            {"expression": 1.5, "gaze": 0.2, "head_strength": 0.0},
            {"expression": 1.5, "gaze": 0.2, "head_strength": 0.0},
        ),
        ({"head": "absolute"}, {"head": "absolute"}),
        ({"start": 1.0, "length": 0.8, "loop": "pingpong"}, {}),
    ],
)
def test_a_preview_is_what_align_motion_says(
    client: TestClient, controls: dict[str, Any], settings: dict[str, Any]
) -> None:
    asked = {"portrait": ADA, "driving": HELLO, "controls": controls}
    header, points = unpacked(client.post("/studio/preview", json=asked))
    motion = bundled_motion("hello")
    if "start" in controls:
        motion = looped(motion[25:45], "pingpong")
        assert (header["start"], header["forward"]) == (1.0, 20)
    known = portrait_landmarks(portrait_path(ADA))
    expected = align_motion(motion, Landmarks(known, (512, 512)), AlignmentSettings(**settings))
    assert header["frame_rate"] == motion.frame_rate
    assert points.shape[0] == len(motion)
    assert np.abs(points - expected[:, shown()[0]]).max() <= 0.5 / FINE + 1e-6


def test_a_clip_s_preview_is_smoothed_as_asked(client: TestClient, clip: Path, studio: Served) -> None:
    driving = upload(client, "driving", clip).json()["id"]
    known = portrait_landmarks(portrait_path(ADA))
    for smooth in (0.0, 2.0):
        with studio.studio.faces.detector() as detector:
            motion = track_file(clip, detector, smooth=smooth).motion
        expected = align_motion(motion, Landmarks(known, (512, 512)))
        asked = {"portrait": ADA, "driving": driving, "controls": {"smooth": smooth}}
        _, points = unpacked(client.post("/studio/preview", json=asked))
        assert np.abs(points - expected[:, shown()[0]]).max() <= 1.0 / FINE


@pytest.mark.parametrize(
    ("controls", "sentence"),
    [
        ({"start": 60.0}, "there is nothing from 60s on"),
        ({"expression": 9.0}, "expression"),
        ({"crops": True}, "crops"),
        ({"head": "upside down"}, "head"),
    ],
)
def test_controls_that_cannot_be_used_are_said(
    client: TestClient, controls: dict[str, Any], sentence: str
) -> None:
    for route in ("preview", "results"):
        asked = {"portrait": ADA, "driving": HELLO, "controls": controls}
        answer = client.post(f"/studio/{route}", json=asked)
        assert answer.status_code == 422
        assert sentence in answer.json()["detail"]
    assert client.get("/studio/results").json() == []


def test_without_a_crop_a_face_at_the_edge_is_refused(client: TestClient, tmp_path: Path) -> None:
    picture = read_layers(portrait_path(ADA))[..., :3]
    wide = np.hstack([picture, np.full((512, 900, 3), 200, np.uint8)])
    Image.fromarray(wide).save(tmp_path / "wide.png")
    portrait = upload(client, "portrait", tmp_path / "wide.png").json()["id"]
    asked = {"portrait": portrait, "driving": HELLO, "controls": {"crop": False}}
    assert "middle" in client.post("/studio/preview", json=asked).json()["detail"]


def test_what_is_remembered_of_motions_is_bounded() -> None:
    motion = bundled_motion("hello")
    aligner = Aligner()
    most = MOST_FRAMES // len(motion)
    for number in range(most + 5):
        part = aligner.part(str(number), lambda: motion, "hello", WHOLE, 0.0, "off")
    assert len(aligner._parts) == most
    assert aligner.part(str(most + 4), lambda: pytest.fail("it is known"), "hello", WHOLE, 0.0, "off") is part


# Several faces


def test_each_face_of_a_picture_is_previewed(client: TestClient, two: Path) -> None:
    portrait = upload(client, "portrait", two).json()
    assert portrait["faces"] == 2
    boxes = client.get(f"/studio/materials/{portrait['id']}/faces").json()
    assert [(box[0] + box[2]) / 2 > 0.5 for box in boxes] == [False, True]
    for face, (left, _, right, _) in enumerate(boxes, 1):
        asked = {"portrait": portrait["id"], "driving": HELLO, "face": face}
        header, points = unpacked(client.post("/studio/preview", json=asked))
        middle = points[..., 0].mean() / header["size"][0]
        assert left < middle < right
    answer = client.post("/studio/preview", json={"portrait": portrait["id"], "driving": HELLO, "face": 3})
    assert "no face 3" in answer.json()["detail"]


# Animations and what is taken home


def test_a_picture_as_driving_gives_a_picture(client: TestClient, two: Path) -> None:
    """Both faces, one by a motion of its own, and the other by the driving; each result decoded."""
    portrait = upload(client, "portrait", two).json()["id"]
    driving = upload(client, "driving", portrait_path("bundled:max")).json()
    assert (driving["frames"], driving["view"]) == (1, "view.webp")
    asked = {"portrait": portrait, "driving": driving["id"], "faces": [{"face": 1}, {"face": 2}]}
    result = client.post("/studio/results", json=asked).json()
    assert result["settings"]["faces"] == [{"face": n, "driving": driving["id"]} for n in (1, 2)]
    result = finished(client, result["id"])
    assert (result["state"], result["error"]) == ("done", None)
    assert result["outcome"]["size"] == [1024, 512]
    for kind, form in (("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")):
        answer = client.get(f"/studio/results/{result['id']}/file", params={"as": kind})
        with Image.open(BytesIO(answer.content)) as image:
            assert (image.format, image.size) == (form, (1024, 512))
        assert f"two%2C%20max.{kind}" in answer.headers["content-disposition"]
    beside = client.get(f"/studio/results/{result['id']}/file", params={"as": "png", "beside": True})
    with Image.open(BytesIO(beside.content)) as image:
        assert image.width > 3 * 1024
    answer = client.get(f"/studio/results/{result['id']}/file", params={"as": "gif"})
    assert answer.status_code == 422
    assert ".png, .jpg, .webp" in answer.json()["detail"]


def test_a_short_animation_to_its_end(client: TestClient, tmp_path: Path) -> None:
    asked = {"portrait": ADA, "driving": HELLO, "controls": {"start": 0.4, "length": 0.2}}
    identity = client.post("/studio/results", json=asked).json()["id"]
    result = finished(client, identity)
    assert (result["state"], result["error"]) == ("done", None)
    assert result["outcome"]["frames"] == 5
    assert "/" not in " ".join(note["sentence"] for note in result["outcome"]["notes"])
    for kind in ("mp4", "gif", "webp", "webm"):
        answer = client.get(f"/studio/results/{identity}/file", params={"as": kind})
        file = tmp_path / f"result.{kind}"
        file.write_bytes(answer.content)
        with ClipReader(file) as made:
            assert made.info.frames == 5
            assert made.info.frame_rate == pytest.approx(25.0)
            assert made.info.size == (512, 512)


def test_a_cancelled_animation_leaves_everything_else(client: TestClient) -> None:
    draft = {"portrait": ADA, "driving": HELLO, "controls": {"gaze": 0.5}}
    assert client.put("/studio/drafts/animate", json=draft).status_code == 204
    identity = client.post("/studio/results", json=draft).json()["id"]
    client.post(f"/studio/results/{identity}/cancel")
    result = finished(client, identity)
    assert result["state"] == "cancelled"
    assert client.get(f"/studio/results/{identity}/file").status_code == 404
    assert client.get("/studio/drafts/animate").json() == draft
    assert client.get("/studio/drafts/points").json() == {}


def test_a_transparent_result_stays_transparent(tmp_path: Path) -> None:
    y, x = np.mgrid[:96, :128]
    frames = []
    for shift in range(3):
        picture = np.full((96, 128, 4), (200, 40, 60, 255), np.uint8)
        picture[np.hypot(y - 48, x - 50 - 10 * shift) > 30] = 0
        frames.append(picture)
    master = tmp_path / "result.webm"
    with ClipWriter(master, 25.0, (128, 96)) as writer:
        for picture in frames:
            writer.write(picture)
    for ending in (".gif", ".webp", ".mp4"):
        convert(master, tmp_path / f"result{ending}")
    for ending in (".gif", ".webp"):
        with Image.open(tmp_path / f"result{ending}") as image:
            assert image.n_frames == 3
            image.seek(2)
            made = np.asarray(image.convert("RGBA"))
        assert abs(made[48, 70].astype(int) - (200, 40, 60, 255)).max() < 30
        assert made[5, 5, 3] == 0
        assert made[48, 20, 3] == 0  # where the first frame showed it
    with ClipReader(tmp_path / "result.mp4") as clip:
        assert next(iter(clip))[1][5, 5].min() > 250


# In a browser


def test_from_an_upload_to_the_preview_and_back_after_a_reload(page: Page, two: Path) -> None:
    page.locator(".fye-portrait input[type=file]").set_input_files(two)
    page.get_by_role("button", name="Face 2 moves").click()
    page.locator(".fye-face-list select").first.select_option("bundled:smile")
    expect_landmarks(page, "over two.png")
    slider = page.get_by_role("slider", name="Gaze")
    with page.expect_request(asks_for_less_gaze):
        slider.focus()
        page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(1000)  # until the draft is kept
    page.reload()
    expect_landmarks(page, "over two.png")
    assert page.locator(".fye-face-list select").first.input_value() == "bundled:smile"
    assert float(slider.input_value()) < 1.0


def asks_for_less_gaze(request: Request) -> bool:
    if not request.url.endswith("/studio/preview"):
        return False
    asked: dict[str, Any] = request.post_data_json
    return len(asked["controls"]) == 14 and asked["controls"]["gaze"] < 1.0


def expect_landmarks(page: Page, words: str) -> None:
    page.locator(f".fye-pane-landmarks canvas[aria-label*='{words}']").wait_for()


def test_a_bad_file_is_said_beside_what_stays(page: Page, tmp_path: Path) -> None:
    expect_landmarks(page, "over Ada")
    (tmp_path / "words.mp4").write_bytes(b"no clip at all")
    page.locator(".fye-driving input[type=file]").set_input_files(tmp_path / "words.mp4")
    alert = page.locator(".fye-driving").get_by_role("alert")
    alert.wait_for()
    assert "words.mp4" in alert.inner_text()
    assert page.locator(".fye-driving .fye-name").inner_text() == "Hello"


def test_a_portrait_without_a_face_leads_to_its_points(page: Page, tmp_path: Path) -> None:
    Image.new("RGB", (200, 160), "grey").save(tmp_path / "wall.png")
    page.evaluate(
        "window.addEventListener('fye-fix-points', (event) => { window.asked = event.detail.portrait; })"
    )
    page.locator(".fye-portrait input[type=file]").set_input_files(tmp_path / "wall.png")
    page.get_by_role("button", name="Place points").click()
    assert len(page.evaluate("window.asked")) == 32
    assert page.locator(".fye-animate").is_disabled()


def test_an_animation_is_seen_and_taken_home_and_survives_a_reload(page: Page, tmp_path: Path) -> None:
    page.evaluate(
        """() => import("/studio/static/session.js").then(({ change }) => change({ controls: { length: 0.2 } }))"""
    )
    page.locator(".fye-clock", has_text="/ 0:00.2").wait_for()
    page.locator(".fye-animate").click()
    page.get_by_role("button", name="Cancel").wait_for()
    page.wait_for_timeout(1000)  # until the draft is kept
    page.reload()
    button = page.get_by_role("button", name="Download as GIF")
    button.wait_for(timeout=4 * PATIENCE)
    with page.expect_download() as download:
        button.click()
    download.value.save_as(tmp_path / "ada.gif")
    with Image.open(tmp_path / "ada.gif") as image:
        assert image.n_frames == 5
    assert page.locator(".fye-pane-result video").is_visible()
