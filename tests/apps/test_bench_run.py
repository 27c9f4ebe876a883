"""`fye bench run` as a user runs it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.apps.conftest import Run

pytest.importorskip("skia", reason="the suite is drawn with skia-python")
pytest.importorskip("mediapipe", reason="results are looked at by its detector")

from followyouremoji.apps.bench_run import chosen_pairs
from followyouremoji.benchmark.lossless import write_lossless
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.store import Results
from followyouremoji.benchmark.suite import Suite
from followyouremoji.errors import SettingsError
from tests.benchmark.small_suite import SIZE, write_small_suite


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return write_small_suite(tmp_path_factory.mktemp("suites") / "small")


def test_systems_are_measured_and_a_run_goes_on(fye: Run, suite: Suite) -> None:
    rival = Path("rival")
    rival.mkdir()
    for case in suite.cases(Protocol(size=SIZE)):
        if case.truth is not None:
            write_lossless(rival / f"{case.name}.mkv", case.truth, 25.0)
    command = ("bench", "run", suite.folder, "--system", "copy", "--size", SIZE)
    ended = fye(*command, "--system", "other=videos:rival", "--pairs", "ada_self,bob_ada")
    assert ended.code == 0, ended.err
    assert "other failed on bob_ada:" in ended.err
    assert "no result of bob_ada" in ended.err
    assert "portrait copied" in ended.out, "the table"
    assert "small-results: 3 results measured, 1 failed; the same command tries them again." in ended.out
    assert "fye bench report small-results" in ended.out
    results = Results.read(Path("small-results"))
    assert [system.name for system in results.run.systems] == ["portrait copied", "other"]
    assert results.run.protocol.size == SIZE
    assert results.run.missing, "no network is there"

    shutil.rmtree("rival")
    ended = fye(*command, "--pairs", "ada_self,bob_ada")
    assert ended.code == 0, ended.err
    assert "small-results: 0 results measured, 2 were there before." in ended.out
    assert "other" in ended.out, "the table is of all that is there"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "no suite nowhere"),
        (("SUITE", "--system", "nowhere"), "no checkpoint 'nowhere'"),
        (("SUITE", "--system", "copy", "--system", "copy"), "Two systems are called 'portrait copied'"),
        (("SUITE", "--system", "copy", "--pairs", "eve"), "no pair 'eve'"),
        (("SUITE", "--system", "copy", "--pairs", "0"), "At least one pair"),
        (("SUITE", "--system", "copy", "--size", "32"), "`size` must be a whole number from 64 to 1024, not 32"),
        (("SUITE", "--system", "copy", "--bundle", "none.task"), "none.task"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_told_in_a_line(
    fye: Run, suite: Suite, arguments: tuple[str, ...], words: str
) -> None:
    given = [suite.folder if argument == "SUITE" else argument for argument in arguments]
    ended = fye("bench", "run", *given)
    assert ended.code == 2
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert not list(Path().iterdir()), "nothing was written"


def test_results_of_another_protocol_are_not_joined(fye: Run, suite: Suite) -> None:
    command = ("bench", "run", suite.folder, "--system", "copy", "--pairs", "ada_self", "-o", "results")
    assert fye(*command, "--frames", 3).code == 0
    ended = fye(*command)
    assert ended.code == 2
    assert "frames is 3 there and 64 here" in ended.err


def test_a_number_of_pairs_is_spread_over_the_suite(suite: Suite) -> None:
    assert chosen_pairs(suite, None) is None
    assert chosen_pairs(suite, "2") == ["ada_self", "bob_true"]
    assert chosen_pairs(suite, "99") == ["ada_self", "bob_true", "bob_ada"]
    assert chosen_pairs(suite, "bob_ada, ada_self") == ["bob_ada", "ada_self"]
    with pytest.raises(SettingsError, match="At least one pair"):
        chosen_pairs(suite, "0")
