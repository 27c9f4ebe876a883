"""What the page asks for, and what else somebody might."""

import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the study's page needs FastAPI")
from fastapi.testclient import TestClient

from followyouremoji.benchmark.store import Results
from followyouremoji.benchmark.study import answers as answers_module
from followyouremoji.benchmark.study.answers import ASPECTS, Answers
from followyouremoji.benchmark.study.material import Material, study_fingerprint
from followyouremoji.benchmark.study.server import MOST_BYTES, study_app
from tests.benchmark.study.sample import SYSTEMS

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def study_folder(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture
def client(results: Results, study_folder: Path) -> Iterator[TestClient]:
    material = Material.of(results)
    print_ = study_fingerprint(results.run)
    with Answers(study_folder / "study.db", print_, material.systems) as answers:
        names = answers.media_names(material.files)
        shown, _ = material.write(names, study_folder / "media", lambda done, total: None)
        yield TestClient(study_app(answers, shown, study_folder / "media", 3))


def begin(client: TestClient) -> str:
    begun = client.post("/visits", json={})
    assert begun.status_code == 201
    return str(begun.json()["visit"])


def test_a_visit_from_its_beginning_to_its_end(client: TestClient) -> None:
    token = begin(client)
    assert re.fullmatch("[0-9a-f]{32}", token)
    where, asked = client.get(f"/visits/{token}").json(), 0
    while where["question"]:
        number = where["question"]["number"]
        assert where["done"] == number - 1
        assert where["total"] == 4
        for aspect in ASPECTS:
            sent = client.put(f"/visits/{token}/questions/{number}/{aspect}", json={"order": [3, 1, 0, 2]})
            assert sent.status_code == 200
            where, asked = sent.json(), asked + 1
            assert where == client.get(f"/visits/{token}").json()
            if aspect != ASPECTS[-1]:
                assert where["question"]["answered"][aspect] == [3, 1, 0, 2]
    assert asked == 4 * 3
    assert where["done"] == where["total"] == 4


def test_nothing_that_is_sent_names_a_system_or_a_pair(client: TestClient) -> None:
    words = {word for system in SYSTEMS for word in (system, system.split(":")[0])}
    words |= {"pair-0", "clip-0", "portrait-0"}
    page = client.get("/")
    sent = [page.content, json.dumps(dict(page.headers)).encode()]
    token, names = begin(client), []
    where = client.get(f"/visits/{token}")
    while question := where.json()["question"]:
        names += [question["portrait"], question["driving"], *question["results"]]
        for aspect in ASPECTS:
            where = client.put(
                f"/visits/{token}/questions/{question['number']}/{aspect}", json={"order": [0, 1, 2, 3]}
            )
            sent += [where.content, json.dumps(dict(where.headers)).encode()]
    stamps = set()
    for name in names:
        media = client.get(f"/{name}")
        assert media.status_code == 200
        stamps.add(media.headers["last-modified"])
        sent += [media.content, json.dumps(dict(media.headers)).encode(), name.encode()]
    assert len(stamps) == 1
    assert not any(word.encode() in one for one in sent for word in words)


def test_bad_requests_change_nothing(client: TestClient, study_folder: Path) -> None:
    token, other = begin(client), begin(client)
    at = f"/visits/{token}/questions/1/expression"
    for body in (
        {},
        {"order": [0, 1, 2]},
        {"order": [0, 1, 2, 2]},
        {"order": "0123"},
        {"order": [0, 1, 2, 3.5]},
        [0],
    ):
        assert client.put(at, json=body).status_code == 422
    assert client.put(at, content=b"\xff{", headers=JSON).status_code == 422
    assert client.put(at, content=b"[" * MOST_BYTES * 2, headers=JSON).status_code == 413
    assert (
        client.put(at, content=b'{"order": [0, 1, 2, 3]}', headers={"content-type": "text/plain"}).status_code
        == 415
    )
    assert client.post("/visits", content=b"").status_code == 415
    for number in ("0", "-1", "one", "9" * 40):
        at = f"/visits/{token}/questions/{number}/expression"
        assert client.put(at, json={"order": [0, 1, 2, 3]}).status_code == 422
    good = {"order": [0, 1, 2, 3]}
    for path in (
        f"/visits/{'0' * 32}/questions/1/expression",
        f"/visits/{token}/questions/2/expression",
        f"/visits/{token}/questions/1/beauty",
        f"/visits/{token}' OR '1'='1/questions/1/expression",
    ):
        assert client.put(path, json=good).status_code == 404
    assert client.get(f"/visits/{other[:-1]}").status_code == 404
    for path in (
        "/media/study.db",
        "/media/..%2Fstudy.db",
        "/media/../study.db",
        f"/media/%2e%2e/{study_folder}/study.db",
        "/docs",
        "/openapi.json",
    ):
        assert client.get(path).status_code == 404
    assert client.get(f"/visits/{token}").json()["question"]["answered"] == {}


def test_browsers_are_told_to_load_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    nonce = re.search("script-src 'nonce-([^']+)'", policy)[1]
    assert f'<script nonce="{nonce}">' in page.text
    assert "default-src 'none'" in policy
    assert nonce not in client.get("/").text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "{{" not in page.text
    assert "3 portraits" in page.text
    assert not re.search(r"(?:src|href)=.https?:", page.text)


def test_a_part_of_a_clip_can_be_asked_for(client: TestClient) -> None:
    clip = client.get(f"/visits/{begin(client)}").json()["question"]["driving"]
    whole = client.get(f"/{clip}")
    part = client.get(f"/{clip}", headers={"range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.content == whole.content[10:20]
    assert whole.headers["content-type"] == "video/mp4"


def test_a_locked_file_makes_visitors_wait(
    client: TestClient, study_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = begin(client)
    other = sqlite3.connect(study_folder / "study.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, other.rollback).start()
    at = f"/visits/{token}/questions/1/expression"
    assert client.put(at, json={"order": [0, 1, 2, 3]}).status_code == 200  # after a while
    other.execute("BEGIN IMMEDIATE")
    other.execute("DROP TABLE ranking")
    other.execute("COMMIT")
    refused = client.put(at, json={"order": [0, 1, 2, 3]})
    assert refused.status_code == 503
    assert "cannot be saved" in refused.json()["detail"]
    other.executescript(answers_module.SCHEMA[answers_module.SCHEMA.index("CREATE TABLE ranking") :])
    other.close()


def test_many_visitors_at_once_lose_nothing(client: TestClient) -> None:
    failures = []

    def take_part() -> None:
        try:
            test_a_visit_from_its_beginning_to_its_end(client)
        except BaseException as error:
            failures.append(error)

    visitors = [threading.Thread(target=take_part) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert failures == []
