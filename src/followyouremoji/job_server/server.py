"""The server's state: its folder, the queue, the keys, the results and the workers; and what is done to jobs."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
import shutil
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from followyouremoji.config import parse
from followyouremoji.errors import SettingsError, first_line
from followyouremoji.job_server.keys import Client, Keys
from followyouremoji.job_server.problems import Refused
from followyouremoji.job_server.request import PARTS, JobRequest, JobSettings
from followyouremoji.job_server.results import Results
from followyouremoji.job_server.settings import ServerSettings
from followyouremoji.job_server.supervisor import Supervisor
from followyouremoji.job_server.uploads import Form
from followyouremoji.job_server.worker import JOBS, QUEUE, RESULTS
from followyouremoji.jobs.folder import claimed
from followyouremoji.jobs.queue import Entry, Load, Queue
from followyouremoji.jobs.work import UNDER_WAY
from followyouremoji.requests.bundled import PORTRAIT_ENDING, PREFIX, example_names, motion_names
from followyouremoji.requests.request import ModelChoice

NAME = re.compile(r"[0-9a-f]{32}")
TIDY_EVERY = 60.0  # seconds

log = logging.getLogger(__name__)


class JobServer:
    """A context manager that holds the folder's lock; leaving it leaves jobs under way as they are.

    Raises SettingsError for a folder, a store or settings that cannot be used, and where others could reach the server
    without a key.
    """

    def __init__(self, settings: ServerSettings, model: ModelChoice) -> None:
        self.settings, self.model = settings, model
        place = settings.place
        self._held = claimed(place, JOBS, "server")
        self.keys = Keys(place)
        if not settings.local and not self.keys.clients():
            raise SettingsError(
                "others could reach the server, so it needs keys: make one with `fye serve key add NAME`",
                settings=["host"],
            )
        self.results = Results(settings.store or str(place / RESULTS))
        try:
            self.queue = Queue(place / QUEUE)
        except sqlite3.Error as reason:
            raise SettingsError(
                f"the queue {place / QUEUE} cannot be used ({reason}); move it away, or give another folder",
                settings=["folder"],
            ) from None
        self.ending = threading.Event()
        self.uploaded = 0
        """Bytes since the start."""
        self.workers: Supervisor | None = None
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._stopped.set()
        self.queue.close()
        self._held.release()

    def start(self) -> None:
        """Have workers work, and what is too old removed."""
        self.queue.release_all(killed=True)  # of a server that was killed, with its workers
        self._forget_leftovers()
        self.workers = Supervisor(self.settings, self.model)
        threading.Thread(target=self._tidy, name="tidying", daemon=True).start()

    def end(self, hurry: threading.Event) -> None:
        """Take no more jobs; those that run finish in the settings' grace or until `hurry` is set, or are saved."""
        self.ending.set()
        if self.workers is not None:
            self.workers.end(self.settings.grace, hurry)
            self.queue.release_all()

    @property
    def ready(self) -> bool:
        """Whether jobs are taken and done."""
        return not self.ending.is_set() and self.workers is not None and self.workers.ready > 0

    # Jobs

    def new_folder(self) -> Path:
        """For a job, by whose name the job will be known."""
        folder = self.settings.place / JOBS / secrets.token_hex(16)
        folder.mkdir()
        return folder

    def submit(self, folder: Path, form: Form, client: Client, key: str | None) -> tuple[Entry, bool]:
        """Put what a form in a folder asks for in the queue; also returns whether it is new: with a `key` that the
        client gave before, the same job is returned. Raises Refused, and UserError for what cannot be used. The folder
        is the new job's, or removed: whoever asked may not be there any more."""
        new = False
        try:
            entry, new = self._submit(folder.name, asked_of(form), client, key)
        finally:
            if not new:
                shutil.rmtree(folder, ignore_errors=True)
        return entry, new

    def _submit(
        self, identity: str, asked: JobRequest, client: Client, key: str | None
    ) -> tuple[Entry, bool]:

        def check(load: Load) -> None:
            limits = client.limits
            if load.own >= limits.jobs_waiting:
                raise Refused(
                    429, f"{load.own} of your jobs are waiting, and no more may", {"Retry-After": "10"}
                )
            if load.today >= limits.jobs_a_day:
                raise Refused(
                    429,
                    f"you have submitted {load.today} jobs today (UTC), and no more may be",
                    {"Retry-After": "3600"},
                )
            if load.all >= self.settings.most_waiting:
                raise Refused(503, "too many jobs are waiting here; come back later", {"Retry-After": "60"})

        request = TypeAdapter(JobRequest).dump_json(asked).decode()
        entry, new = self.queue.submit(identity, client.name, check, request, key)
        if not new and request_of(entry)["digest"] != asked.digest:
            raise Refused(422, "this Idempotency-Key was given with another request; give another")
        return entry, new

    def cancel(self, entry: Entry) -> Entry | None:
        """End a job that is under way; forget one that has ended, with its result: then None is returned."""
        if entry.state not in UNDER_WAY:
            self._forget(entry)
            return None
        cancelled = self.queue.cancel(entry.id, entry.owner)
        if cancelled is not None and cancelled.state == "cancelled":  # a running one's worker does it
            shutil.rmtree(self.settings.place / JOBS / entry.id, ignore_errors=True)
        return cancelled

    def _forget(self, entry: Entry) -> None:
        result = told_of(entry).get("result")
        if result is not None:
            self.results.remove(result["name"])
        self.queue.forget(entry.id)
        shutil.rmtree(self.settings.place / JOBS / entry.id, ignore_errors=True)

    def _tidy(self) -> None:
        while not self._stopped.wait(TIDY_EVERY):
            try:
                self.forget_old()
            except Exception as reason:  # of whatever reaches the store; it is tried again
                log.error("old jobs cannot be removed: %s", first_line(reason))

    def forget_old(self) -> None:
        """Remove jobs that ended longer ago than they are kept, with their results."""
        before = time.time() - 3600.0 * self.settings.keep_hours
        while old := self.queue.ended_before(before):
            for entry in old:
                self._forget(entry)

    def _forget_leftovers(self) -> None:
        """After a server that was killed: uploads that never became jobs, and files of jobs that have ended."""
        under_way = self.queue.identities(UNDER_WAY)
        for folder in (self.settings.place / JOBS).iterdir():
            if NAME.fullmatch(folder.name) and folder.name not in under_way:
                shutil.rmtree(folder, ignore_errors=True)


def asked_of(form: Form) -> JobRequest:
    """The job that a form asks for. Raises Refused and UserError."""
    known = {"portrait": example_names(PORTRAIT_ENDING), "motion": motion_names()}
    given, contents = {}, {}
    for part in PARTS:
        if part in form.files:
            given[part], contents[part] = form.files[part].name, form.digests[part]
            continue
        name = form.texts.get(part)
        if name is None:
            raise Refused(
                422, f"the part {part} is missing: give a file, or a name such as {PREFIX}{known[part][0]}"
            )
        if name.removeprefix(PREFIX) not in known[part] or not name.startswith(PREFIX):
            names = ", ".join(f"{PREFIX}{one}" for one in known[part])
            raise Refused(
                422, f"there is no {part} {name[:60]!r}; those that come with the server are {names}"
            )
        given[part] = contents[part] = name
    settings = parse(JobSettings, form.texts.get("settings") or "{}", "the settings", SettingsError)
    text = json.dumps([contents, TypeAdapter(JobSettings).dump_python(settings, mode="json")], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return JobRequest(**given, settings=settings, digest=digest)


def request_of(entry: Entry) -> dict[str, Any]:
    """What a `JobRequest` says as JSON: one of an earlier version may be none any more."""
    asked: dict[str, Any] = json.loads(entry.request)
    return asked


def told_of(entry: Entry) -> dict[str, Any]:
    """What a worker told of a job, see `worker.told`; empty before the first word."""
    told: dict[str, Any] = json.loads(entry.told)
    return told
