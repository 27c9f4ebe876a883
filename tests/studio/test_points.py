"""Points placed by hand, as the page asks for them, and a visitor who places them on a drawing without a face."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw

from followyouremoji.requests.bundled import portrait_path

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from playwright.sync_api import Page

SIZE = (320, 240)
FACE = {
    "right_eye_outer": (110, 90),
    "left_eye_outer": (210, 90),
    "nose_tip": (160, 130),
    "mouth_right": (135, 165),
    "mouth_left": (185, 165),
    "right_eye_inner": (140, 92),
    "left_eye_inner": (180, 92),
    "chin": (160, 205),
}
"""Of `faceless`, in the order in which the page asks for them."""


def faceless() -> bytes:
    """A drawing with dots for eyes, in which nobody but a person finds a face, as PNG."""
    image = Image.new("RGB", SIZE, (90, 150, 110))
    draw = ImageDraw.Draw(image)
    for x in (125, 195):
        draw.ellipse((x - 6, 84, x + 6, 96), fill=(20, 20, 20))
    draw.line((135, 165, 185, 165), fill=(20, 20, 20), width=3)
    written = BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def unpacked(answer: bytes) -> tuple[dict[str, object], np.ndarray]:
    """The header and the places (478, 2), pixels of the portrait, of a fitted face."""
    (length,) = struct.unpack_from("<I", answer)
    header = json.loads(answer[4 : 4 + length])
    return header, np.frombuffer(answer, "<i2", offset=4 + length).reshape(-1, 2) / header["fine"]


@pytest.fixture
def drawing(client: TestClient) -> str:
    """The id of `faceless`."""
    added = client.post("/studio/materials?kind=portrait&name=dots.png", content=faceless()).json()
    assert added["faces"] == 0
    return str(added["id"])


def test_a_face_is_fitted_to_points(client: TestClient, drawing: str) -> None:
    answer = client.post("/studio/points", json={"portrait": drawing, "points": FACE})
    header, places = unpacked(answer.content)
    assert places.shape == (478, 2)
    assert header["doubted"] == []
    np.testing.assert_allclose(places[1:5:3].mean(axis=0), FACE["nose_tip"], atol=1.5)
    few = client.post("/studio/points", json={"portrait": drawing, "points": {"chin": (160, 205)}})
    assert few.status_code == 422
    assert "too few" in few.json()["detail"]


def test_the_reference_face_has_its_points_on_its_skin(client: TestClient) -> None:
    table = client.get("/studio/points").json()
    names = [point["name"] for point in table["points"]]
    for view in table["views"].values():
        assert set(view["guide"]) <= set(names) - set(view["hidden"])
        paths = {kind for kind, _ in view["paths"]}
        assert {"skin", "eye", "brow", "lips"} <= paths
    front, side = table["views"]["front"], table["views"]["left"]
    assert front["points"]["right_pupil"][0] < front["points"]["left_pupil"][0]
    assert "right_eye_outer" in side["hidden"]
    assert side["points"]["nose_tip"][0] == pytest.approx(min(x for x, _ in side["points"].values()))


def test_kept_points_are_used_until_they_are_forgotten(client: TestClient, drawing: str) -> None:
    wanted = {"portrait": drawing, "driving": "bundled:hello"}
    refused = client.post("/studio/preview", json=wanted)
    assert refused.status_code == 422
    assert "Points" in refused.json()["detail"]

    kept = client.put(f"/studio/materials/{drawing}/points", json=FACE).json()
    assert kept["id"] == drawing
    assert kept["placed"]
    assert client.post("/studio/preview", json=wanted).status_code == 200
    begun = client.get(f"/studio/materials/{drawing}/points").json()
    assert begun == {"found": {}, "kept": {name: list(place) for name, place in FACE.items()}}

    assert client.delete(f"/studio/materials/{drawing}/points").status_code == 204
    assert client.post("/studio/preview", json=wanted).status_code == 422


def test_a_file_of_points_comes_back_as_it_went(client: TestClient, drawing: str) -> None:
    path = f"/studio/materials/{drawing}/points"
    assert client.get(f"{path}/file").status_code == 404
    client.put(path, json=FACE)
    text = client.get(f"{path}/file").text
    given = {"portrait": drawing, "name": "face.json", "text": text}
    read = client.post("/studio/points/file", json=given).json()
    assert {name: tuple(place) for name, place in read.items()} == FACE
    wrong = client.post("/studio/points/file", json={**given, "text": "{}"})
    assert wrong.status_code == 422
    assert "face.json" in wrong.json()["detail"]


def test_points_of_a_turned_picture_are_kept_in_the_picture_as_it_was_given(
    client: TestClient,
) -> None:
    with Image.open(portrait_path("bundled:ada")) as ada:
        lying = BytesIO()
        ada.transpose(Image.Transpose.ROTATE_270).save(lying, "PNG")
        width, height = ada.size
    added = client.post("/studio/materials?kind=portrait&name=lying.png", content=lying.getvalue()).json()
    assert added["quarter_turns"] == 1
    found = client.get(f"/studio/materials/{added['id']}/points").json()["found"]
    client.put(f"/studio/materials/{added['id']}/points", json=found)
    kept = json.loads(client.get(f"/studio/materials/{added['id']}/points/file").text)
    assert kept["picture"] == [height, width]
    x, y = found["nose_tip"]
    assert kept["points"]["nose_tip"] == pytest.approx([height - y, x])


def test_points_on_an_example_make_a_copy_of_it(
    client: TestClient, new_client: Callable[..., TestClient]
) -> None:
    found = client.get("/studio/materials/bundled:ada/points").json()["found"]
    copy = client.put("/studio/materials/bundled:ada/points", json=found).json()
    assert copy["id"] != "bundled:ada"
    assert copy["placed"]
    assert not client.get("/studio/materials/bundled:ada").json()["placed"]
    assert client.get(f"/studio/materials/{copy['id']}/view").status_code == 200
    assert new_client().get(f"/studio/materials/{copy['id']}/points").status_code == 404


def test_a_visitor_places_points_on_a_drawing_and_previews_it(page: Page) -> None:
    from playwright.sync_api import expect

    page.get_by_role("tab", name="Points").click()
    tab = page.locator("#fye-points")
    tab.locator(".fye-choice input").set_input_files(
        {"name": "dots.png", "mimeType": "image/png", "buffer": faceless()}
    )
    tab.get_by_text("Click in the picture: right eye, outer corner").wait_for()
    canvas = tab.locator(".fye-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    for x, y in FACE.values():
        page.mouse.click(box["x"] + x * box["width"] / SIZE[0], box["y"] + y * box["height"] / SIZE[1])
    keep = tab.get_by_role("button", name="Keep these points")
    keep.click()
    tab.get_by_text("Kept.").wait_for()

    nose = tab.locator(".fye-handle[data-name=nose_tip]")
    placed = re.compile(r"placed, at 160, 130$")
    expect(nose).to_have_attribute("aria-label", placed)
    nose.press("Shift+ArrowRight")
    expect(nose).to_have_attribute("aria-label", re.compile(r"at 170, 130$"))
    nose.press("Control+z")
    expect(nose).to_have_attribute("aria-label", placed)

    chin = tab.locator(".fye-handle[data-name=chin]")
    chin.press("Delete")
    expect(chin).to_have_attribute("data-state", "guessed")
    page.reload()
    page.get_by_role("tab", name="Points").click()
    expect(chin).to_have_attribute("data-state", "placed")
    answer = page.evaluate(
        """async () => {
          const [own] = await (await fetch("/studio/materials?kind=portrait")).json();
          const body = JSON.stringify({portrait: own.id, driving: "bundled:hello"});
          return (await fetch("/studio/preview", {method: "POST", body})).status;
        }"""
    )
    assert answer == 200
