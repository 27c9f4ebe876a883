"""What was made, kept and used again; and many portraits times many motions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from followyouremoji.jobs.work import UNDER_WAY
from followyouremoji.studio.routes_history import zipped
from tests.studio.conftest import Served
from tests.studio.test_points import faceless

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from playwright.sync_api import Page

PATIENCE = 300.0  # seconds; on a busy machine
SHORT = {"length": 0.08}
"""Controls for two frames."""
WANTED = {"portrait": "bundled:ada", "driving": "bundled:hello", "controls": SHORT}


def made(client: TestClient) -> list[dict[str, Any]]:
    """All results, once none is under way, the latest first."""
    deadline = time.monotonic() + PATIENCE
    while any(one["state"] in UNDER_WAY for one in client.get("/studio/results").json()):
        assert time.monotonic() < deadline, "an animation does not end"
        time.sleep(0.05)
    return list(client.get("/studio/results").json())


def test_a_batch_is_each_with_each(client: TestClient) -> None:
    wanted = {
        "portraits": ["bundled:ada", "bundled:fox", "bundled:ada"],
        "drivings": ["bundled:hello", "bundled:talk"],
        "controls": SHORT,
    }
    begun = client.post("/studio/batches", json=wanted).json()
    assert (begun["begun"], begun["refused"]) == (4, [])
    results = made(client)
    assert [one["state"] for one in results] == ["done"] * 4
    assert {one["batch"] for one in results} == {begun["batch"]}
    answer = client.get(f"/studio/batches/{begun['batch']}/file")
    with ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{one['title']}.mp4" for one in reversed(results)]
        first = archive.read(archive.namelist()[0])
    assert first == client.get(f"/studio/results/{results[-1]['id']}/file").content


def test_a_file_that_was_written_before_1980_by_a_wrong_clock_is_zipped(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(b"frames")
    os.utime(file, (0, 0))
    with ZipFile(BytesIO(b"".join(zipped({"a.mp4": file})))) as archive:
        assert archive.read("a.mp4") == b"frames"


def test_what_cannot_be_made_does_not_hold_up_a_batch(client: TestClient) -> None:
    dots = client.post("/studio/materials?kind=portrait&name=dots.png", content=faceless()).json()["id"]
    wanted = {"portraits": [dots, "bundled:ada"], "drivings": ["bundled:hello"], "controls": SHORT}
    begun = client.post("/studio/batches", json=wanted).json()
    assert begun["begun"] == 1
    assert len(begun["refused"]) == 1
    assert "dots.png" in begun["refused"][0]
    alone = client.post("/studio/batches", json={**wanted, "portraits": [dots]})
    assert alone.status_code == 422
    assert "dots.png" in alone.json()["detail"]
    made(client)


def test_a_batch_that_is_too_large_begins_nothing(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("followyouremoji.studio.jobs.MOST_WAITING", 3)
    wanted = {"portraits": ["bundled:ada", "bundled:fox"], "drivings": ["bundled:hello", "bundled:talk"]}
    refused = client.post("/studio/batches", json=wanted)
    assert refused.status_code == 422
    assert "up to 3" in refused.json()["detail"]
    assert client.get("/studio/results").json() == []


def test_a_batch_is_cancelled_and_begun_again(
    client: TestClient, new_client: Callable[..., TestClient]
) -> None:
    wanted = {"portraits": ["bundled:ada"], "drivings": ["bundled:hello", "bundled:talk"], "controls": {}}
    batch = client.post("/studio/batches", json=wanted).json()["batch"]
    assert new_client().post(f"/studio/batches/{batch}/cancel").status_code == 404
    assert client.post(f"/studio/batches/{batch}/cancel").status_code == 204
    results = made(client)
    assert [one["state"] for one in results] == ["cancelled"] * 2

    again = client.post(f"/studio/results/{results[0]['id']}/again").json()
    assert again["id"] != results[0]["id"]
    assert (again["batch"], again["settings"]) == (batch, results[0]["settings"])
    assert results[0]["id"] not in [one["id"] for one in client.get("/studio/results").json()]
    client.post(f"/studio/results/{again['id']}/cancel")
    made(client)


def test_deleting_all_gives_the_room_back(client: TestClient, studio: Served) -> None:
    client.post("/studio/results", json=WANTED)
    made(client)
    before = client.get("/studio/history").json()
    assert 0 < before["bytes"] < before["most"] == studio.studio.store.visitor_bytes
    assert client.delete("/studio/history").status_code == 204
    assert client.get("/studio/results").json() == []
    assert client.get("/studio/history").json()["bytes"] < before["bytes"]


def test_a_visitor_uses_a_result_again_and_deletes_it(page: Page) -> None:
    from playwright.sync_api import expect

    page.evaluate(
        "wanted => fetch('/studio/results', {method: 'POST', body: JSON.stringify(wanted)})",
        {**WANTED, "driving": "bundled:talk", "controls": {**SHORT, "mouth": 1.5}},
    )
    page.get_by_role("tab", name="History").click()
    card = page.get_by_role("article", name="ada, talk")
    card.get_by_role("link", name="Download").wait_for()
    expect(card).to_contain_text("mouth 1.5")
    card.get_by_role("button", name="Use again").click()
    expect(page.get_by_role("tab", name="Animate")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("spinbutton", name="Mouth")).to_have_value("1.5")

    page.get_by_role("tab", name="History").click()
    card.get_by_role("button", name="Delete").click()
    card.get_by_role("button", name="Keep").click()
    card.get_by_role("button", name="Delete").click()
    card.get_by_role("button", name="Delete").click()
    expect(card).to_have_count(0)
    page.get_by_text("Nothing yet.").wait_for()
