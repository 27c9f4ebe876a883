"""What SQLite keeps of a study, and what is asked of whom. Tokens are random, so bounds on counts are wide."""

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from followyouremoji.benchmark.study import answers as module
from followyouremoji.benchmark.study.answers import ASPECTS, Answers, Question, Unknown
from followyouremoji.errors import DataError

SYSTEMS = ("one", "two", "three")
PAIRS = tuple("abcdef")


@pytest.fixture
def answers(tmp_path: Path):
    with Answers(tmp_path / "study.db", "print", SYSTEMS) as opened:
        yield opened


def answer(answers: Answers, token: str, pairs=PAIRS) -> Question:
    """Answer the open question as it is shown; returns it."""
    question = answers.visit(token).question
    assert question is not None
    for aspect in ASPECTS:
        answers.save(token, question.number, aspect, (0, 1, 2), pairs)
    return question


def finish(answers: Answers, token: str, pairs=PAIRS) -> list[Question]:
    questions = []
    while answers.visit(token).question is not None:
        questions.append(answer(answers, token, pairs))
    return questions


def test_a_visit_stays_where_it_is_until_it_is_answered(answers: Answers, tmp_path: Path) -> None:
    token = answers.begin(PAIRS, 4)
    before = answers.visit(token)
    assert (before.done, before.total) == (0, 5)
    answers.save(token, 1, "expression", (2, 0, 1), PAIRS)
    with Answers(
        tmp_path / "study.db", "print", SYSTEMS
    ) as again:  # as after a restart, or of another process
        now = again.visit(token)
    assert now.question is not None
    assert now.question.shown == before.question.shown
    assert now.question.pair == before.question.pair
    shown = now.question.shown
    assert now.question.rankings == {"expression": (shown[2], shown[0], shown[1])}
    assert now.done == 0


def test_the_last_answer_counts_and_saving_twice_asks_nothing_more(answers: Answers) -> None:
    token = answers.begin(PAIRS, 4)
    first = answer(answers, token)
    second = answers.visit(token).question
    answers.save(token, 1, "overall", (0, 1, 2), PAIRS)  # the answer got lost on its way, and is sent again
    answers.save(token, 1, "overall", (2, 1, 0), PAIRS)
    assert answers.visit(token).question == second
    assert answers.questions()[token][0].rankings["overall"] == first.shown[::-1]


def test_each_pair_is_asked_about_as_often_as_others(answers: Answers) -> None:
    tokens = [answers.begin(PAIRS, 2) for _ in range(9)]  # all at once
    for _ in range(2):
        for token in tokens:
            answer(answers, token)
    asked = Counter(one.pair for questions in answers.questions().values() for one in questions)
    assert sorted(asked) == list(PAIRS)
    # 2, not 1: the last visitor may have seen the pair that is left
    assert max(asked.values()) - min(asked.values()) <= 2
    assert all(len({one.pair for one in questions}) == 2 for questions in answers.questions().values())


def test_a_question_that_was_left_open_gives_way_to_others(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = answers.visit(answers.begin(PAIRS[:2], 1)).question
    assert left is not None
    assert answers.visit(answers.begin(PAIRS[:2], 1)).question.pair != left.pair
    now = module.time.time()
    monkeypatch.setattr(module.time, "time", lambda: now + module.OPEN_FOR + 1)
    answer(answers, answers.begin(PAIRS[:2], 1), PAIRS[:2])
    answer(answers, answers.begin(PAIRS[:2], 1), PAIRS[:2])
    answered = [one.pair for questions in answers.questions().values() for one in questions if one.rankings]
    assert sorted(answered) == list(PAIRS[:2])


def test_each_system_stands_at_each_letter_about_as_often(answers: Answers) -> None:
    places = Counter()
    for _ in range(10):
        for question in finish(answers, answers.begin(PAIRS, 6)):
            places.update(enumerate(question.shown))
    expected = 10 * 7 / 3  # standard deviation 4
    assert len(places) == 9
    assert all(abs(count - expected) < 22 for count in places.values())


def test_an_early_pair_comes_again_at_the_end_in_another_order(answers: Answers) -> None:
    for _ in range(10):
        *questions, last = finish(answers, answers.begin(PAIRS, 4))
        assert len({one.pair for one in questions}) == len(questions) == 4
        assert last.repeats in (1, 2)
        first = questions[last.repeats - 1]
        assert last.pair == first.pair
        assert last.shown != first.shown
    assert len(finish(answers, answers.begin(PAIRS, 2))) == 2  # too few to repeat one unnoticed


def test_a_visit_ends_where_the_study_lost_pairs(answers: Answers) -> None:
    token = answers.begin(PAIRS, 6)
    questions = finish(answers, token, pairs=PAIRS[:3])
    assert 3 <= len(questions) <= 5
    assert answers.visit(token).done == answers.visit(token).total == len(questions)


def test_what_is_no_ranking_is_refused(answers: Answers) -> None:
    token, other = answers.begin(PAIRS, 2), answers.begin(PAIRS, 2)
    answer(answers, other)
    for places in ((), (0, 1), (0, 1, 1), (0, 1, 2, 3), (1, 2, 3), (-1, 0, 1)):
        with pytest.raises(DataError, match="each of the 3 results once"):
            answers.save(token, 1, "expression", places, PAIRS)
    for visit, number, aspect in (("0" * 32, 1, "overall"), (token, 2, "overall"), (token, 1, "beauty")):
        with pytest.raises(Unknown):
            answers.save(visit, number, aspect, (0, 1, 2), PAIRS)
    with pytest.raises(Unknown):
        answers.visit("0" * 32)
    assert answers.visit(token).question.rankings == {}


def test_names_of_media_are_random_and_stay(answers: Answers, tmp_path: Path) -> None:
    wanted = [("a", "portrait"), ("a", "result:one")]
    names = answers.media_names(wanted)
    assert len(set(names.values())) == 2
    with Answers(tmp_path / "study.db", "print", SYSTEMS) as again:
        assert again.media_names([*wanted, ("b", "portrait")]).items() > names.items()
    with Answers(tmp_path / "other.db", "print", SYSTEMS) as other:
        assert not set(other.media_names(wanted).values()) & set(names.values())


def test_files_that_cannot_be_used_are_named(
    answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    text, foreign, damaged = tmp_path / "text.db", tmp_path / "foreign.db", tmp_path / "damaged.db"
    text.write_text("no database " * 500)
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE recipe (name TEXT)")
    database.close()
    with Answers(damaged, "print", SYSTEMS) as whole:
        for _ in range(5):
            whole.begin(PAIRS, 3)
    content = bytearray(damaged.read_bytes())
    content[12_000:20_000] = b"\x07" * 8_000
    damaged.write_bytes(content)
    for path, words in (
        (tmp_path / "study.db", "another study, on one, two, three"),
        (text, "no database"),
        (foreign, "of no study"),
        (tmp_path / "nowhere/study.db", "cannot be opened"),
    ):
        with pytest.raises(DataError, match=words) as refused:
            Answers(path, "another print", SYSTEMS)
        assert str(path) in str(refused.value)
    with pytest.raises(DataError, match="is damaged"):
        Answers(damaged, "print", SYSTEMS)
    with pytest.raises(DataError, match="nobody has taken part"):
        Answers(tmp_path / "new.db", "print", SYSTEMS, create=False)
    assert not (tmp_path / "new.db").exists()
    other = sqlite3.connect(tmp_path / "study.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DataError, match="locked by another program"):
        Answers(tmp_path / "study.db", "print", SYSTEMS)
    other.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE study SET systems = x'00'",
        "DELETE FROM study",
        f"UPDATE question SET shown = '{'[' * 5000}'",
        "UPDATE question SET shown = '[1, 2, 3]'",
        """UPDATE question SET shown = '["one", "two", "four"]'""",
        "UPDATE question SET number = number || 'x'",
        "UPDATE ranking SET systems = '5'",
        "UPDATE ranking SET aspect = aspect || 'x'",
        "UPDATE visit SET pairs = 'many'",
        "DROP TABLE ranking",
        "CREATE TRIGGER begun AFTER INSERT ON visit BEGIN DELETE FROM ranking; END",
        "ALTER TABLE ranking RENAME TO old; CREATE VIEW ranking AS SELECT * FROM old",
    ],
)
def test_answers_that_nobody_gave_are_refused(answers: Answers, tmp_path: Path, change: str) -> None:
    answer(answers, answers.begin(PAIRS, 3))
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.executescript(change)
    database.close()
    study = "another print" if "study SET" in change else "print"
    with pytest.raises(DataError, match="is damaged") as refused:
        Answers(tmp_path / "study.db", study, SYSTEMS)
    assert len(str(refused.value).replace(str(tmp_path), "")) < 200
