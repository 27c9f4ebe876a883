"""Reports and trainings that lie beside the studio: listed, opened in a cage, and only what was found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="results are Parquet files")

from fastapi.testclient import TestClient

from followyouremoji.benchmark.report import report_texts
from followyouremoji.errors import SettingsError
from followyouremoji.requests.request import ModelChoice
from followyouremoji.studio.server import studio_app
from followyouremoji.studio.settings import StudioSettings
from followyouremoji.studio.studio import Studio
from followyouremoji.studio.workshop import Workshop
from followyouremoji.training.journal import Journal
from tests.benchmark.report.sample import written_results
from tests.studio.conftest import HOST

FIGURES = {"ours": {"self-person": {"l1": 0.1}}, "theirs": {"self-person": {"l1": 0.2}}}


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A folder with a benchmark that has a report, one that has none, a damaged one, and a training run."""
    folder = tmp_path / "bench"
    reported = written_results(folder / "runs" / "reported", FIGURES)
    (reported.folder / "report.html").write_text(report_texts([reported])[".html"], encoding="utf-8")
    written_results(folder / "bare", {"ours": FIGURES["ours"]})
    (folder / "damaged").mkdir()
    (folder / "damaged" / "run.json").write_text("{")
    (folder / "training").mkdir()
    journal = Journal(folder / "training", 0, tensorboard=False)
    for step in (10, 20):
        journal.write("validation.csv", step, {"psnr": 20 + step / 10})
    return folder


@pytest.fixture
def client(bench: Path, tmp_path: Path) -> Iterator[TestClient]:
    settings = StudioSettings(folder=tmp_path / "studio", bench=bench)
    with (
        Studio(settings, ModelChoice()) as opened,
        TestClient(studio_app(opened), f"http://{HOST}") as client,
    ):
        yield client


def test_what_lies_in_the_folder_is_listed(client: TestClient) -> None:
    overview = client.get("/studio/workshop").json()
    listed = {one["name"]: (one["systems"], one["report"], one["study"]) for one in overview["benchmarks"]}
    assert listed == {"bare": (["ours"], False, False), "runs/reported": (["ours", "theirs"], True, False)}
    assert overview["trainings"] == [{"name": "training", "last": {"step": "20", "psnr": "22"}}]


def test_figures_and_reports_are_looked_up(client: TestClient) -> None:
    ids = {one["name"]: one["id"] for one in client.get("/studio/workshop").json()["benchmarks"]}
    scores = client.get(f"/studio/workshop/benchmarks/{ids['runs/reported']}/scores").text
    assert "theirs" in scores
    assert "0.1" in scores
    report = client.get(f"/studio/workshop/benchmarks/{ids['runs/reported']}/report")
    assert report.headers["content-type"].startswith("text/html")
    policy = report.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts;")
    assert "default-src 'none'" in policy
    for path in (f"{ids['bare']}/report", "runs%2Freported/report", "../scores", "0" * 32 + "/report"):
        assert client.get(f"/studio/workshop/benchmarks/{path}").status_code == 404


@pytest.mark.parametrize("more", [{"host": "0.0.0.0", "password": "a long password"}])
def test_others_see_only_what_they_are_meant_to(
    bench: Path, more: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench)
    assert Workshop.of(StudioSettings()) is not None
    assert Workshop.of(StudioSettings(**more)) is None
    assert Workshop.of(StudioSettings(**more, bench=bench)) is not None


def test_a_studio_beside_nothing_has_no_such_tab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Workshop.of(StudioSettings()) is None
    with pytest.raises(SettingsError, match="no folder"):
        Workshop.of(StudioSettings(bench=tmp_path / "gone"))
