"""A queue that several processes share: turns, claims, leases, and ends that count once."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.jobs.queue import MOST_DEATHS, Entry, Load, Queue


def anything(load: Load) -> None:
    """No bound."""


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    opened = Queue(tmp_path / "queue.sqlite")
    yield opened
    opened.close()


def claimed(queue: Queue, worker: str = "w") -> Entry:
    entry = queue.claim(worker)
    assert entry is not None
    return entry


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["submit", "cancel", "work"]), st.integers(0, 3)), max_size=40))
def test_places_tell_the_order_in_which_jobs_are_done(steps: list[tuple[str, int]]) -> None:
    """Whatever happened before: when nothing else comes, the job of place n is claimed after n others."""
    queue = Queue()
    for number, (step, owner) in enumerate(steps):
        waiting = queue.listed(f"owner{owner}", 100, "waiting")
        if step == "submit":
            queue.submit(f"{number}", f"owner{owner}", anything)
        elif step == "cancel" and waiting:
            cancelled = queue.cancel(waiting[-1].id, waiting[-1].owner)
            assert cancelled is not None
            assert cancelled.state == "cancelled"
        elif step == "work" and (entry := queue.claim("w")) is not None:
            queue.finish(entry.id, "w", "done")
    entries = [entry for owner in range(4) for entry in queue.listed(f"owner{owner}", 100, "waiting")]
    places = {entry.id: queue.place(entry) for entry in entries}
    order = []
    while (entry := queue.claim("w")) is not None:
        order.append(entry.id)
        assert queue.finish(entry.id, "w", "done")
    assert places == {identity: place for place, identity in enumerate(order)}
    queue.close()


def test_many_workers_do_each_job_once(tmp_path: Path) -> None:
    """Each with connections of its own, as processes have."""
    jobs, done = [f"{number}" for number in range(60)], list[str]()
    first = Queue(tmp_path / "queue.sqlite")

    def submit(part: list[str], owner: str) -> None:
        mine = Queue(tmp_path / "queue.sqlite")
        for identity in part:
            mine.submit(identity, owner, anything)
        mine.close()

    def work(name: str) -> None:
        mine = Queue(tmp_path / "queue.sqlite")
        end = time.monotonic() + 60
        while first.counts().get("done", 0) < len(jobs) and time.monotonic() < end:
            if (entry := mine.claim(name)) is not None and mine.finish(entry.id, name, "done"):
                done.append(entry.id)
        mine.close()

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    threads += [threading.Thread(target=submit, args=(jobs[part::3], f"owner{part}")) for part in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(done) == Counter(jobs)
    assert [(state, count) for state, count, _, _ in first.totals()] == [("done", len(jobs))]
    first.close()


def test_what_a_killed_worker_left_is_its_successor_s_at_once_and_others_when_the_lease_has_ended(
    queue: Queue,
) -> None:
    queue.submit("a", "ada", anything)
    assert claimed(queue, "w0").id == "a"
    assert queue.claim("w1") is None
    again = claimed(queue, "w0")
    assert (again.id, again.deaths) == ("a", 1)
    assert queue.renew("a", "w0", "{}", lease=-1.0) is False
    assert claimed(queue, "w1").id == "a"
    assert queue.renew("a", "w0", "{}") is None  # which comes back, and has lost it
    assert not queue.finish("a", "w0", "failed")
    assert queue.finish("a", "w1", "done")
    assert queue.counts() == {"done": 1}


def test_a_job_that_kills_its_workers_fails(queue: Queue) -> None:
    queue.submit("a", "ada", anything)
    for _ in range(MOST_DEATHS):
        assert claimed(queue).id == "a"
    assert queue.claim("w") is None
    (entry,) = queue.listed("ada", 1)
    assert entry.state == "failed"
    assert "killed" in entry.told


def test_a_released_job_is_the_next_and_no_death_is_counted(queue: Queue) -> None:
    for identity, owner in (("a1", "ada"), ("a2", "ada"), ("b1", "bob")):
        queue.submit(identity, owner, anything)
    assert claimed(queue).id == "a1"
    queue.release("a1", "w")
    assert [queue.place(entry) for entry in queue.listed("ada", 5)] == [2, 0]  # the latest first
    again = claimed(queue)
    assert (again.id, again.deaths) == ("a1", 0)
    assert queue.cancel("a1", "ada") is not None
    assert queue.renew("a1", "w", "{}") is True
    queue.release("a1", "w")
    assert queue.counts() == {"cancelled": 1, "waiting": 2}


def test_what_a_killed_server_left_waits_again_in_its_order(queue: Queue) -> None:
    for identity, owner in (("a1", "ada"), ("b1", "bob"), ("a2", "ada")):
        queue.submit(identity, owner, anything)
    assert [claimed(queue, f"w{number}").id for number in range(2)] == ["a1", "b1"]
    queue.cancel("b1", "bob")
    queue.release_all()
    assert queue.counts() == {"cancelled": 1, "waiting": 2}
    again = claimed(queue)
    assert (again.id, again.deaths) == ("a1", 0)


def test_a_job_that_kills_its_server_each_time_fails(queue: Queue) -> None:
    """As where a container's memory runs out: else no server would ever get past it."""
    queue.submit("a", "ada", anything)
    for _ in range(MOST_DEATHS):
        assert claimed(queue).id == "a"
        queue.release_all(killed=True)
    assert (queue.claim("w"), queue.counts()) == (None, {"failed": 1})


def test_a_full_disk_refuses_what_comes_and_no_more(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.sqlite")
    queue.submit("a", "ada", anything)
    (pages,) = queue._writer.execute("PRAGMA page_count").fetchone()
    queue._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        queue.submit("b", "ada", anything, "x" * 100_000)
    queue._writer.execute("PRAGMA max_page_count = 100000")
    assert queue.submit("b", "ada", anything)[1]
    assert [claimed(queue).id, queue.load("ada").today] == ["a", 2]
    queue.close()


def test_a_key_gives_the_same_job_whoever_is_quicker(tmp_path: Path) -> None:
    """Of clients that submit at once with the same key, one is new; another owner's key is another."""
    found, together = list[tuple[str, bool]](), threading.Barrier(8)

    def submit(number: int) -> None:
        mine = Queue(tmp_path / "queue.sqlite")
        together.wait()
        entry, new = mine.submit(f"{number}", "ada", anything, key="once")
        found.append((entry.id, new))
        mine.close()

    Queue(tmp_path / "queue.sqlite").close()
    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({identity for identity, _ in found}) == 1
    assert sum(new for _, new in found) == 1
    queue = Queue(tmp_path / "queue.sqlite")
    assert queue.submit("other", "bob", anything, key="once")[1]
    assert queue.load("ada") == Load(own=1, all=2, today=1)
    queue.close()


def test_what_is_refused_leaves_nothing(queue: Queue) -> None:
    def full(load: Load) -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        queue.submit("a", "ada", full)
    assert (queue.counts(), queue.load("ada").today, queue.claim("w")) == ({}, 0, None)


def test_a_job_under_way_is_not_forgotten(queue: Queue) -> None:
    queue.submit("a", "ada", anything)
    queue.forget("a")
    assert queue.find("a", "ada") is not None
    assert queue.find("a", "bob") is None
    queue.cancel("a", "ada")
    queue.forget("a")
    assert queue.find("a", "ada") is None
