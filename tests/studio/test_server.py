"""The web application around the routes: what it does by itself, and what it says where the disk or the model fails."""

from __future__ import annotations

import asyncio
import errno
import logging
from pathlib import Path
from threading import Event

import pytest
from fastapi.testclient import TestClient

from followyouremoji.requests.bundled import EXAMPLES
from followyouremoji.requests.request import ModelChoice
from followyouremoji.studio import server
from followyouremoji.studio.settings import StudioSettings
from followyouremoji.studio.store import Visitor
from followyouremoji.studio.studio import Studio
from tests.studio.conftest import Served


def test_the_model_is_loaded_and_the_folder_tidied_while_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "WARM_UP_AFTER", 0.0)
    monkeypatch.setattr(server, "LOAD_AFTER", 0.0)
    monkeypatch.setattr(server, "TIDY_EVERY", 0.0)
    tidied = []

    with Studio(StudioSettings(folder=tmp_path), ModelChoice(weights="nowhere")) as studio:

        def tidy() -> None:
            tidied.append(len(tidied))
            if len(tidied) == 1:
                raise OSError("a folder vanished")
            if len(tidied) == 3:
                again.set()

        again = Event()
        monkeypatch.setattr(studio.store, "tidy", tidy)

        async def serve_a_while() -> None:
            async with server.studio_app(studio).router.lifespan_context(None):
                await asyncio.to_thread(again.wait, 60)

        with caplog.at_level(logging.ERROR):
            asyncio.run(serve_a_while())
    assert len(tidied) >= 3
    assert [one.getMessage()[:60] for one in caplog.records] == [
        "The model cannot be used: there is no checkpoint 'nowhere'; g"[:60]
    ]


def test_no_sentence_tells_where_files_lie(studio: Served, client: TestClient) -> None:
    content = (EXAMPLES / "hello.fyemotion").read_bytes()
    asked = {"kind": "driving", "name": "hello.fyemotion"}
    driving = client.post("/studio/materials", params=asked, content=content).json()["id"]
    (kept,) = studio.studio.store.folder.rglob(f"{driving}/motion.fyemotion")
    kept.write_bytes(content[:5000])
    answer = client.post("/studio/preview", json={"portrait": "bundled:ada", "driving": driving})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("motion.fyemotion is")


def test_a_full_disk_is_said(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot_write(number: int) -> None:
        def fail(self: Visitor, tab: str, shown: object) -> None:
            raise OSError(number, "no")

        monkeypatch.setattr(Visitor, "keep_draft", fail)

    for number in (errno.ENOSPC, errno.EDQUOT):
        cannot_write(number)
        answer = client.put("/studio/drafts/animate", json={})
        assert (answer.status_code, answer.json()) == (
            507,
            {"detail": "the studio's disk is full: its owner has to make room"},
        )
    cannot_write(errno.EIO)
    with pytest.raises(OSError, match="no"):  # a fault that nobody foresaw, for the log
        client.put("/studio/drafts/animate", json={})
