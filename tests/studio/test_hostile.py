"""Whatever is asked of the studio, it answers: without a fault of its own, and without a word of the machine."""

from __future__ import annotations

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile_http import TYPES, bodies_like, paths_like, queries
from tests.studio.conftest import Served
from tests.studio.test_security import bodies, routes

QUERIES = ("kind", "name", "as", "beside")
NOBODY = "0" * 32
KNOWN = bodies("bundled:ada", NOBODY)
CHEAP = (
    "POST /studio/pose",
    "POST /studio/points",
    "POST /studio/points/file",
    "POST /studio/keyframes/preview",
)
USUAL = {
    **bodies(NOBODY, NOBODY),
    **{name: KNOWN[name] for name in CHEAP},
    "PUT /studio/drafts/{tab}": {"portrait": "bundled:ada"},
    "POST /studio/keyframes/read": {"keyframes": [{"seconds": 0.0, "pose": {}}]},
    "POST /studio/keyframes/pose": {"portrait": NOBODY, "keyframes": {"keyframes": []}, "seconds": 1.0},
    "POST /studio/keyframes/file": {"portrait": NOBODY, "keyframes": {"keyframes": []}},
    "POST /studio/keyframes/material": {"portrait": NOBODY, "keyframes": {"keyframes": []}, "name": "x"},
}
"""Of what would begin to animate, all is as a page sends it but the ids."""


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_request_is_a_fault(studio: Served, client: TestClient, data: st.DataObject) -> None:
    method, path = data.draw(st.sampled_from(sorted(routes(studio.app))))
    answer = client.request(
        method,
        data.draw(paths_like(path)),
        params=data.draw(queries(QUERIES)),
        content=data.draw(bodies_like(USUAL.get(f"{method} {path}", {})))
        if method in ("POST", "PUT")
        else None,
        headers={"content-type": data.draw(st.sampled_from(TYPES))},
    )
    assert answer.status_code < 500
    assert str(studio.studio.store.folder) not in answer.text
    assert not list(studio.studio.store.folder.glob("visitors/*/incoming/*"))
