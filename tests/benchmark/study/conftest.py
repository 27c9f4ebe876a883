from pathlib import Path

import pytest

from followyouremoji.benchmark.store import Results


@pytest.fixture(scope="package")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Four pairs of four systems; tests that change them take a copy."""
    pytest.importorskip("skia", reason="the portraits are drawn, which needs skia-python")
    from tests.benchmark.study.sample import write_results

    return write_results(tmp_path_factory.mktemp("study"))


@pytest.fixture
def copied(results: Results, tmp_path: Path) -> Results:
    """Results that a test may change; their suite is the one of `results`."""
    import shutil

    return Results.read(Path(shutil.copytree(results.folder, tmp_path / "results")))
