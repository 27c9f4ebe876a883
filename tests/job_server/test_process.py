"""`fye serve` as a process: what it refuses, that kills lose nothing, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from benchmarks.served import PATIENCE, Served

from followyouremoji.errors import SettingsError
from followyouremoji.job_server.server import JobServer
from followyouremoji.job_server.settings import ServerSettings
from followyouremoji.job_server.worker import KEPT_FROM
from followyouremoji.media.clips import ClipReader
from followyouremoji.requests.request import ModelChoice
from tests.docs.snippets import DOCS, snippets
from tests.job_server.conftest import SHORT, form
from tests.programs import environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    servers: list[Served] = []

    def begin(*arguments: object) -> Served:
        servers.append(Served(tmp_path / "serve", *arguments))
        return servers[-1]

    yield begin
    for one in servers:
        one.kill()


def wait_for(served: Served, identity: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while True:
        found: dict[str, Any] = httpx.get(f"{served.address}/v1/jobs/{identity}").json()
        if reached(found):
            return found
        assert time.monotonic() < end, f"it stays {found}: {served.log.read_text()}"
        time.sleep(0.05)


def run_guide(served: Served, picture: bytes, folder: Path) -> None:
    """What the guide has a client do, in Python and with curl, which submit a job each."""
    (folder / "portrait.jpg").write_bytes(picture)
    asked = {}
    for block in snippets(DOCS / "guides" / "serve.md"):
        if block.title == "needs a server":
            asked[block.language] = block.code.replace("http://127.0.0.1:8000", served.address)
    subprocess.run([sys.executable, "-c", asked["python"]], cwd=folder, check=True)
    with ClipReader(folder / "result.mp4") as clip:
        assert clip.info.frames == 8
    if shutil.which("curl") is None:
        answer = httpx.post(f"{served.address}/v1/jobs", files=form(picture, settings=SHORT)).text
    else:
        ended = subprocess.run(["bash", "-c", asked["bash"]], cwd=folder, check=True, stdout=subprocess.PIPE)
        answer = ended.stdout.decode()
    wait_for(served, json.loads(answer)["id"], lambda job: job["state"] == "done")


@pytest.mark.slow
def test_a_model_that_cannot_be_used_ends_the_server(tmp_path: Path) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "followyouremoji", "serve", "--port", "0"),
            *("--weights", "nowhere", "--folder", str(tmp_path)),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("Error: there is no checkpoint 'nowhere'")


def test_what_is_refused_is_said(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "queue.sqlite").write_text("no database, but something else")
    for settings, sentence in (
        (ServerSettings(folder=tmp_path, host="0.0.0.0"), "fye serve key add NAME"),
        (ServerSettings(folder=damaged), "queue.sqlite cannot be used"),
        (ServerSettings(folder=tmp_path, store="nosuch://x"), "results cannot be kept in nosuch://x"),
    ):
        with pytest.raises(SettingsError, match=sentence):
            JobServer(settings, ModelChoice())
    with (
        JobServer(ServerSettings(folder=tmp_path), ModelChoice()),
        pytest.raises(SettingsError, match="another"),
    ):
        JobServer(ServerSettings(folder=tmp_path), ModelChoice())


def test_kills_lose_nothing_and_a_signal_saves_what_runs(
    serve: Callable[..., Served], picture: bytes, tmp_path: Path
) -> None:
    """A worker is killed, then the server, each with a job under way; the next server does what is left, each job once,
    and is told to end in the middle of a long one, which the last one finishes."""
    long = SHORT | {"clip": {"duration": f"{KEPT_FROM}"}}
    served = serve("--workers", 1)
    served.wait_until_ready()
    (worker,) = served.workers()
    jobs = [
        httpx.post(
            f"{served.address}/v1/jobs",
            files=form(picture, settings=asked),
            headers={"Idempotency-Key": f"{key}"},
        ).json()
        for key, asked in enumerate((long, SHORT, SHORT))
    ]
    identities = [job["id"] for job in jobs]
    wait_for(served, identities[0], lambda job: job["stage"] == "Animating")
    os.kill(worker, signal.SIGKILL)
    wait_for(served, identities[0], lambda job: served.workers() not in ([], [worker]))
    (worker,) = served.workers()
    served.kill()

    served = serve("--grace", 0)
    again = httpx.post(
        f"{served.address}/v1/jobs", files=form(picture, settings=SHORT), headers={"Idempotency-Key": "2"}
    )
    assert (again.status_code, again.json()["id"]) == (200, identities[2])
    wait_for(served, identities[0], lambda job: job["state"] == "running" and job["progress"]["done"] > 0)
    assert served.workers() != [worker]
    code, printed = served.end()
    assert (code, printed) == (0, f"Ended. Jobs and results are kept in {tmp_path / 'serve'}.\n")
    assert list((tmp_path / "serve" / "jobs" / identities[0] / "kept" / "latents").iterdir()) != []

    served = serve()
    for identity in identities:
        job = wait_for(served, identity, lambda job: job["state"] not in ("waiting", "running"))
        assert job["state"] == "done", job["error"]
        content = httpx.get(served.address + job["result"]["url"]).content
        assert len(content) == job["result"]["bytes"]
    assert sorted(path.stem for path in (tmp_path / "serve" / "results").iterdir()) == sorted(identities)
    run_guide(served, picture, tmp_path)
    figures = httpx.get(f"{served.address}/metrics").text
    assert 'fye_jobs_ended_total{state="done"} 5.0' in figures
    assert served.end(signal.SIGINT)[0] == 0
    assert "Traceback" not in served.log.read_text()


def test_the_server_s_own_process_imports_no_torch() -> None:
    program = (
        "import sys, followyouremoji.apps.serve, followyouremoji.job_server.app, followyouremoji.job_server.server;"
        "print(sorted({'torch', 'mediapipe', 'cv2', 'av', 'PIL'} & sys.modules.keys()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    assert ended.stdout == "[]\n"
