"""`fye studio` as a process: what it refuses, what it says, and how it ends, and what is left when it is killed."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio", reason="the studio needs Gradio")

from followyouremoji.studio.settings import PASSWORD
from tests.programs import environment

PATIENCE = 120.0  # seconds, on a busy machine


def command(*arguments: object, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "followyouremoji", "studio", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment() | more,
    )


def refusal(*arguments: object) -> str:
    """What a command says that ends at once, with exit code 2."""
    process = command(*arguments)
    printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2, printed
    return printed


class Running:
    """A studio, and a visitor of it."""

    def __init__(self, folder: Path, cookie: str = "") -> None:
        self.process = command("--port", 0, "--folder", folder)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.fullmatch(r"The studio: http://127\.0\.0\.1:(\d+)/  Ctrl-C ends it\.\n", line)
        assert found is not None, line + self.process.stdout.read()
        self.port, self.cookie = int(found[1]), cookie

    def ask(self, method: str, path: str, content: object = None) -> Any:
        """What a route answers, as JSON."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"content-type": "application/json", "cookie": self.cookie}
        connection.request(
            method, f"/studio/{path}", None if content is None else json.dumps(content), headers
        )
        answer = connection.getresponse()
        self.cookie = (answer.getheader("set-cookie") or self.cookie).partition(";")[0]
        text = answer.read()
        connection.close()
        assert answer.status < 300, text
        return json.loads(text)

    def begin(self) -> str:
        """Have something made that takes long; returns its id when the first frame is under way."""
        controls = {"loop": "pingpong"}
        asked = {"portrait": "bundled:ada", "driving": "bundled:talk", "controls": controls}
        identity = str(self.ask("POST", "results", asked)["id"])
        self.wait_for(identity, lambda one: one.get("job", {}).get("frame", -1) >= 0)
        return identity

    def wait_for(self, identity: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found: dict[str, Any] = self.ask("GET", f"results/{identity}")
            if reached(found):
                return found
            time.sleep(0.1)
        pytest.fail(f"it stays {found}")

    def end(self, how: signal.Signals) -> tuple[int, str]:
        """Its exit code, and what else it printed."""
        self.process.send_signal(how)
        printed, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, printed


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    studios: list[Running] = []

    def begin(folder: Path, cookie: str = "") -> Running:
        studios.append(Running(folder, cookie))
        return studios[-1]

    yield begin
    for one in studios:
        one.process.kill()
        one.process.communicate()


def test_what_is_refused_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD, raising=False)
    sentence = refusal("--host", "0.0.0.0", "--folder", tmp_path)
    assert re.search(r"needs a password.*FYE_STUDIO_PASSWORD.*\(--password\)", sentence)
    assert "too short" in refusal("--password", "short", "--folder", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        sentence = refusal("--port", taken.getsockname()[1], "--folder", tmp_path)
    assert "in use" in sentence
    assert "--port" in sentence
    (tmp_path / "file").write_text("")
    assert "(--folder)" in refusal("--port", 0, "--folder", tmp_path / "file")
    assert "no checkpoint 'nowhere'" in refusal("--weights", "nowhere", "--folder", tmp_path)
    assert "no decoder 'nowhere'" in refusal("--decoder", "nowhere", "--folder", tmp_path)
    assert not (tmp_path / "visitors").exists()


def test_a_studio_that_is_killed_and_one_that_ends(run: Callable[..., Running], tmp_path: Path) -> None:
    killed = run(tmp_path)
    first = killed.begin()
    assert "another studio is at work" in refusal("--port", 0, "--folder", tmp_path)
    assert killed.end(signal.SIGKILL)[0] == -signal.SIGKILL

    again = run(tmp_path, killed.cookie)
    assert [(one["id"], one["state"]) for one in again.ask("GET", "results")] == [(first, "interrupted")]
    assert not list(tmp_path.rglob("*.part*"))
    again.begin()
    waiting = again.ask("POST", "results", {"portrait": "bundled:ada", "driving": "bundled:hello"})["id"]
    assert again.end(signal.SIGINT) == (0, f"Ended. Results are kept in {tmp_path}.\n")

    last = run(tmp_path, killed.cookie)
    states = {one["id"]: one["state"] for one in last.ask("GET", "results")}
    assert len(states) == 3
    assert states[waiting] == "interrupted"
    assert set(states.values()) == {"interrupted"}
    assert last.end(signal.SIGTERM) == (0, f"Ended. Results are kept in {tmp_path}.\n")
