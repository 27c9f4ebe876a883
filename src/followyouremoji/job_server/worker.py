"""A process that does jobs: it claims them, animates, publishes the results and notes what became of them.

It ends when the server does, however that ends: the pipe between them is closed then.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import to_json

from followyouremoji.config import parse
from followyouremoji.errors import ClipError, SettingsError, UserError, first_line
from followyouremoji.files import lock
from followyouremoji.job_server.request import PARTS, JobRequest, animation_request
from followyouremoji.job_server.results import Results
from followyouremoji.job_server.settings import ServerSettings
from followyouremoji.jobs.queue import Entry, Queue
from followyouremoji.jobs.work import Job
from followyouremoji.requests.bundled import EXAMPLES, PREFIX
from followyouremoji.requests.events import OnEvent, Outcome, Stage
from followyouremoji.requests.request import ModelChoice
from followyouremoji.storage import StorageError

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.job_server.memory import RememberingFinder

Order = Literal["finish", "save"]
"""To take no more jobs; and to give back the one that is under way."""

QUEUE, JOBS, RESULTS = "queue.sqlite", "jobs", "results"
"""In the server's folder."""
MADE, KEPT = "made", "kept"
"""In a job's folder: its result, and what is finished of it."""
KEPT_FROM = 48
"""Frames from which on what is finished of a job is kept on the way; shorter ones are made anew after a break."""
BEAT = 0.5
"""Seconds between words of a job under way."""
POLITE = 5
"""How much a worker leaves the processors to the server, whose answers are short (see nice(2))."""
IDLE = 0.1
"""Seconds between looks for a job."""
PAUSES = (1, 5, 30, 60, 0)
"""Seconds after each try to put a result into the store that failed."""
FAULT = "something went wrong that nobody foresaw; the server's log says more"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Post:
    """What a worker is told when it starts."""

    number: int
    settings: ServerSettings
    model: ModelChoice

    @property
    def name(self) -> str:
        return f"worker-{self.number}"

    @property
    def results(self) -> str:
        return self.settings.store or str(self.settings.place / RESULTS)


class Orders:
    """What the server says while a worker works; where it says nothing any more, the process ends."""

    def __init__(self, connection: Connection) -> None:
        self.finishing, self.saving = threading.Event(), threading.Event()
        self._connection = connection
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                order: Order = self._connection.recv()
                if order == "save":
                    self.saving.set()
                self.finishing.set()
        except (EOFError, OSError):
            os._exit(1)


def serve(post: Post, connection: Connection) -> None:
    """The process's work, until it is told to end. Sends "ready" when the model is loaded, or a sentence on why it
    cannot be."""
    for number in (signal.SIGINT, signal.SIGTERM):  # of a terminal or a service, to all its processes
        signal.signal(number, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(POLITE)
    orders = Orders(connection)
    place = post.settings.place
    while (held := lock(place / f"{post.name}.lock")) is None:  # one of a killed server is at its end
        if orders.finishing.wait(IDLE):
            return
    try:
        from followyouremoji.job_server.memory import RememberingFinder
        from followyouremoji.requests.animation import load_animator

        results, animator = Results(post.results), load_animator(post.model)
    except UserError as error:
        connection.send(str(error))
        return
    queue = Queue(place / QUEUE)
    with RememberingFinder() as finder:
        worker = Worker(post, queue, results, animator, finder, orders)
        connection.send("ready")
        worker.work()
    queue.close()
    held.release()


@dataclass(frozen=True)
class Worker:
    """Does one job after the other."""

    post: Post
    queue: Queue
    results: Results
    animator: PortraitAnimator
    finder: RememberingFinder
    orders: Orders

    def work(self) -> None:
        """Until the orders are to finish."""
        while not self.orders.finishing.is_set():
            entry = self.queue.claim(self.post.name)
            if entry is None:
                self.orders.finishing.wait(IDLE)
            else:
                self.do(entry)

    def do(self, entry: Entry) -> None:
        """A claimed job, to its end, or until it is given back."""
        place, about = self.post.settings.place, dict[str, Any]()
        folder = place / JOBS / entry.id
        job = Job(entry.id, entry.owner, partial(self._make, entry, folder, about))
        with self._telling(job) as lost:
            job.run()
        if lost.is_set():
            return
        if job.state == "cancelled" and self.orders.saving.is_set():
            self.queue.release(entry.id, self.post.name)  # which ends it where its client cancelled it
            return
        if self.queue.finish(entry.id, self.post.name, job.state, told(job, about, place)):
            shutil.rmtree(folder, ignore_errors=True)

    def _make(self, entry: Entry, folder: Path, about: dict[str, Any], on_event: OnEvent) -> None:
        from followyouremoji.requests.animation import animate
        from followyouremoji.requests.resume import ResumeError

        asked = parse(JobRequest, entry.request, "the job", SettingsError)
        frames = frames_of(asked, folder, self.post.settings)
        made = folder / MADE / f"result{'.png' if frames == 1 else f'.{asked.settings.format}'}"
        kept = folder / KEPT if frames >= KEPT_FROM else None
        goes_on = kept is not None and kept.exists()

        def make() -> Outcome:
            if kept is None or not kept.exists():
                shutil.rmtree(made.parent, ignore_errors=True)  # of a worker that was killed
            made.parent.mkdir(exist_ok=True)
            request = animation_request(asked, folder, made, self.post.model, kept)
            return animate(request, on_event, self._model, self.finder)

        try:
            outcome = make()
        except ResumeError:
            if not goes_on:
                raise
            log.warning("what was kept of the job %s is of no use, so it begins anew", entry.id)
            shutil.rmtree(folder / KEPT)
            outcome = make()
        name = f"{entry.id}{made.suffix}"
        size = self._publish(made, name, on_event)
        about |= outcome.model_dump(mode="json", include={"frames", "size", "frame_rate", "sound"})
        about |= {"name": name, "bytes": size}

    def _publish(self, made: Path, name: str, on_event: OnEvent) -> int:
        """Put a result in its place, for a while again and again: a store may be out of reach. Returns its bytes."""
        for pause in PAUSES:
            try:
                return self.results.publish(made, name)
            except (OSError, StorageError) as reason:
                log.error("%s cannot be put into the store: %s", name, first_line(reason))
            for _ in range(pause):
                on_event(Stage("encoding", "The result waits for the server's store"))
                time.sleep(1.0)
        raise UserError("the result could not be stored: the server's owner has to see to that")

    def _model(self, choice: ModelChoice) -> PortraitAnimator:
        from followyouremoji.requests.animation import load_animator

        # Another is asked for where a device's memory does not suffice.
        return self.animator if choice == self.post.model else load_animator(choice)

    @contextmanager
    def _telling(self, job: Job) -> Iterator[threading.Event]:
        """While the block runs, say every `BEAT` seconds how far a job is, and have it end where that is wanted; the
        event is set where it is somebody else's meanwhile."""
        ended, lost = threading.Event(), threading.Event()

        def tell() -> None:
            while not ended.wait(BEAT):
                try:
                    wanted = self.queue.renew(job.id, self.post.name, told(job, {}, self.post.settings.place))
                except sqlite3.OperationalError as reason:  # a full disk, perhaps: the lease lasts a while
                    log.error("how far a job is cannot be noted: %s", reason)
                    continue
                if wanted is None:
                    lost.set()
                if wanted is not False or self.orders.saving.is_set():
                    job.cancelling = True

        telling = threading.Thread(target=tell, name="telling", daemon=True)
        telling.start()
        try:
            yield lost
        finally:
            ended.set()
            telling.join()


def frames_of(asked: JobRequest, folder: Path, settings: ServerSettings) -> int:
    """How many frames a job would make, once its files are looked at. Raises UserError where they are not taken."""
    from followyouremoji.face.motion import MOTION_ENDINGS, Motion
    from followyouremoji.jobs.bounds import check_clip, check_motion, check_picture
    from followyouremoji.media.inputs import InputFile
    from followyouremoji.requests.bundled import driving_source
    from followyouremoji.requests.driving import Driving

    portrait, motion = (
        None if given.startswith(PREFIX) else folder / part / given
        for part, given in zip(PARTS, (asked.portrait, asked.motion), strict=True)
    )
    used, rate = asked.settings.clip.range, asked.settings.settings.frame_rate
    if portrait is not None:
        check_picture(InputFile(portrait.name, portrait), settings.upload_megapixels)
    if motion is not None and motion.suffix.lower() in MOTION_ENDINGS:
        check_motion(motion.name, Motion.read(motion), rate)
    elif motion is not None:
        check_clip(InputFile(motion.name, motion), used, settings.upload_megapixels)
    source = driving_source(asked.motion) if motion is None else motion
    frames = Driving(source, used, rate).expected_frames
    if frames > settings.most_frames:
        raise ClipError(
            f"{asked.motion} has {frames} frames, and up to {settings.most_frames} are taken: use a part of it, with `start` "
            "and `duration`",
            settings=["start", "duration"],
        )
    return frames


def told(job: Job, about: dict[str, Any], place: Path) -> str:
    """What a client may know of a job, as JSON: files by the names that it gave, and no path of this machine."""
    uploads = re.compile(re.escape(f"{place / JOBS}{os.sep}") + r"[0-9a-f]{32}/(?:\w+/)?")
    examples = re.compile(re.escape(f"{EXAMPLES}{os.sep}") + r"(\w+)\.\w+")

    def in_words(sentence: str) -> str:
        return examples.sub(rf"{PREFIX}\1", uploads.sub("", sentence))

    error = FAULT if job.fault else job.error
    return to_json(
        {
            "stage": in_words(job.stage),
            "done": job.done,
            "total": job.total,
            "notes": [{**asdict(note), "sentence": in_words(note.sentence)} for note in list(job.notes)],
            "error": None if error is None else in_words(error),
            "error_settings": job.error_settings,
            "result": about or None,
        }
    ).decode()
