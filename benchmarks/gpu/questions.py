"""A question about a GPU, and how it is asked: within its time, whatever fails."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from statistics import median
from types import FrameType

import torch

from benchmarks.denoiser import Stopwatch
from benchmarks.gpu.sizes import Sizes
from followyouremoji.errors import UserError, first_line

Figures = dict[str, float | str]
"""A row's figures by the titles of their columns, which name the units."""

GIB = 1 << 30
PATIENCE = 2.0
"""A question is stopped after so many times the seconds that it should take."""


@dataclass(frozen=True)
class Case:
    """A row of an answer: its name, and what measures its figures."""

    name: str
    measure: Callable[[], Figures]


Cases = Generator[Case, None, None]


@dataclass(frozen=True)
class Question:
    """What is asked of a device.

    Attributes
    ----------
    name : short, of a few words.
    answers : what the table tells, a sentence.
    seconds : that it should take at full size on a data centre's GPU.
    cases : its rows, made one after the other; what they share is prepared before the first.
    """

    name: str
    answers: str
    seconds: float
    cases: Callable[[torch.device, Sizes], Cases]


def question(
    name: str, answers: str, seconds: float
) -> Callable[[Callable[[torch.device, Sizes], Cases]], Question]:
    """Make a question of the function that makes its cases."""
    return lambda cases: Question(name, answers, seconds, cases)


@dataclass(frozen=True)
class Row:
    """A case's figures, or why there are none."""

    name: str
    figures: Figures
    problem: str = ""


@dataclass
class Answer:
    """The rows of a question, the seconds that they took, and why there are no more; "" where these are all."""

    question: Question
    rows: list[Row] = field(default_factory=list)
    seconds: float = 0.0
    unfinished: str = ""


class OutOfTime(BaseException):
    """A question's time is over. No `Exception`, so that what is at work does not take it for a failure of its own."""


def ask_all(
    questions: Sequence[Question], device: torch.device, sizes: Sizes, seconds: float
) -> Iterator[Answer]:
    """Ask one question after the other, each as long as `PATIENCE` and the time that is left allow.

    A question that should take longer than what is left is skipped, and its answer says so; a shorter one may come
    after it.
    """
    end = time.perf_counter() + seconds
    for question in questions:
        left = end - time.perf_counter()
        if left < question.seconds:
            yield Answer(
                question,
                unfinished=f"Skipped: it takes {question.seconds:.0f} s, {max(left, 0):.0f} s are left.",
            )
        else:
            yield ask(question, device, sizes, min(PATIENCE * question.seconds, left))
            release(device)


def ask(question: Question, device: torch.device, sizes: Sizes, limit: float) -> Answer:
    """Ask a question for at most `limit` seconds. Its rows so far are kept, whatever ends it."""
    answer, begun = Answer(question), time.perf_counter()
    try:
        with time_limit(limit), closing(question.cases(device, sizes)) as cases:
            for case in cases:
                answer.rows.append(measured(case))
                release(device)
    except OutOfTime:
        answer.unfinished = f"Stopped after {limit:.3g} s, before its next row was measured."
    except Exception as error:  # the other questions go on
        answer.unfinished = f"Failed: {in_words(error)}"
    answer.seconds = time.perf_counter() - begun
    return answer


def measured(case: Case) -> Row:
    """A case's row; a failure is one too."""
    try:
        return Row(case.name, case.measure())
    except Exception as error:  # the other rows go on
        return Row(case.name, {}, in_words(error))


def in_words(error: Exception) -> str:
    """What went wrong, in a line."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return "out of memory"
    if isinstance(error, UserError):
        return str(error)
    return f"{type(error).__name__}: {first_line(error)}"


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in the block after so many seconds. In the main thread of a POSIX system alone."""

    def end(signum: int, frame: FrameType | None) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def release(device: torch.device) -> None:
    """Give a GPU's memory back that nothing holds any more."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()


def cost(
    device: torch.device,
    call: Callable[[], object],
    repeats: int,
    warm_ups: int = 1,
    before: Callable[[], object] = lambda: None,
) -> Figures:
    """The median seconds of a call, after calls that warm up, and on a GPU the most memory that tensors took; `before`
    prepares each call and is not timed."""
    stopwatch = Stopwatch(device.type, single=False)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds = []
    for _ in range(warm_ups + repeats):
        before()
        seconds.append(stopwatch(call))
    figures: Figures = {"seconds": median(seconds[warm_ups:])}
    if device.type == "cuda":
        figures["peak GiB"] = torch.cuda.max_memory_allocated(device) / GIB
    return figures
