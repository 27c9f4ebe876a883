"""The tab Stickers: what its scripts ask for, and what a visitor sees."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from followyouremoji.requests.bundled import bundled_motion
from followyouremoji.stickers.checking import read_facts, violations
from followyouremoji.stickers.request import PackRequest
from followyouremoji.stickers.services import SERVICES
from followyouremoji.studio.stickers import pack_made
from tests.studio.conftest import Served
from tests.studio.test_animate import finished, upload
from tests.studio.test_points import faceless

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ADA = "bundled:ada"
PLAYS = "video => video.readyState >= 2 && !video.paused && video.loop && video.muted"
CORNERS = """video => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  const opacity = (x, y) => context.getImageData(x, y, 1, 1).data[3];
  return [opacity(0, 0), opacity(canvas.width >> 1, canvas.height >> 1)];
}"""


@pytest.fixture(scope="module")
def nod(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A third of a second of the bundled greeting."""
    hello = bundled_motion("hello")
    few = replace(
        hello,
        landmarks=hello.landmarks[:8],
        timestamps=hello.timestamps[:8],
        found=hello.found[:8],
        blendshapes=None if hello.blendshapes is None else hello.blendshapes[:8],
    )
    file = tmp_path_factory.mktemp("nod") / "nod.fyemotion"
    few.save(file)
    return file


def still(client: TestClient, **settings: Any) -> Image.Image:
    answer = client.post("/studio/stickers/preview", json={"portrait": ADA, "settings": settings})
    assert answer.status_code == 200, answer.text
    return Image.open(BytesIO(answer.content))


def refusal(client: TestClient, path: str, **content: Any) -> dict[str, Any]:
    answer = client.post(f"/studio/{path}", json=content)
    assert answer.status_code == 422
    said: dict[str, Any] = answer.json()
    return said


def test_a_sticker_is_seen_at_rest_as_its_service_shows_it(client: TestClient) -> None:
    cut_out = np.asarray(still(client, service="whatsapp", outline=False).convert("RGBA"))
    assert cut_out.shape == (512, 512, 4)
    assert cut_out[0, 0, 3] == 0
    assert cut_out[256, 256, 3] == 255
    outlined = np.asarray(still(client, service="whatsapp").convert("RGBA"))
    white = (outlined[..., 3] == 255) & (outlined[..., :3].min(axis=2) > 240)
    assert white.sum() > 3 * ((cut_out[..., 3] == 255) & (cut_out[..., :3].min(axis=2) > 240)).sum()
    kept = np.asarray(still(client, service="slack", backdrop="keep", outline=False).convert("RGBA"))
    assert kept.shape == (128, 128, 4)
    assert kept[64, 8:120, 3].min() == 255


def test_what_cannot_be_used_is_said_with_the_setting_that_it_is_about(client: TestClient) -> None:
    long = {"service": "slack", "caption": 8 * "far too much"[:10]}
    said = refusal(client, "stickers/preview", portrait=ADA, settings=long)
    assert (said["settings"], "shorten it" in said["detail"]) == (["caption"], True)
    assert said == refusal(client, "stickers", portrait=ADA, driving="bundled:smile", settings=long)
    said = refusal(client, "stickers", portrait=ADA, driving="bundled:smile", settings={"service": "icq"})
    assert "'icq' is not known" in said["detail"]
    dots = client.post("/studio/materials?kind=portrait&name=dots.png", content=faceless()).json()["id"]
    said = refusal(client, "stickers", portrait=dots, driving="bundled:smile")
    assert "No face was found in dots.png" in said["detail"]
    assert client.get("/studio/results").json() == []


def test_a_motion_of_one_pose_is_no_sticker(client: TestClient, tmp_path: Path) -> None:
    hello = bundled_motion("hello")
    one = replace(
        hello, landmarks=hello.landmarks[:1], timestamps=hello.timestamps[:1], found=hello.found[:1]
    )
    replace(one, blendshapes=None).save(tmp_path / "pose.fyemotion")
    pose = upload(client, "driving", tmp_path / "pose.fyemotion").json()["id"]
    begun = client.post("/studio/stickers", json={"portrait": ADA, "driving": pose})
    result = finished(client, begun.json()["id"])
    assert result["state"] == "failed"
    assert "pose.fyemotion shows one pose" in result["error"]
    assert "start" in result["error_settings"]


def test_stickers_of_others_are_not_there(client: TestClient, new_client: Callable[..., TestClient]) -> None:
    begun = client.post("/studio/stickers", json={"portrait": ADA, "driving": "bundled:smile"}).json()["id"]
    assert client.post(f"/studio/results/{begun}/cancel").status_code == 200
    assert finished(client, begun)["state"] == "cancelled"
    for client_ in (client, new_client()):  # of the former nothing was made
        assert client_.get(f"/studio/stickers/{begun}/sheet").status_code == 404
    assert new_client().get(f"/studio/results/{begun}").status_code == 404


@pytest.mark.slow
def test_of_a_pack_the_zip_and_the_contact_sheet_are_kept(studio: Served, tmp_path: Path) -> None:
    request = PackRequest(
        portrait="bundled:emoji",
        services=("discord-emoji",),
        expressions=("smile", "wink_left"),
        path=tmp_path / "pack",
    )
    format = SERVICES["discord-emoji"]
    file, outcome = pack_made(studio.studio, request, format, lambda event: None)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["contact_sheet.png", "result.zip"]
    with ZipFile(file) as archive:
        stickers = [one for one in archive.infolist() if one.filename.endswith(".gif")]
    assert len(stickers) == outcome["count"] == 2
    assert outcome["bytes"] == max(one.file_size for one in stickers) <= outcome["limits"]["bytes"]


@pytest.fixture
def tab(page: Page) -> Locator:
    page.get_by_role("tab", name="Stickers").click()
    tab = page.locator("#fye-stickers")
    tab.get_by_alt_text("The sticker at rest, on light").wait_for()
    return tab


def test_a_sticker_is_made_played_and_taken_home(tab: Locator, nod: Path, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    page = tab.page
    tab.get_by_label("Add a clip").set_input_files(nod)
    tab.locator(".fye-thumb[aria-pressed=true]", has_text="nod.fyemotion").wait_for()
    tab.get_by_label("Caption").fill("Hi")
    tab.get_by_role("button", name="Make the sticker").click()
    tab.get_by_role("button", name="Cancel").wait_for()
    with page.expect_download() as download:
        tab.get_by_role("link", name="Download the sticker").click()
    assert download.value.suggested_filename == "ada, nod, for Telegram.webm"
    taken = Path(download.value.path()).rename(tmp_path / "taken.webm")
    facts = read_facts(taken)
    assert violations(facts, SERVICES["telegram"]) == []
    assert facts.transparent

    shown = re.sub(r"\s", " ", tab.locator(".fye-bytes").inner_text())
    assert shown == f"{taken.stat().st_size:,} of {SERVICES['telegram'].max_bytes:,} bytes".replace(",", " ")
    expect(tab.locator(".fye-facts")).to_contain_text(f"{facts.size[0]} × {facts.size[1]} pixels")
    for ground in ("light", "dark"):
        video = tab.get_by_label(f"ada, nod, for Telegram, on {ground}")
        page.wait_for_function(PLAYS, arg=video.element_handle())
        assert video.evaluate(CORNERS) == [0, 255]
        answer = page.request.get(video.get_attribute("src") or "")
        assert answer.body() == taken.read_bytes()

    tab.get_by_label("Slack emoji").check()  # nothing was made of that yet
    tab.get_by_alt_text("The sticker at rest, on dark").wait_for()
    expect(tab.locator(".fye-written")).to_be_hidden()
    tab.get_by_label("Telegram").check()
    tab.get_by_role("link", name="Download the sticker").wait_for()

    page.get_by_role("tab", name="History").click()
    card = page.get_by_role("article", name="ada, nod, for Telegram")
    card.get_by_role("button", name="Use again").click()
    tab.get_by_role("link", name="Download the sticker").wait_for()
    expect(tab.get_by_label("Caption")).to_have_value("Hi")
    page.reload()
    page.get_by_role("tab", name="Stickers").click()
    tab.get_by_role("link", name="Download the sticker").wait_for()
    expect(tab.get_by_label("Caption")).to_have_value("Hi")


def test_an_error_stands_beside_the_control_that_caused_it(tab: Locator, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    caption = tab.get_by_label("Caption")
    caption.fill(15 * "words ")
    wrong = tab.locator("#fye-caption-wrong")
    wrong.filter(has_text="The caption has").wait_for()
    expect(caption).to_have_attribute("aria-invalid", "true")
    caption.fill("few words")
    wrong.wait_for(state="hidden")
    expect(caption).not_to_have_attribute("aria-invalid", "true")

    (tmp_path / "dots.png").write_bytes(faceless())
    tab.get_by_label("Add a picture").set_input_files(tmp_path / "dots.png")
    portrait = tab.get_by_role("region", name="Portrait")
    portrait.get_by_role("alert").filter(has_text="No face was found in dots.png").wait_for()
    expect(tab.get_by_role("button", name="Make the sticker")).to_be_disabled()


def test_services_are_chosen_by_keys(tab: Locator) -> None:
    from playwright.sync_api import expect

    tab.get_by_label("Telegram").focus()
    tab.page.keyboard.press("ArrowRight")
    expect(tab.get_by_label("WhatsApp")).to_be_checked()
    expect(tab.locator(".fye-limits")).to_contain_text("exactly 512x512 pixels")


def test_on_a_phone_nothing_is_wider_than_the_page(new_page: Callable[..., Page]) -> None:
    page = new_page(viewport={"width": 390, "height": 800})
    page.locator(".overflow-menu > button").click()
    page.locator(".overflow-dropdown").get_by_role("button", name="Stickers").click()
    page.locator("#fye-stickers .fye-ground img").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
