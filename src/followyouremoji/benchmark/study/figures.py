"""What came of a study: average ranks with intervals over visitors, their agreement, and every ranking as a table."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np

from followyouremoji.benchmark.report.content import papers
from followyouremoji.benchmark.statistics import average_ranks, bootstrap_interval, kendall_w
from followyouremoji.benchmark.study.answers import ASPECTS, Answers, Question
from followyouremoji.benchmark.tables import as_text, number
from followyouremoji.errors import DataError
from followyouremoji.files import atomic_output

COLUMNS = ("visitor", "question", "repeats", "pair", "aspect", "system", "shown_as", "rank")


@dataclass(frozen=True)
class Study:
    """The answers of a study, read once.

    Attributes
    ----------
    visits : the questions of each visitor who gave an answer, in the order of visits.
    totals : of how many questions each visit was.
    """

    systems: tuple[str, ...]
    visits: tuple[tuple[Question, ...], ...]
    totals: tuple[int, ...]

    @classmethod
    def of(cls, answers: Answers) -> Study:
        took_part = {
            token: tuple(question for question in questions if question.rankings)
            for token, questions in answers.questions().items()
            if any(question.rankings for question in questions)
        }
        return cls(answers.systems, tuple(took_part.values()), tuple(map(answers.total, took_part)))

    @property
    def finished(self) -> int:
        """Visitors who answered all that they were asked."""
        ends = zip(self.visits, self.totals, strict=True)
        return sum(len(questions) == total and _is_whole(questions[-1]) for questions, total in ends)

    @property
    def rankings(self) -> int:
        """That were given in all."""
        return sum(len(question.rankings) for questions in self.visits for question in questions)

    @cached_property
    def visitors_a_pair(self) -> dict[str, int]:
        """How many visitors ranked each pair that somebody did, repetitions aside."""
        pairs = [one.pair for questions in self.visits for one in questions if one.repeats is None]
        return {pair: pairs.count(pair) for pair in dict.fromkeys(pairs)}

    def mean_ranks(self, aspect: str) -> np.ndarray:
        """(V, K): of each visitor who ranked for this aspect, each system's mean rank; repetitions do not count."""
        rows = []
        for questions in self.visits:
            ranks = [
                [one.rankings[aspect].index(system) + 1 for system in self.systems]
                for one in questions
                if one.repeats is None and aspect in one.rankings
            ]
            if ranks:
                rows.append(np.mean(ranks, axis=0))
        return np.array(rows).reshape(-1, len(self.systems))

    def agreement(self, aspect: str) -> float:
        """Kendall's W of the visitors, each of whom orders the systems by their mean ranks; NaN for fewer than two."""
        return kendall_w(average_ranks(self.mean_ranks(aspect)))

    @cached_property
    def consistency(self) -> list[float]:
        """Of each visitor who answered the repeated question, Kendall's tau between both rankings, the mean of what
        was asked: 1 for the same order, about 0 for one who does not look."""
        taus = []
        for questions in self.visits:
            for again in (one for one in questions if one.repeats is not None):
                first = questions[(again.repeats or 0) - 1]
                both = [aspect for aspect in ASPECTS if aspect in again.rankings]
                taus.append(
                    float(np.mean([kendall_tau(first.rankings[one], again.rankings[one]) for one in both]))
                )
        return taus

    def text(self) -> str:
        """What the command line prints: the study's table and, beside it, the paper's."""
        counts = self.visitors_a_pair.values()
        least, most = min(counts), max(counts)
        lines = [
            f"Visitors: {len(self.visits)}, {self.finished} of them to the end. Rankings: {self.rankings}. "
            f"Pairs: {len(counts)}, each seen by {least if least == most else f'{least} to {most}'}.",
            "",
            f"Average rank among {len(self.systems)} systems, 1 is best, with 95 % intervals over visitors",
            as_text(self._rows()),
        ]
        if taus := self.consistency:
            against = sum(tau <= 0 for tau in taus)
            lines += [
                "",
                f"A question asked twice: Kendall's tau of both rankings {np.mean(taus):.2f}, the mean of {len(taus)} visitors; "
                f"{against} at 0 or below.",
            ]
        return "\n".join([*lines, "", *_papers_lines()])

    def _rows(self) -> list[list[str]]:
        rows = [["", *(aspect.capitalize() for aspect in ASPECTS)], *([system] for system in self.systems)]
        for aspect in ASPECTS:
            ranks = self.mean_ranks(aspect)
            for row, values in zip(rows[1:], ranks.T, strict=True):
                mean = float(values.mean()) if len(values) else math.nan
                low, high = bootstrap_interval(values) if len(values) > 1 else (math.nan, math.nan)
                interval = f" [{number(low, 2)}, {number(high, 2)}]" if len(values) > 1 else ""
                row.append(number(mean, 2) + interval)
        agreements = [self.agreement(aspect) for aspect in ASPECTS]
        rows.append(["agreement of visitors (Kendall's W)", *(number(value, 2) for value in agreements)])
        return rows

    def write_csv(self, path: Path, overwrite: bool) -> None:
        """A row for each visitor, question, aspect and system; visitors are numbered, tokens stay in the database.

        Raises DataError where the file exists or cannot be written.
        """
        with (
            atomic_output(path, overwrite, DataError) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as opened,
        ):
            writer = csv.writer(opened)
            writer.writerow(COLUMNS)
            for visitor, questions in enumerate(self.visits, 1):
                for one in questions:
                    for aspect, ranked in one.rankings.items():
                        for rank, system in enumerate(ranked, 1):
                            shown_as = chr(ord("A") + one.shown.index(system))
                            about = (visitor, one.number, one.repeats or "", one.pair)
                            writer.writerow((*about, aspect, system, shown_as, rank))


def kendall_tau(first: Sequence[str], second: Sequence[str]) -> float:
    """Kendall's rank correlation of two orders of the same things: the share of pairs in the same order, less the
    share of those in the other."""
    signs = [1 if second.index(one) < second.index(other) else -1 for one, other in combinations(first, 2)]
    return sum(signs) / len(signs)


def _is_whole(question: Question) -> bool:
    return len(question.rankings) == len(ASPECTS)


def _papers_lines() -> list[str]:
    """The paper's user study: the columns of its Table 1 that are ranks."""
    table = papers()["tables"][0]
    ranks = [index for index, column in enumerate(table["columns"]) if column["title"].startswith("rank")]
    rows = [[name, *(cells[index] for index in ranks)] for name, cells in table["rows"].items()]
    heading = ["", *(table["columns"][index]["title"].partition(": ")[2].capitalize() for index in ranks)]
    return [
        f"For orientation, the paper's own study (Table 1): other portraits, clips and visitors, {len(rows)} systems",
        as_text([heading, *rows]),
    ]
