"""Whatever is asked of the study's page, it answers, and no answer is counted that no visitor gave."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the study's page needs FastAPI")
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from followyouremoji.benchmark.study.answers import ASPECTS, Answers
from followyouremoji.benchmark.study.material import DRIVING, PORTRAIT, RESULT
from followyouremoji.benchmark.study.server import study_app
from tests.hostile_http import TYPES, bodies_like, paths_like

PAIRS, SYSTEMS = ("one", "two"), ("a", "b", "c")
ROUTES = ("GET /", "POST /visits", "GET /visits/{}", "PUT /visits/{}/questions/{}/{}", "GET /media/{}")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    found = Answers(tmp_path_factory.mktemp("study") / "study.db", "print", SYSTEMS)
    found.media_names(
        [(pair, what) for pair in PAIRS for what in (PORTRAIT, DRIVING, *map(RESULT.__add__, SYSTEMS))]
    )
    return found


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_request_is_a_fault(answers: Answers, tmp_path: Path, data: st.DataObject) -> None:
    with TestClient(study_app(answers, PAIRS, tmp_path, 2)) as client:
        token = client.post("/visits", json={}).json()["visit"]
        route = data.draw(st.sampled_from((*ROUTES, f"PUT /visits/{token}/questions/1/{ASPECTS[0]}")))
        method, path = route.split(" ")
        answer = client.request(
            method,
            data.draw(paths_like(path)),
            content=data.draw(bodies_like({"order": [0, 0, 1]})) if method in ("POST", "PUT") else None,
            headers={"content-type": data.draw(st.sampled_from(TYPES))},
        )
        assert answer.status_code < 500
        assert client.get(f"/visits/{token}").json()["done"] == 0
