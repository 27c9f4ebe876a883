"""Whatever is asked of the study's page, it answers, and no answer is counted that no visitor gave."""

from __future__ import annotations

import json
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
orders = (st.permutations(range(3)) | st.lists(st.integers(-1, 3), max_size=4)).map(
    lambda order: json.dumps({"order": order}).encode()
)


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
        ranking = st.just(f"PUT /visits/{token}/questions/1/{ASPECTS[0]}")
        route = data.draw(ranking | st.sampled_from(ROUTES))
        method, path = route.split(" ")
        sent = data.draw(orders | bodies_like({"order": [0, 0, 1]})) if method in ("POST", "PUT") else None
        answer = client.request(
            method,
            data.draw(paths_like(path)),
            content=sent,
            headers={"content-type": data.draw(st.sampled_from(TYPES))},
        )
        assert answer.status_code < 500
        (question,) = answers.questions()[token]
        assert question.rankings == {} or sorted(json.loads(sent or "")["order"]) == [0, 1, 2]
