"""The server does what its OpenAPI says, whatever it is sent."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from followyouremoji.job_server.app import job_app
from followyouremoji.job_server.keys import Keys, Limits
from followyouremoji.job_server.server import JobServer
from followyouremoji.job_server.settings import ServerSettings
from followyouremoji.requests.request import ModelChoice
from tests.job_server.conftest import ADDRESS


def check_all(settings: ServerSettings, examples: int) -> None:
    """Send so many requests of each operation, valid and not, with a key and without, and look at the answers."""
    schemathesis = pytest.importorskip("schemathesis")
    checks = pytest.importorskip("schemathesis.specs.openapi.checks")
    # That settings fit together, and what makes a part a file, is said in words alone.
    inexpressible = [checks.positive_data_acceptance]
    settings.place.mkdir()
    headers = {"Authorization": f"Bearer {Keys(settings.place).add('app', Limits())}"}
    with JobServer(settings, ModelChoice()) as server, TestClient(job_app(server), ADDRESS) as client:
        described = schemathesis.openapi.from_asgi("/openapi.json", client.app)
        # Without workers the server is not ready, and says so.
        operations = [found.ok() for found in described.exclude(path="/readyz").get_all_operations()]
        assert len(operations) == 8
        for operation in operations:

            @hypothesis_settings(
                max_examples=examples,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(operation.as_strategy())
            def check(case: Any) -> None:
                case.call_and_validate(headers=headers, base_url=ADDRESS, excluded_checks=inexpressible)

            check()
        assert server.queue.counts()["waiting"] > 0


def test_answers_are_as_described(settings: ServerSettings) -> None:
    check_all(settings, 10)


@pytest.mark.slow
def test_answers_are_as_described_however_long_one_asks(settings: ServerSettings) -> None:
    check_all(settings, 1000)
