"""What a browser may ask of the studio, and what it may not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from followyouremoji.requests.bundled import EXAMPLES, portrait_path
from followyouremoji.studio.security import MOST_BYTES
from tests.studio.conftest import Served, live_socket

if TYPE_CHECKING:
    from playwright.sync_api import Page

GRADIO = {
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/assets/{path}"),
    ("GET", "/static/{path}"),
    ("GET", "/theme.css"),
    ("GET", "/manifest.json"),
    ("GET", "/favicon.ico"),
    ("POST", "/gradio_api/queue/join"),
    ("GET", "/gradio_api/queue/data"),
    ("GET", "/gradio_api/heartbeat/{session_hash}"),
}
"""The routes of Gradio that are there."""

CLOSED = {
    ("POST", "/gradio_api/upload"),
    ("GET", "/gradio_api/file={path_or_url}"),
    ("GET", "/gradio_api/proxy={url_path}"),
    ("POST", "/gradio_api/run/{api_name}"),
    ("POST", "/gradio_api/component_server"),
    ("GET", "/monitoring"),
    ("GET", "/config"),
}
"""Some that are not; to see that routes of Gradio are found."""

NO_IDS = {
    "POST /studio/materials",
    "POST /studio/keyframes/read",
    "POST /studio/keyframes/pose",
    "POST /studio/keyframes/file",
    "POST /studio/keyframes/material",
    "PUT /studio/drafts/{tab}",
    "DELETE /studio/history",
}
"""What is told something, but no id."""


def bodies(portrait: str, driving: str) -> dict[str, Any]:
    """What other routes are told, with ids of another visitor."""
    both = {"portrait": portrait, "driving": driving}
    posed = {"portrait": portrait, "pose": {"smile": 0.5}}
    performed = {"portrait": portrait, "keyframes": {"keyframes": [{"seconds": 0.0, "pose": {}}]}}
    points = {"nose tip": [10.0, 10.0]}
    return {
        "POST /studio/preview": both,
        "POST /studio/results": both,
        "POST /studio/pose": posed,
        "POST /studio/pose/picture": posed,
        "POST /studio/pose/file": posed,
        "POST /studio/keyframes/preview": performed,
        "POST /studio/keyframes/result": performed,
        "POST /studio/points": {"portrait": portrait, "points": points},
        "POST /studio/points/file": {"portrait": portrait, "name": "x", "text": "{}"},
        "PUT /studio/materials/{identity}/points": points,
        "POST /studio/batches": {"portraits": [portrait], "drivings": [driving]},
        "POST /studio/stickers": both,
        "POST /studio/stickers/preview": {"portrait": portrait},
        "POST /studio/stickers/packs": {"portrait": portrait},
    }


def routes(app: FastAPI) -> set[tuple[str, str]]:
    """Methods and paths."""
    paths = get_openapi(title="", version="", routes=app.routes)["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def test_no_other_route_of_gradio_is_there(studio: Served, client: TestClient) -> None:
    gradio_app = studio.app.routes[-1].app
    found = routes(gradio_app)
    assert found >= GRADIO | CLOSED
    for method, path in found - GRADIO:
        answer = client.request(method, re.sub(r"\{\w+\}", "1", path))
        assert answer.status_code == 404, path


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "//gradio_api/upload",
        "/gradio_api//upload",
        "/studio/../gradio_api/info",
        "/studio/%2e%2e/gradio_api/info",
        "/studio/static/../server.py",
        "/studio/static/%2e%2e/server.py",
        "/studio/static/..%2fserver.py",
        "/static/..%2f..%2froutes.py",
        "/assets/%2fetc%2fpasswd",
        "/gradio_api/queue/data/../../file=x",
        "/studio/materials/..%2f..%2f..%2fstore/view",
        "/studio/materials/%00/view",
    ],
)
def test_no_way_around(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (403, 404)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "[::1", "10.0.0.7"]
)
def test_another_name_for_this_machine_is_refused(client: TestClient, host: str) -> None:
    for path in ("/", "/studio/examples", "/gradio_api/queue/data"):
        assert client.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:1", "[::1]:7860"])
def test_this_machine_has_several_names(client: TestClient, host: str) -> None:
    assert (
        client.get("/studio/examples", headers={"host": host, "origin": f"http://{host}"}).status_code == 200
    )


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost", "x"]
)
def test_a_page_of_elsewhere_asks_for_nothing(client: TestClient, origin: str) -> None:
    for method, path in (("GET", "/studio/examples"), ("POST", "/studio/results"), ("GET", "/")):
        answer = client.request(method, path, headers={"origin": origin})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_elsewhere_may_lead_here_and_no_more(client: TestClient, site: str) -> None:
    asked = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
    assert client.get("/studio/examples", headers=asked).status_code == 403
    assert client.get("/", headers=asked).status_code == 403
    followed = client.get("/", headers=asked | {"sec-fetch-mode": "navigate"})
    assert followed.status_code == 200
    assert "refresh" in followed.text
    assert client.get("/studio/results", headers=asked | {"sec-fetch-mode": "navigate"}).status_code == 403
    assert len(client.cookies) == 0  # the visitor's own, which a browser keeps back, is not replaced


def opens(client: TestClient, path: str = "/studio/live", **headers: str) -> bool:
    """Whether a visitor's websocket is opened."""
    try:
        with live_socket(client, path, **headers):
            return True
    except WebSocketDisconnect:
        return False


def test_one_websocket_is_there(client: TestClient) -> None:
    assert opens(client)
    for path in ("/", "/gradio_api/queue/join", "/studio/examples", "/studio/live/", "/studio//live"):
        assert not opens(client, path)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://localhost"},
        {"origin": ""},
        {"host": "evil.example"},
        {"host": "evil.example", "origin": "http://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"cookie": ""},
        {"cookie": "fye_visitor=mine"},
    ],
)
def test_a_page_of_elsewhere_opens_no_websocket(client: TestClient, headers: dict[str, str]) -> None:
    assert not opens(client, **headers)


def test_what_names_no_page_opens_no_websocket(client: TestClient) -> None:
    client.get("/studio/examples")
    address = str(client.base_url).replace("http", "ws", 1) + "/studio/live"
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(address):
        pass


def test_headers(client: TestClient) -> None:
    page = client.get("/")
    for answer in (
        page,
        client.get("/studio/examples"),
        client.get("/nothing"),
        client.get("/studio/static/api.js"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert (
        page.headers["cache-control"] == client.get("/studio/results").headers["cache-control"] == "no-store"
    )
    script_policy = re.search("script-src ([^;]*)", page.headers["content-security-policy"])[1]
    assert "unsafe-inline" not in script_policy
    assert script_policy.count("sha256-") == len(re.findall(r"<script(?![^>]* src=)", page.text))
    cookie = client.get("/", headers={"cookie": "fye_visitor=mine"}).headers["set-cookie"]
    assert re.fullmatch(
        "fye_visitor=[0-9a-f]{64}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict", cookie
    )


def test_a_script_that_got_into_the_page_does_not_run(page: Page, problems: list[str]) -> None:
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.intruder = 1";
            document.body.append(script);
            const image = document.createElement("div");
            image.innerHTML = '<img src="data:," onerror="window.intruder = 2">';
            document.body.append(image);
        }"""
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.intruder") is None
    assert len(problems) == 2
    assert all("inline" in one and "blocked" in one for one in problems)
    problems.clear()


def test_a_link_from_elsewhere_leads_to_the_visitor_s_own_studio(
    studio: Served, page: Page, problems: list[str]
) -> None:
    before = page.context.cookies()
    elsewhere = studio.address.replace("127.0.0.1", "localhost")  # another site, for a browser
    page.route(
        f"{elsewhere}/link",
        lambda route: route.fulfill(
            content_type="text/html", body=f'<a href="{studio.address}/?__theme=dark">studio</a>'
        ),
    )
    page.goto(f"{elsewhere}/link")
    page.get_by_role("link", name="studio").click()
    page.locator(".fye-header").wait_for()
    assert page.url == f"{studio.address}/?__theme=dark"
    assert page.context.cookies() == before
    assert problems == [f"asked of elsewhere: {elsewhere}/link"]
    problems.clear()


@pytest.mark.parametrize("length", ["said", "not said"])
def test_a_body_is_bounded(client: TestClient, length: str) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(MOST_BYTES // 1000 + 1):
            yield b" " * 1000

    sent = b"".join(pieces()) if length == "said" else pieces()
    for path in ("/studio/preview", "/studio/results", "/gradio_api/queue/join"):
        answer = client.post(path, content=sent, headers={"content-type": "application/json"})
        assert answer.status_code == 413
        assert "up to 1 MB" in answer.json()["detail"]
        sent = pieces() if length != "said" else sent


def test_nobody_reads_or_changes_what_is_another_s(
    studio: Served, new_client: Callable[..., TestClient]
) -> None:
    """Every route of ours, with ids of a portrait, a driving and a result that somebody else has."""
    ada, eve = new_client(), new_client()
    portrait = upload(ada, "portrait", portrait_path("bundled:ada"))
    driving = upload(ada, "driving", EXAMPLES / "hello.fyemotion")
    both = {"portraits": [portrait], "drivings": [driving]}
    batch = ada.post("/studio/batches", json=both).json()["batch"]
    result = ada.get("/studio/results").json()[0]["id"]
    known = bodies(portrait, driving)
    asked = 0
    for method, path in sorted(routes(studio.app)):
        route = f"{method} {path}"
        if "{identity}" not in path and route not in known:
            assert method == "GET" or route in NO_IDS, f"say in `bodies` what {route} is told"
            continue
        for identity in (portrait, driving, result, batch):
            answer = eve.request(method, path.replace("{identity}", identity), json=known.get(route))
            assert answer.status_code == 404, f"{route}: {answer.text}"
            assert "not yours" in answer.json()["detail"], route
            asked += 1
    assert asked >= 20
    assert eve.get("/studio/results").json() == []
    assert [one["id"] for one in ada.get("/studio/results").json()] == [result]
    ada.post(f"/studio/results/{result}/cancel")


def upload(client: TestClient, kind: str, path: Path) -> str:
    """The id of a file that a visitor gives."""
    answer = client.post(
        "/studio/materials", params={"kind": kind, "name": path.name}, content=path.read_bytes()
    )
    assert answer.status_code == 201, answer.text
    identity: str = answer.json()["id"]
    return identity
