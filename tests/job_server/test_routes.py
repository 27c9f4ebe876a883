"""What clients ask of the server, and what they are told."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from followyouremoji.face.motion import Motion
from followyouremoji.job_server import server as server_module
from followyouremoji.job_server import uploads as uploads_module
from followyouremoji.job_server import worker as worker_module
from followyouremoji.job_server.app import job_app
from followyouremoji.job_server.keys import Keys, Limits
from followyouremoji.job_server.server import JobServer
from followyouremoji.job_server.settings import ServerSettings
from followyouremoji.job_server.uploads import MOST_TEXT, safe_name
from followyouremoji.job_server.worker import Worker
from followyouremoji.media.clips import ClipReader
from followyouremoji.requests.animation import animate
from followyouremoji.requests.bundled import driving_source
from followyouremoji.requests.finding import Finder
from followyouremoji.requests.request import AnimationRequest, ClipSettings, ModelChoice, Output
from followyouremoji.settings import AnimationSettings
from tests.job_server.conftest import ADDRESS, SHORT, form, work_off
from tests.programs import frames_of


def folders(server: JobServer) -> list[str]:
    """Of jobs, that lie on the disk."""
    return sorted(one.name for one in (server.settings.place / "jobs").iterdir())


@pytest.mark.parametrize("store", [None, "file", "memory"])
def test_a_job_from_its_submission_to_its_end(
    settings: ServerSettings,
    new_worker: Callable[..., Worker],
    server: JobServer,
    client: TestClient,
    picture: bytes,
    store: str | None,
    tmp_path: Path,
) -> None:
    """Its result has the frames of what `animate` makes of the same request, wherever results are kept."""
    address = {"file": f"file://{tmp_path}/kept", "memory": f"memory://{tmp_path}"}.get(store or "")
    worker = new_worker(address)
    server.results = worker.results
    answer = client.post("/v1/jobs", files=form(picture, names=("私.png", "")))
    assert answer.status_code == 202
    job = answer.json()
    assert (job["state"], job["place"], job["portrait"]) == ("waiting", 0, "私.png")
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert client.get(f"/v1/jobs/{job['id']}/result").status_code == 409
    assert work_off(worker) == 1
    done = client.get(f"/v1/jobs/{job['id']}").json()
    assert done["state"] == "done"
    assert done["result"]["frames"] == 3
    assert next(note["code"] for note in done["notes"]) == "drawn_model"
    result = client.get(done["result"]["url"])
    assert result.headers["content-type"] == "video/mp4"
    assert f"{quote('私_hello')}.mp4" in result.headers["content-disposition"]
    (tmp_path / "me.png").write_bytes(picture)
    request = AnimationRequest(
        portrait=str(tmp_path / "me.png"),
        driving="bundled:hello",
        output=Output(path=tmp_path / "out.mp4"),
        clip=ClipSettings(duration="3"),
        settings=AnimationSettings(size=64),
    )
    animate(request, load=lambda choice: worker.animator)
    (tmp_path / "result.mp4").write_bytes(result.content)
    assert np.array_equal(frames_of(tmp_path / "result.mp4"), frames_of(tmp_path / "out.mp4"))
    assert len(result.content) == done["result"]["bytes"]
    assert folders(server) == []  # what was uploaded is gone
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert client.get(f"/v1/jobs/{job['id']}").status_code == 404
    with pytest.raises(FileNotFoundError):
        next(server.results.pieces(f"{job['id']}.mp4"))


def test_a_clip_is_followed_once_and_told_of_by_the_name_of_each_job(
    new_worker: Callable[..., Worker],
    client: TestClient,
    picture: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = new_worker()
    clip = tmp_path / "clip.mp4"
    animate(
        AnimationRequest(
            portrait="bundled:ada",
            driving="bundled:hello",
            output=Output(path=clip, max_side=128),
            clip=ClipSettings(duration="4"),
        ),
        load=lambda choice: worker.animator,
    )
    looked = list[str]()

    def counted(kind: type, name: str) -> None:
        look = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda *given: (looked.append(name), look(*given))[1])

    counted(Finder, "portrait")
    counted(Finder, "motion")
    for name in ("first.mp4", "second.mp4"):
        content = clip.read_bytes()
        client.post("/v1/jobs", files=form(picture, content, names=("me.png", name)))
    assert work_off(worker) == 2
    assert sorted(looked) == ["motion", "portrait"]
    second, first = client.get("/v1/jobs").json()["jobs"]
    assert (first["state"], second["state"]) == ("done", "done")
    assert "first" not in json.dumps(second)
    assert str(tmp_path) not in json.dumps([first, second])


def test_a_motion_of_one_frame_makes_a_picture(new_worker: Callable[..., Worker], client: TestClient) -> None:
    job = client.post("/v1/jobs", files=form(settings={"clip": {"duration": "1"}, "settings": {"size": 64}}))
    work_off(new_worker())
    result = client.get(f"/v1/jobs/{job.json()['id']}/result")
    assert result.headers["content-type"] == "image/png"
    assert result.content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (form(b"no picture"), "me.png"),
        (form(motion=b"#EXTM3U\n/etc/passwd\n"), "clip.mp4"),
        (form(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), "me.png"),
        (form(settings={"clip": {"start": "100000"}}), "bundled:hello has 100 frames"),
    ],
)
def test_files_that_cannot_be_used_fail_their_job_alone(
    new_worker: Callable[..., Worker], client: TestClient, server: JobServer, given: object, sentence: str
) -> None:
    """In a user's words, and without a path of the server."""
    assert client.post("/v1/jobs", files=given).status_code == 202
    assert client.post("/v1/jobs", files=form()).status_code == 202
    assert work_off(new_worker()) == 2
    good, failed = client.get("/v1/jobs").json()["jobs"]
    assert (failed["state"], good["state"]) == ("failed", "done")
    assert sentence in failed["error"]["detail"]
    assert "/" not in failed["error"]["detail"]


def test_a_small_motion_that_would_fill_the_memory_is_refused(
    new_worker: Callable[..., Worker], client: TestClient, tmp_path: Path
) -> None:
    """A few poses, which last long, at many frames a second."""
    bundled = driving_source("bundled:hello")
    poses = bundled[:2] if isinstance(bundled, Motion) else Motion.read(bundled)[:2]
    replace(poses, timestamps=np.array([0.0, 70.0]), frame_rate=0.1).save(tmp_path / "long.fyemotion")
    given = form(
        motion=(tmp_path / "long.fyemotion").read_bytes(),
        settings={"settings": {"frame_rate": 1000.0}},
        names=("me.png", "long.fyemotion"),
    )
    client.post("/v1/jobs", files=given)
    work_off(new_worker())
    (job,) = client.get("/v1/jobs").json()["jobs"]
    assert "too long for 1000 frames a second here" in job["error"]["detail"]


@pytest.mark.parametrize(
    ("given", "status", "sentence"),
    [
        ({"motion": (None, "bundled:hello")}, 422, "the part portrait is missing"),
        (form(portrait="bundled:nobody"), 422, "bundled:ada"),
        (form(motion="/etc/passwd"), 422, "there is no motion"),
        (form(settings={"output": {"path": "/tmp/x.mp4"}}), 422, "`path` is for the server's owner"),
        (form(settings={"settings": {"detector_bundle": "/etc/passwd"}}), 422, "`detector_bundle` is for"),
        (form(settings={"output": {"timestamp_authority": "http://x"}}), 422, "is for the server's owner"),
        (form(settings={"settings": {"steps": 0}}), 422, "`settings.steps` must be a whole number"),
        (form(settings={"settings": {"size": 100_000}}), 422, "too large"),
        (form(b""), 422, "empty"),
        (form() | {"model": (None, "x")}, 422, "no part 'model'"),
        (form() | {"settings": ("a.json", b"{}")}, 422, "no part 'settings'"),
        (form() | {"settings": (None, "{" * (MOST_TEXT + 1))}, 413, "too long"),
        (form() | {"settings": (None, "[" * 50_000)}, 422, "no JSON text"),
        (form(b"x" * 1_200_000), 413, "up to 1 MB"),
    ],
)
def test_what_is_refused_is_a_problem_and_leaves_nothing(
    settings: ServerSettings, tmp_path: Path, given: dict[str, object], status: int, sentence: str
) -> None:
    small = replace(settings, upload_megabytes=1)
    with JobServer(small, ModelChoice()) as server, TestClient(job_app(server), ADDRESS) as client:
        answer = client.post("/v1/jobs", files=given)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == status
        assert sentence in problem["detail"]
        assert (folders(server), server.queue.counts()) == ([], {})


def test_bodies_that_are_no_form(client: TestClient, server: JobServer) -> None:
    kind = "multipart/form-data; boundary=b"
    cut = b'--b\r\nContent-Disposition: form-data; name="motion"\r\n\r\nbundled:hello'
    assert client.post("/v1/jobs", content=cut, headers={"content-type": kind}).status_code == 400
    assert client.post("/v1/jobs", content=b"\0" * 99, headers={"content-type": kind}).status_code == 400
    headed = b"--b\r\nContent-Disposition: " + b"x" * 100_000  # which would be held in memory
    assert client.post("/v1/jobs", content=headed, headers={"content-type": kind}).status_code == 400
    assert client.post("/v1/jobs", json={"portrait": "bundled:ada"}).status_code == 415
    assert folders(server) == []


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\a\\b.png", "b.png"),
        ("..", "file"),
        ("-rf.png", "-rf.png"),
        ("a\nb c\0.mp4", "a_b_c_.mp4"),
        ("ä" * 200 + ".png", "ä" * 76 + ".png"),
    ],
)
def test_names_of_uploads_are_no_paths(given: str, safe: str) -> None:
    assert safe_name(given) == safe


def test_the_same_request_at_once_is_one_job(client: TestClient, server: JobServer, picture: bytes) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: client.post("/v1/jobs", files=form(picture), headers={"Idempotency-Key": "k"}),
                range(8),
            )
        )
    assert sorted(one.status_code for one in answers) == [200] * 7 + [202]
    assert len({one.json()["id"] for one in answers}) == 1
    assert folders(server) == [answers[0].json()["id"]]
    other = client.post("/v1/jobs", files=form(), headers={"Idempotency-Key": "k"})
    assert other.status_code == 422
    assert "another request" in other.json()["detail"]


def test_a_request_that_is_broken_off_leaves_a_job_or_nothing(
    server: JobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its task is cancelled just after the job was noted, the job keeps its files."""
    noted, go_on, submit = threading.Event(), threading.Event(), server.queue.submit

    def slow(*given: Any) -> Any:
        made = submit(*given)
        noted.set()
        assert go_on.wait(60.0)
        return made

    monkeypatch.setattr(server.queue, "submit", slow)

    async def break_off() -> None:
        transport = httpx.ASGITransport(job_app(server))
        async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
            asking = asyncio.create_task(client.post("/v1/jobs", files=form(b"picture")))
            assert await asyncio.to_thread(noted.wait, 60.0)
            asking.cancel()
            go_on.set()
            with suppress(asyncio.CancelledError):
                await asking

    asyncio.run(break_off())
    (entry,) = server.queue.listed("local", 5)
    assert folders(server) == [entry.id]
    assert (server.settings.place / "jobs" / entry.id / "portrait" / "me.png").read_bytes() == b"picture"


def test_cancelling(
    client: TestClient,
    server: JobServer,
    new_worker: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "BEAT", 0.001)  # else a job may be done before a worker asks
    worker = new_worker()
    waiting, running = (client.post("/v1/jobs", files=form()).json()["id"] for _ in range(2))
    assert client.delete(f"/v1/jobs/{waiting}").json()["state"] == "cancelled"
    assert folders(server) == [running]
    entry = server.queue.claim(worker.post.name)
    assert entry is not None
    told = client.delete(f"/v1/jobs/{running}").json()
    assert (told["state"], told["cancelling"]) == ("running", True)
    worker.orders.saving.set()  # as a worker that is told to end meanwhile: what is cancelled is not saved
    worker.do(entry)
    assert client.get(f"/v1/jobs/{running}").json()["state"] == "cancelled"


def test_pages_of_jobs(client: TestClient) -> None:
    made = [client.post("/v1/jobs", files=form()).json()["id"] for _ in range(5)]
    seen, before = list[str](), ""
    while before is not None:
        page = client.get(f"/v1/jobs?state=waiting&limit=2{before and f'&before={before}'}").json()
        seen += [job["id"] for job in page["jobs"]]
        before = page["next"]
    assert seen == made[::-1]
    assert client.get("/v1/jobs?state=done").json() == {"jobs": [], "next": None}


def test_keys_are_asked_for_and_never_logged(
    settings: ServerSettings, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    settings.place.mkdir()
    limits = Limits(jobs_waiting=2, jobs_a_day=3, job_megabytes=1)
    key, other = (Keys(settings.place).add(name, limits) for name in ("app", "other"))
    with JobServer(settings, ModelChoice()) as server, TestClient(job_app(server), ADDRESS) as client:
        mine, others = ({"Authorization": f"Bearer {one}"} for one in (key, other))
        for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": f"Basic {key}"}):
            refused = client.get("/v1/jobs", headers=headers)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        first = client.post("/v1/jobs", files=form(), headers=mine).json()["id"]
        assert client.get(f"/v1/jobs/{first}", headers=others).status_code == 404
        assert client.delete(f"/v1/jobs/{first}", headers=others).status_code == 404
        assert client.get("/v1/jobs", headers=others).json()["jobs"] == []
        client.post("/v1/jobs", files=form(), headers=mine)
        full = client.post("/v1/jobs", files=form(), headers=mine)
        assert (full.status_code, "waiting" in full.json()["detail"]) == (429, True)
        client.delete(f"/v1/jobs/{first}", headers=mine)
        client.delete(f"/v1/jobs/{first}", headers=mine)
        assert client.post("/v1/jobs", files=form(), headers=mine).status_code == 202
        client.delete(
            f"/v1/jobs/{client.get('/v1/jobs', headers=mine).json()['jobs'][0]['id']}", headers=mine
        )
        today = client.post("/v1/jobs", files=form(), headers=mine)
        assert (today.status_code, "today" in today.json()["detail"]) == (429, True)
        assert client.get("/metrics").status_code == 200
        Keys(settings.place).remove("app")
        assert client.get("/v1/jobs", headers=mine).status_code == 401
        assert client.get("/v1/jobs", headers=others).status_code == 200
    printed = "".join(capfd.readouterr()) + caplog.text
    kept = "".join(path.read_text("latin-1") for path in settings.place.rglob("*") if path.is_file())
    for one in (key, other):
        assert one not in printed
        assert one not in kept


def test_without_keys_only_programs_of_this_machine_are_answered(client: TestClient) -> None:
    assert client.get("/v1/jobs", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/v1/jobs", headers={"Origin": "http://evil.example"}).status_code == 403
    for origin in ("null", "http://[", ADDRESS.replace("http", "https") + ".evil.example"):
        assert client.post("/v1/jobs", files=form(), headers={"Origin": origin}).status_code == 403
    assert client.post("/v1/jobs", files=form(), headers={"Origin": ADDRESS}).status_code == 202


def test_who_removes_the_last_key_lets_nobody_in(client: TestClient, server: JobServer) -> None:
    Keys(server.settings.place).add("app", Limits())
    Keys(server.settings.place).remove("app")
    assert client.get("/v1/jobs").status_code == 401


def test_a_store_that_is_out_of_reach_for_a_while_loses_nothing(
    client: TestClient, new_worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, tries = new_worker(), list[str]()
    publish = worker.results.publish

    def failing(made: Path, name: str) -> int:
        tries.append(name)
        if len(tries) in (1, 3, 4):
            raise ConnectionError(f"{made} is too far")
        return publish(made, name)

    monkeypatch.setattr(worker.results, "publish", failing)
    monkeypatch.setattr(worker_module, "PAUSES", (0, 0))
    for _ in range(2):
        client.post("/v1/jobs", files=form())
    assert work_off(worker) == 2
    failed, done = client.get("/v1/jobs").json()["jobs"]
    assert (done["state"], len(tries)) == ("done", 4)
    assert (
        failed["error"]["detail"] == "the result could not be stored: the server's owner has to see to that"
    )


def test_an_upload_ends_where_the_disk_is_nearly_full(
    client: TestClient, server: JobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where there was room when it began."""
    usage = server_module.shutil.disk_usage(server.settings.place)
    free = iter((2 * uploads_module.LEAST_FREE, 0))
    monkeypatch.setattr(uploads_module.shutil, "disk_usage", lambda path: usage._replace(free=next(free)))
    refused = client.post("/v1/jobs", files=form(b"picture", b"clip"))
    assert (refused.status_code, folders(server)) == (507, [])


def test_old_jobs_go_with_their_results(
    client: TestClient,
    server: JobServer,
    new_worker: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = client.post("/v1/jobs", files=form()).json()["id"]
    client.post("/v1/jobs", files=form(), headers={"Idempotency-Key": "waits"})
    worker = new_worker()
    entry = server.queue.claim(worker.post.name)
    assert entry is not None
    worker.do(entry)
    server.forget_old()
    assert client.get(f"/v1/jobs/{job}/result").status_code == 200
    later = server_module.time.time() + 3600 * server.settings.keep_hours + 1
    monkeypatch.setattr(server_module.time, "time", lambda: later)
    server.forget_old()
    assert client.get(f"/v1/jobs/{job}").status_code == 404
    assert list((server.settings.place / "results").iterdir()) == []
    assert server.queue.counts() == {"waiting": 1}


def test_a_server_that_ends_takes_no_more(client: TestClient, server: JobServer) -> None:
    server.ending.set()
    refused = client.post("/v1/jobs", files=form())
    assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").json() == {"status": "ok"}


def test_no_setting_of_a_job_is_a_path(client: TestClient) -> None:
    """Of those that an animation has now or later, as OpenAPI shows them."""
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["AnimationSettings"]["properties"]["seed"]["minimum"] == 0
    assert "JobSettings" in schemas
    assert '"format": "path"' not in json.dumps(schemas)
    assert {"overwrite", "timestamp_authority"}.isdisjoint(schemas["Output"]["properties"])


def test_a_result_is_a_clip_of_its_kind(
    client: TestClient, new_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    for kind in ("webm", "gif", "webp", "apng"):
        client.post("/v1/jobs", files=form(settings=SHORT | {"format": kind}))
    work_off(new_worker())
    for job in client.get("/v1/jobs").json()["jobs"]:
        assert job["state"] == "done", job["error"]
        file = tmp_path / "result"
        file.write_bytes(client.get(job["result"]["url"]).content)
        with ClipReader(file) as clip:
            assert clip.info.size == tuple(job["result"]["size"])
