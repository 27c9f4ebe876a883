"""Visitors' jobs take turns, and end in every way."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import numpy as np
import pytest

from followyouremoji.errors import PictureError, SettingsError
from followyouremoji.jobs import work as work_module
from followyouremoji.jobs.work import Job
from followyouremoji.requests.events import Frame, OnEvent, Progress, Stage
from followyouremoji.studio import jobs as jobs_module
from followyouremoji.studio.jobs import MOST_WAITING, Jobs

PATIENCE = 30.0


class Gate:
    """Work that waits until it is let go on, and tells when it is at work."""

    def __init__(self) -> None:
        self.began, self.go_on = Event(), Event()

    def __call__(self, on_event: OnEvent) -> None:
        self.began.set()
        assert self.go_on.wait(PATIENCE)
        on_event(Stage("generating", "Making frames"))


class Ends:
    """Jobs in the order in which they ended."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._last: dict[Job, Event] = {}

    def __call__(self, job: Job) -> None:
        self.jobs.append(job)
        self.of(job).set()

    def of(self, job: Job) -> Event:
        return self._last.setdefault(job, Event())

    def wait(self, job: Job) -> None:
        assert self.of(job).wait(PATIENCE)

    @property
    def names(self) -> list[str]:
        return [job.id for job in self.jobs]


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    with Jobs() as opened:
        yield opened


@pytest.fixture
def ends() -> Ends:
    return Ends()


def nothing(on_event: OnEvent) -> None:
    pass


def test_visitors_take_turns_not_clicks(jobs: Jobs, ends: Ends) -> None:
    gate = Gate()
    first = jobs.submit("a0", "ada", gate, ends)
    assert gate.began.wait(PATIENCE)
    a1, a2, a3 = (jobs.submit(f"a{number}", "ada", nothing, ends) for number in (1, 2, 3))
    b1, b2 = (jobs.submit(f"b{number}", "bob", nothing, ends) for number in (1, 2))
    c1 = jobs.submit("c1", "cy", nothing, ends)
    order = [first, a1, b1, c1, a2, b2, a3]
    assert [jobs.place(job) for job in order] == list(range(7))
    assert [one.state for one in order] == ["running", *["waiting"] * 6]
    gate.go_on.set()
    ends.wait(a3)
    assert ends.jobs == order  # as the places said
    assert {job.state for job in order} == {"done"}
    assert jobs.place(a3) == 0


def test_a_job_is_its_visitor_s_and_is_forgotten_when_it_has_ended(jobs: Jobs, ends: Ends) -> None:
    gate = Gate()
    job = jobs.submit("1", "ada", gate, ends)
    assert gate.began.wait(PATIENCE)
    assert jobs.find("1", "ada") is job
    assert jobs.find("1", "eve") is None
    assert jobs.find("2", "ada") is None
    after = jobs.submit("2", "ada", nothing, ends)
    gate.go_on.set()
    ends.wait(after)
    assert jobs.find("1", "ada") is None
    assert jobs._queue.counts() == {}


def test_cancelling_in_every_state(jobs: Jobs, ends: Ends) -> None:
    gate = Gate()
    running = jobs.submit("running", "ada", gate, ends)
    assert gate.began.wait(PATIENCE)
    waiting, stays = jobs.submit("waiting", "bob", nothing, ends), jobs.submit("stays", "bob", nothing, ends)
    alone = jobs.submit("alone", "cy", nothing, ends)
    jobs.cancel(waiting)
    jobs.cancel(waiting)
    jobs.cancel(alone)
    assert ends.names == ["waiting", "alone"]
    assert jobs.place(stays) == 1
    jobs.cancel(running)
    assert running.state == "running"  # until its next step
    gate.go_on.set()
    ends.wait(stays)
    assert ends.names == ["waiting", "alone", "running", "stays"]
    assert [job.state for job in ends.jobs] == ["cancelled"] * 3 + ["done"]
    jobs.cancel(stays)
    assert stays.state == "done"


def test_what_a_job_tells(jobs: Jobs, ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(work_module, "monotonic", lambda: now)
    seen, told = Event(), Event()
    picture = np.zeros((4, 4, 3), np.uint8)

    def work(on_event: OnEvent) -> None:
        nonlocal now
        on_event(Stage("generating", "Making frames"))
        now += 10.0
        on_event(Progress(done=2, total=8))
        on_event(Frame(number=1, picture=picture))
        told.set()
        assert seen.wait(PATIENCE)

    job = jobs.submit("1", "ada", work, ends)
    assert told.wait(PATIENCE)
    assert (job.stage, job.done, job.total, job.number) == ("Making frames", 2, 8, 1)
    assert job.frame is picture
    assert job.seconds_left == pytest.approx(30.0)
    seen.set()
    ends.wait(job)
    assert job.seconds_left is None


def test_one_s_failure_is_no_other_s(
    jobs: Jobs, ends: Ends, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(work_module, "sentence", lambda error: f"unforeseen: {error}")

    def bad_input(on_event: OnEvent) -> None:
        raise PictureError("x.png is no picture")

    def fault(on_event: OnEvent) -> None:
        raise ZeroDivisionError("by 0")

    def cannot_be_noted(job: Job) -> None:
        raise OSError("no space")

    refused = jobs.submit("1", "ada", bad_input, ends)
    failed = jobs.submit("2", "ada", fault, ends)
    jobs.submit("3", "ada", nothing, cannot_be_noted)
    last = jobs.submit("4", "ada", nothing, ends)
    ends.wait(last)
    assert (refused.state, refused.error) == ("failed", "x.png is no picture")
    assert (failed.state, failed.error) == ("failed", "unforeseen: by 0")
    assert last.state == "done"
    assert [record.message for record in caplog.records] == [
        "a job failed",
        "what became of a job could not be noted",
    ]


def test_lines_are_bounded(jobs: Jobs, ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    jobs.submit("running", "ada", gate, ends)
    assert gate.began.wait(PATIENCE)
    waiting = [jobs.submit(f"{number}", "ada", nothing, ends) for number in range(MOST_WAITING)]
    with pytest.raises(SettingsError, match="200 are waiting already"):
        jobs.submit("more", "ada", nothing, ends)
    monkeypatch.setattr(jobs_module, "MOST_WAITING_IN_ALL", MOST_WAITING + 1)
    jobs.submit("bob's", "bob", nothing, ends)
    with pytest.raises(SettingsError, match="come back later"):
        jobs.submit("cy's", "cy", nothing, ends)
    assert jobs._queue.load("cy").own == 0
    gate.go_on.set()
    ends.wait(waiting[-1])


def test_leaving_interrupts_what_runs_and_leaves_what_waits(ends: Ends) -> None:
    began = Event()

    def endless(on_event: OnEvent) -> None:
        began.set()
        while True:
            on_event(Progress(done=1, total=None))

    with Jobs() as jobs:
        running = jobs.submit("running", "ada", endless, ends)
        assert began.wait(PATIENCE)
        waiting = jobs.submit("waiting", "ada", nothing, ends)
    ends.wait(running)
    assert (running.state, waiting.state) == ("interrupted", "waiting")
    assert ends.jobs == [running]
