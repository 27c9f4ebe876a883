"""Averages and agreement of rankings that are worked out by hand."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.benchmark.study.answers import ASPECTS, Answers, Question
from followyouremoji.benchmark.study.figures import COLUMNS, Study, kendall_tau
from followyouremoji.errors import DataError

ABC = ("a", "b", "c")


def question(number: int, order: str, pair: str | None = None, repeats: int | None = None) -> Question:
    """One whose three rankings are the same."""
    return Question(
        number, pair or f"p{number}", ("b", "c", "a"), repeats, dict.fromkeys(ASPECTS, tuple(order))
    )


def test_visitors_count_alike_however_much_they_answered() -> None:
    visits = (
        (question(1, "abc"), question(2, "acb"), question(3, "abc"), question(4, "acb")),
        (question(1, "cba"),),
    )
    study = Study(ABC, visits, (4, 4))
    np.testing.assert_allclose(study.mean_ranks("overall"), [[1, 2.5, 2.5], [3, 2, 1]])
    assert study.visitors_a_pair == {"p1": 2, "p2": 1, "p3": 1, "p4": 1}
    assert (study.finished, study.rankings) == (1, 15)
    # Ranks 1, 2.5, 2.5 and 3, 2, 1: sums 4, 4.5, 3.5, S = 0.5; one tie of two, T = 6.
    assert study.agreement("overall") == pytest.approx(12 * 0.5 / (4 * 24 - 2 * 6))


def test_agreement_is_one_where_all_order_alike() -> None:
    study = Study(
        ABC, ((question(1, "abc"),), (question(1, "abc"), question(2, "bac"), question(3, "abc"))), (1, 3)
    )
    assert study.agreement("identity") == pytest.approx(1.0)
    alone = Study(ABC, ((question(1, "abc"),),), (1,))
    assert math.isnan(alone.agreement("identity"))
    ours = alone.text().split("For orientation")[0]
    assert ours.rstrip().endswith("(Kendall's W)")  # nothing stands beside it
    assert "[" not in ours  # nor is there an interval of one visitor


def test_a_repetition_measures_consistency_and_nothing_else() -> None:
    again = question(4, "cab", "p1", repeats=1)
    study = Study(ABC, ((question(1, "abc"), question(2, "abc"), question(3, "abc"), again),), (4,))
    np.testing.assert_allclose(study.mean_ranks("expression"), [[1, 2, 3]])
    assert study.consistency == [pytest.approx(-1 / 3)]
    assert "-0.33, the mean of 1 visitors; 1 at 0 or below" in study.text()


def test_kendall_tau() -> None:
    assert kendall_tau("abcd", "abcd") == 1
    assert kendall_tau("abcd", "dcba") == -1
    assert kendall_tau("abcd", "abdc") == pytest.approx(4 / 6)


def test_the_text_holds_the_papers_ranks_as_theirs() -> None:
    text = Study(ABC, ((question(1, "abc"),), (question(1, "bac"),)), (1, 1)).text()
    ours, theirs = text.split("For orientation, the paper's own study")
    assert "1.50 [1.00, 2.00]" in ours
    assert "Follow-Your-Emoji        1.26      1.45     1.72" in theirs
    assert "Face Vid2vid             6.46      7.81     5.92" in theirs


def test_every_ranking_is_in_the_csv_and_no_token(tmp_path: Path) -> None:
    with Answers(tmp_path / "study.db", "print", ABC) as answers:
        token = answers.begin(("p", "q"), 2)
        answers.begin(("p", "q"), 2)  # nothing answered
        first = answers.visit(token).question
        answers.save(token, 1, "identity", (2, 0, 1), ("p", "q"))
        study = Study.of(answers)
    study.write_csv(tmp_path / "all.csv", overwrite=False)
    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["rank"], row["shown_as"], row["system"]) for row in rows] == [
        ("1", "C", first.shown[2]),
        ("2", "A", first.shown[0]),
        ("3", "B", first.shown[1]),
    ]
    assert {(row["visitor"], row["pair"], row["aspect"]) for row in rows} == {("1", first.pair, "identity")}
    assert token not in (tmp_path / "all.csv").read_text()
    with pytest.raises(DataError, match="exists already"):
        study.write_csv(tmp_path / "all.csv", overwrite=False)
