"""A studio that is killed while its visitor's animations are made."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from tests.kills.contents import content
from tests.kills.killing import PATIENCE, Kill, end, environment
from tests.kills.trials import LATER, LATEST, Tally, left_behind

WANTED = 2  # animations, equal ones
ASKED = {"portrait": "bundled:ada", "driving": "bundled:hello", "controls": {"length": 0.1}}
STEPS = 60
"""Among which of its steps in its folder a studio is killed: beginning, and making two animations, takes about so
many."""


class Gone(Exception):
    """The studio was killed."""


class Visit:
    """A studio, and its visitor until both have what they want or the studio is killed."""

    def __init__(self, folder: Path, kill: Kill | None) -> None:
        self._cookie = folder.parent / "cookie"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "followyouremoji", "studio", "--port", "0", "--folder", str(folder)],
            env=environment(folder, kill),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)/", line)
        self._port = int(found[1]) if found else 0

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *reason: object) -> None:
        end(self._process)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What a route answers. Raises Gone."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        headers = {"content-type": "application/json"}
        if self._cookie.exists():
            headers["cookie"] = self._cookie.read_text()
        try:
            connection.request(method, f"/studio/{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException):
            self._process.wait(PATIENCE)
            raise Gone from None
        finally:
            connection.close()
        if cookie := answer.getheader("set-cookie"):
            self._cookie.write_text(cookie.partition(";")[0])
        assert answer.status < 300, text
        return json.loads(text)

    def results(self) -> dict[str, str]:
        """States of the visitor's results. Raises Gone."""
        return {one["id"]: one["state"] for one in self.ask("GET", "results")}

    def work(self) -> None:
        """Ask for what is not done yet, and wait for it. Raises Gone."""
        for _ in range(WANTED - list(self.results().values()).count("done")):
            self.ask("POST", "results", ASKED)
        until = time.monotonic() + PATIENCE
        while {"waiting", "running"} & set(self.results().values()):
            assert time.monotonic() < until, self.results()
            time.sleep(0.1)

    def leave(self) -> int:
        """End the studio; its exit code. Raises Gone."""
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(PATIENCE)
        if code == -signal.SIGKILL:
            raise Gone
        return code


def killed_studio(place: Path, times: int, seed: int = 0) -> Tally:
    """Kill a studio so often; each goes on in the folder of the last one, until a visitor has both animations."""
    tally, rng, whole = Tally(), random.Random(seed), ""
    while tally.broken < times or not whole:
        shutil.rmtree(place, ignore_errors=True)
        folder, done = place / "studio", set[str]()
        folder.mkdir(parents=True)
        while True:
            kill = None
            if whole and tally.broken < times:
                later = rng.uniform(0.0, LATEST) if rng.random() < LATER else 0.0
                kill = Kill(rng.randint(1, STEPS), later)
            try:
                with Visit(folder, kill) as visit:
                    states = visit.results()
                    tally.faults += [
                        f"{one} was done, and is not {kill}" for one in done if states.get(one) != "done"
                    ]
                    tally.faults += [f"{fault} {kill}" for fault in wrong(folder, states, whole)]
                    visit.work()
                    states = visit.results()
                    code = visit.leave()
            except Gone:
                tally.broken += 1
                done = {one.name for one in finished(folder)}
                tally.resumed += bool(done)
                tally.absent += not done
                continue
            whole = whole or content(next(folder.glob("visitors/*/results/*/result.mp4")))
            tally.ends += 1
            tally.faults += wrong(folder, states, whole)
            if code != 0 or list(states.values()).count("done") != WANTED:
                tally.faults.append(f"exit code {code}, {states} {kill}")
            break
    return tally


def finished(folder: Path) -> Iterator[Path]:
    """Folders of the results that are noted as done."""
    for note in folder.glob("visitors/*/results/*/result.json"):
        if json.loads(note.read_bytes())["state"] == "done":
            yield note.parent


def wrong(folder: Path, states: dict[str, str], whole: str) -> Iterator[str]:
    """What is not as it should be in the folder of a studio that has nothing under way."""
    yield from left_behind(folder)
    for identity, state in states.items():
        (result,) = folder.glob(f"visitors/*/results/{identity}")
        file = result / "result.mp4"
        if state not in ("done", "interrupted"):
            yield f"{identity} is {state}"
        elif file.exists() != (state == "done"):
            yield f"{identity} is {state}, and its file is {'' if file.exists() else 'not '}there"
        elif state == "done" and content(file) != whole:
            yield f"the file of {identity} is another"
