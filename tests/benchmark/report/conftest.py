"""A report on a small drawn suite, made once."""

from pathlib import Path

import pytest

pytest.importorskip("skia", reason="drawn portraits need skia-python")
pytest.importorskip("mediapipe", reason="metrics look at what the detector sees")
pytest.importorskip("pyarrow", reason="results are Parquet files")
pytest.importorskip("jinja2", reason="the page is made of a template")

from followyouremoji.benchmark.report import report_texts
from followyouremoji.benchmark.store import Results
from tests.benchmark.report.sample import drawn_suite, measured_results


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("report")
    suite = drawn_suite(folder / "suite", pairs=2, size=96, frames=4)
    failing = [pair.name for pair in suite.manifest.pairs if pair.portrait][:1]
    return measured_results(suite, folder / "results", failing=failing)


@pytest.fixture(scope="session")
def texts(measured: Results) -> dict[str, str]:
    return report_texts([measured])


@pytest.fixture(scope="session")
def page_path(texts: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(texts[".html"], encoding="utf-8")
    return path
