"""A studio that others can reach asks for a password."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from followyouremoji.errors import SettingsError
from followyouremoji.requests.request import ModelChoice
from followyouremoji.studio import password as password_module
from followyouremoji.studio.password import FREE, LONGEST, MOST_ADDRESSES, Attempts, network_of
from followyouremoji.studio.server import studio_app
from followyouremoji.studio.settings import PASSWORD, StudioSettings
from followyouremoji.studio.studio import Studio
from tests.studio.conftest import live_socket

WORD = "correct horse"
OUTSIDE = "https://studio.example.org"


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., TestClient]]:
    """Makes visitors of a studio behind a proxy; each has an address of its own unless it is given."""
    settings = StudioSettings(
        host="0.0.0.0", password=WORD, public_url=OUTSIDE, folder=tmp_path_factory.mktemp("studio")
    )
    with Studio(settings, ModelChoice()) as studio:
        app, addresses = studio_app(studio), iter(f"192.0.2.{number}" for number in range(1, 255))

        def begin(base_url: str = OUTSIDE, address: str | None = None) -> TestClient:
            return TestClient(app, base_url=base_url, client=(address or next(addresses), 50000))

        yield begin


def give(client: TestClient, word: str) -> int:
    headers = {"origin": str(client.base_url).rstrip("/")}
    answer = client.post("/studio/login", data={"password": word}, headers=headers, follow_redirects=False)
    return answer.status_code


def test_the_password_opens_everything_for_who_gave_it(visitor: Callable[..., TestClient]) -> None:
    ada, eve = visitor(), visitor()
    page = ada.get("/")
    assert page.status_code == 401
    assert 'type="password"' in page.text
    assert "gradio" not in page.text
    for path in (
        "/studio/examples",
        "/theme.css",
        "/assets/x.js",
        "/studio/static/api.js",
        "/gradio_api/queue/data",
    ):
        assert ada.get(path).status_code == 401
    assert ada.post("/studio/results", json={}).status_code == 401
    with pytest.raises(WebSocketDisconnect), live_socket(ada):
        pass
    assert give(ada, "wrong horse") == 401
    assert ada.get("/studio/examples").status_code == 401
    assert give(ada, WORD) == 303
    assert ada.get("/studio/examples").status_code == 200
    assert "gradio" in ada.get("/").text
    with live_socket(ada):
        pass

    ticket = ada.cookies["fye_pass"]
    for mine in (
        ticket,
        ticket[:-1],
        "",
        "ä",
    ):  # another's ticket is worth nothing without its visitor's token
        assert eve.get("/studio/examples", headers={"cookie": f"fye_pass={mine}".encode()}).status_code == 401
    theirs = f"fye_visitor={eve.cookies['fye_visitor']}; fye_pass={ticket}"
    with pytest.raises(WebSocketDisconnect), live_socket(eve, cookie=theirs):
        pass


def test_cookies(visitor: Callable[..., TestClient]) -> None:
    def kept(base_url: str) -> str:
        client = visitor(base_url)
        first = client.get("/").headers["set-cookie"]
        then = client.post("/studio/login", data={"password": WORD}, follow_redirects=False).headers[
            "set-cookie"
        ]
        assert all(
            "HttpOnly" in one and "SameSite=strict" in one.replace("Strict", "strict")
            for one in (first, then)
        )
        return first + then

    assert kept("https://studio.example.org").count("Secure") == 2
    assert kept("http://192.0.2.7:7860").count("Secure") == 0


def test_a_form_of_elsewhere_gives_no_password(visitor: Callable[..., TestClient]) -> None:
    answer = visitor().post(
        "/studio/login", data={"password": WORD}, headers={"origin": "https://evil.example"}
    )
    assert answer.status_code == 403


def test_guessing_is_slow(visitor: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(password_module, "monotonic", lambda: now)
    guesser = visitor(address="198.51.100.1")
    assert [give(guesser, "guess") for _ in range(FREE + 1)] == [401] * FREE + [429]
    assert give(guesser, WORD) == 429  # not even looked at
    assert give(visitor(address="198.51.100.2"), WORD) == 303  # others do not wait
    answer = guesser.post("/studio/login", data={"password": WORD})
    assert "wait 1 s" in answer.text
    assert answer.headers["retry-after"] == "1"
    now += 1.0
    assert give(guesser, "guess") == 401
    now += 1.0
    assert give(guesser, "guess") == 429
    now += 1.0
    assert give(guesser, WORD) == 303
    assert give(guesser, "guess") == 401  # forgotten


def test_waiting_has_an_end_and_memory_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password_module, "monotonic", lambda: 0.0)
    attempts = Attempts()
    for _ in range(100):
        attempts.wrong("a")
    assert attempts.wait("a") == LONGEST
    for number in range(MOST_ADDRESSES):
        attempts.wrong(str(number))
    assert attempts.wait("a") == 0.0
    assert len(attempts._wrong) == MOST_ADDRESSES


def test_a_network_of_ipv6_is_one_person() -> None:
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2::9") != network_of("2001:db8:1:3::4")
    assert network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("testclient") == "testclient"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"host": "0.0.0.0"}, "needs a password"),
        ({"host": "192.168.1.7"}, "needs a password"),
        ({"host": ""}, "needs a password"),
        ({"public_url": OUTSIDE}, "needs a password"),
        ({"host": "0.0.0.0", "password": "short"}, "too short"),
        ({"password": "short"}, "too short"),
    ],
)
def test_no_studio_for_others_without_a_password(
    given: dict[str, str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PASSWORD, raising=False)
    settings = StudioSettings(folder=tmp_path, **given)
    with pytest.raises(SettingsError, match=sentence):
        _ = settings.asked_password
    with Studio(settings, ModelChoice()) as studio, pytest.raises(SettingsError, match=sentence):
        studio_app(studio)
    monkeypatch.setenv(PASSWORD, WORD)
    assert StudioSettings(host="0.0.0.0").asked_password == WORD
    assert StudioSettings(host="0.0.0.0", password="another one").asked_password == "another one"


@pytest.mark.parametrize(
    "url", ["studio.example.org", "ftp://example.org", "https://example.org/studio", "https://", ""]
)
def test_addresses_of_a_proxy(url: str) -> None:
    with pytest.raises(SettingsError, match="no address of a page"):
        _ = StudioSettings(public_url=url).proxied
    assert StudioSettings(public_url="https://example.org:8443/").proxied == "example.org:8443"
