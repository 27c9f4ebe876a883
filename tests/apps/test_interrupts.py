"""Ctrl-C ends what runs, also where it got lost, and lets it clear up."""

import _thread
import operator
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from fractions import Fraction

import av
import pytest

from followyouremoji.apps.interrupts import CLOCK, end_if_pressed, interrupts
from followyouremoji.apps.output import progress_bar

AGAIN = 0.2  # seconds, less than where a user presses Ctrl-C

pytestmark = pytest.mark.skipif(not CLOCK, reason="needs a timer that the system has not")


@pytest.fixture(autouse=True)
def as_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A shell may have started the tests with SIGINT ignored."""
    monkeypatch.setattr("followyouremoji.apps.interrupts.AGAIN", AGAIN)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    hooks = sys.excepthook, sys.unraisablehook
    yield
    end_if_pressed()  # does nothing where the block has ended
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert (sys.excepthook, sys.unraisablehook) == hooks
    signal.signal(signal.SIGINT, before)


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def interrupted(work: Callable[[], object]) -> bool:
    """Whether work that would go on ends by Ctrl-C."""
    with suppress(KeyboardInterrupt), interrupts() as pressed:
        work()
        time.sleep(60)
        pytest.fail("it went on")
    return pressed.came


def test_what_got_lost_is_raised_again() -> None:
    def lose() -> None:
        for _ in range(2):
            with suppress(KeyboardInterrupt):
                press()
                time.sleep(60)

    assert interrupted(lose)


def test_what_pyav_loses_is_raised_again() -> None:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=16, height=16, format=av.VideoFormat("rgb24"), time_base=Fraction(1, 25))
    graph.link_nodes(source, graph.add("palettegen"), graph.add("buffersink")).configure()

    def lose() -> None:
        with suppress(av.BlockingIOError):  # no line of Python runs between the signal and the error
            list(map(operator.call, [_thread.interrupt_main, graph.vpull]))

    assert interrupted(lose)


def test_what_clears_up_is_not_interrupted() -> None:
    cleared = []

    def frames() -> Generator[int, None, None]:
        try:
            yield 0
        finally:
            time.sleep(2.2 * AGAIN)
            cleared.append("frames")

    def work() -> None:
        with closing(frames()) as opened:
            next(opened)
            try:
                press()
            finally:
                time.sleep(2.2 * AGAIN)
                cleared.append("block")

    assert interrupted(work)
    assert cleared == ["block", "frames"]


def test_a_thread_that_works_hears_of_it_when_it_advances() -> None:
    heard = []

    def work() -> None:
        with progress_bar("Animating") as advance, ThreadPoolExecutor(1) as worker:
            advance(0, 2)
            try:
                press()
            finally:
                heard.append(worker.submit(advance, 1, 2).exception())

    assert interrupted(work)
    assert isinstance(heard[0], KeyboardInterrupt)


def test_nothing_happens_without_ctrl_c() -> None:
    with interrupts() as pressed:
        pass
    assert not pressed.came


def test_who_ignores_it_or_runs_in_a_thread_is_left_alone() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts() as pressed:
        press()
    assert not pressed.came
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seen = []

    def look() -> None:
        with interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
