"""Visitors who wait for short work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from followyouremoji.studio.turns import Superseded, Turns


def test_visitors_take_turns_and_the_latest_request_of_one_counts() -> None:
    turns, order, held, go = Turns(), [], Event(), Event()

    def first() -> None:
        with turns.turn("ann"):
            held.set()
            go.wait()

    def ask(visitor: str, what: str) -> None:
        with turns.turn(visitor):
            order.append(what)

    def waiting() -> list[str]:
        return list(turns._waiting)

    with ThreadPoolExecutor(5) as threads:
        running = threads.submit(first)
        held.wait()
        early = threads.submit(ask, "ann", "ann, early")
        while waiting() != ["ann"]:
            pass
        bob = threads.submit(ask, "bob", "bob")
        while waiting() != ["ann", "bob"]:
            pass
        late = threads.submit(ask, "ann", "ann, late")
        with pytest.raises(Superseded):
            early.result()
        go.set()
        for one in (running, bob, late):
            one.result()
    assert order == ["ann, late", "bob"]


def test_a_turn_ends_where_the_work_fails() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.turn("ann"):
        _ = 1 / 0
    with turns.turn("ann"):
        pass
