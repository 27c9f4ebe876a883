"""Many clients of one job server at once: whether all jobs are done, each once, how quickly, and in what memory.

    python -m benchmarks.serve [--jobs 1000] [--clients 50] [--workers 2] [--kill 0]

`fye serve` runs as a process. Clients are threads with real HTTP connections, which come at once: each submits its
part of the jobs, looks after them until they are done, and fetches the results, of which every frame is decoded. A job
is a portrait of 256 pixels, one of a few that are drawn at random, moved for 8 frames by a bundled motion, an
expression, or a clip that is uploaded. `--kill N` ends the server and its workers by SIGKILL N times on the way and
starts another; clients ask again, with the same Idempotency-Key, until they are answered. Prints a table; with
`--output FOLDER` the server's folder and log stay there. Linux.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np

from benchmarks.served import Served
from followyouremoji.benchmark.tables import markdown
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import write_picture
from followyouremoji.portraits import Performance, draw_portrait, random_identity
from followyouremoji.requests.animation import animate
from followyouremoji.requests.request import AnimationRequest, ClipSettings, Output

SIDE, FRAMES, PORTRAITS = 256, 8, 4
EVERY = 0.5  # seconds between a client's looks at a job
PAUSE = 0.2  # seconds until a client asks again that was not answered
SETTINGS = {"clip": {"duration": str(FRAMES)}, "settings": {"size": 128}}


@dataclass
class Figures:
    """What clients saw."""

    status: list[float] = field(default_factory=list)
    """Seconds of each look at a job."""
    submits: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    """Seconds from a job's submission until its client had the result."""
    states: Counter[str] = field(default_factory=Counter)
    identities: list[str] = field(default_factory=list)
    unanswered: int = 0
    memory: list[tuple[float, float, float]] = field(default_factory=list)
    """Seconds since the start, and megabytes of the web process and of all workers."""


class Target:
    """The server that is at work now."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder, self._workers = folder, workers
        self.kills = 0
        self.served = self._start()

    def _start(self) -> Served:
        return Served(self._folder / "serve", "--workers", self._workers)

    def kill(self) -> None:
        """End it by SIGKILL, and start another."""
        self.kills += 1
        self.served.kill()
        self.served = self._start()

    def memory(self) -> tuple[float, float]:
        """Megabytes of the web process and of all workers."""
        workers = sum(resident(one) for one in self.served.workers())
        return resident(self.served.process.pid), workers


def resident(process: int) -> float:
    """Megabytes of memory that are a process's own; 0 where it has ended."""
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


class Client:
    """Submits jobs one after the other, and looks after all of them."""

    def __init__(self, target: Target, figures: Figures, number: int) -> None:
        self._target, self._figures, self._number = target, figures, number
        self._http = httpx.Client(timeout=120.0)

    def ask(self, times: list[float] | None, method: str, path: str, **how: Any) -> httpx.Response:
        """Ask until there is an answer: while there is no server, again."""
        while True:
            began = time.perf_counter()
            try:
                answer = self._http.request(method, self._target.served.address + path, **how)
            except httpx.TransportError:
                self._figures.unanswered += 1
                time.sleep(PAUSE)
                continue
            if answer.status_code in (429, 503):
                time.sleep(PAUSE)
                continue
            if times is not None:
                times.append(time.perf_counter() - began)
            return answer

    def work(self, jobs: list[dict[str, Any]], together: threading.Barrier, folder: Path) -> None:
        together.wait()
        waiting: dict[str, float] = {}
        for number, parts in enumerate(jobs):
            key = {"Idempotency-Key": f"{self._number}-{number}"}
            began = time.perf_counter()
            answer = self.ask(self._figures.submits, "POST", "/v1/jobs", files=parts, headers=key)
            answer.raise_for_status()
            waiting[answer.json()["id"]] = began
        while waiting:
            time.sleep(EVERY)
            for identity in list(waiting)[:2]:  # those that come next
                job = self.ask(self._figures.status, "GET", f"/v1/jobs/{identity}").json()
                if job["state"] in ("waiting", "running"):
                    continue
                self._figures.states[job["state"]] += 1
                self._figures.identities.append(identity)
                if job["state"] == "done":
                    self._check(job, folder / f"{identity}.mp4")
                self._figures.waited.append(time.perf_counter() - waiting.pop(identity))

    def _check(self, job: dict[str, Any], file: Path) -> None:
        file.write_bytes(self.ask(None, "GET", job["result"]["url"]).content)
        with ClipReader(file) as clip:
            assert sum(1 for _ in clip) == FRAMES, file
        file.unlink()


def forms(folder: Path) -> list[Callable[[], dict[str, Any]]]:
    """Makers of jobs' forms, all of whose contents are there already."""
    random = np.random.default_rng(19)
    portraits = []
    for number in range(PORTRAITS):
        path = folder / f"portrait{number}.png"
        write_picture(path, draw_portrait(random_identity(random, "person"), Performance(), SIDE).picture)
        portraits.append(path.read_bytes())
    clip = folder / "clip.mp4"
    animate(
        AnimationRequest(
            portrait="bundled:ada",
            driving="bundled:talk",
            output=Output(path=clip, max_side=SIDE),
            clip=ClipSettings(duration=f"{2 * FRAMES}"),
        )
    )
    content = clip.read_bytes()
    motions = [
        (None, "bundled:hello"),
        ("clip.mp4", content),
        (None, "bundled:smile"),
        (None, "bundled:talk"),
    ]
    return [
        lambda portrait=portrait, motion=motion: {
            "portrait": ("portrait.png", portrait),
            "motion": motion,
            "settings": (None, json.dumps(SETTINGS)),
        }
        for portrait in portraits
        for motion in motions
    ]


def share(times: list[float], part: float) -> str:
    """A quantile in milliseconds."""
    return f"{1000 * float(np.quantile(times, part)):.0f}" if times else "-"


def run(options: argparse.Namespace, folder: Path, target: Target, figures: Figures) -> float:
    """Have the clients do their work; returns the seconds that it took."""
    makers = forms(folder)
    target.served.wait_until_ready()
    together = threading.Barrier(options.clients + 1)
    jobs = [
        [makers[n % len(makers)]() for n in range(c, options.jobs, options.clients)]
        for c in range(options.clients)
    ]
    kills = [options.jobs * (n + 1) // (options.kill + 1) for n in range(options.kill)]
    with ThreadPoolExecutor(options.clients) as pool:
        works = [
            pool.submit(Client(target, figures, number).work, part, together, folder)
            for number, part in enumerate(jobs)
        ]
        together.wait()
        began = time.perf_counter()
        while not all(one.done() for one in works):
            time.sleep(1.0)
            figures.memory.append((time.perf_counter() - began, *target.memory()))
            if kills and sum(figures.states.values()) >= kills[0]:
                kills.pop(0)
                target.kill()
            if any(one.done() and one.exception() for one in works):
                break
        for one in works:
            one.result()
    return time.perf_counter() - began


def measure(options: argparse.Namespace, folder: Path) -> list[list[str]]:
    """Run the clients; returns the rows of the table."""
    figures, target = Figures(), Target(folder, options.workers)
    try:
        wall = run(options, folder, target, figures)
    except BaseException:
        target.served.kill()
        raise
    ended_jobs = dict(
        re.findall(
            r'fye_jobs_ended_total\{state="(\w+)"\} (\d+)', httpx.get(f"{target.served.address}/metrics").text
        )
    )
    files = list((folder / "serve" / "results").iterdir())
    code, _ = target.served.end()
    web, workers = ([row[column] for row in figures.memory] for column in (1, 2))
    third = max(1, len(web) // 3)
    return [
        ["jobs, clients, workers", f"{options.jobs}, {options.clients}, {options.workers}"],
        ["wall clock, s; s a job", f"{wall:.0f}; {wall / options.jobs:.2f}"],
        ["states that clients saw", ", ".join(f"{count} {state}" for state, count in figures.states.items())],
        ["ended as the server counts", ", ".join(f"{count} {state}" for state, count in ended_jobs.items())],
        ["different jobs; files of results", f"{len(set(figures.identities))}; {len(files)}"],
        ["kills; requests without an answer", f"{target.kills}; {figures.unanswered}"],
        [
            "status, ms: median, p95, most",
            ", ".join(share(figures.status, part) for part in (0.5, 0.95, 1.0)),
        ],
        [
            "submit, ms: median, p95, most",
            ", ".join(share(figures.submits, part) for part in (0.5, 0.95, 1.0)),
        ],
        [
            "result, s: first, median, last",
            ", ".join(f"{float(np.quantile(figures.waited, part)):.0f}" for part in (0, 0.5, 1)),
        ],
        [
            "web MB: median of first and last third",
            f"{np.median(web[:third]):.0f}, {np.median(web[-third:]):.0f}",
        ],
        ["workers MB: the same", f"{np.median(workers[:third]):.0f}, {np.median(workers[-third:]):.0f}"],
        ["exit code; lines in the log", f"{code}; {len(target.served.log.read_text().splitlines())}"],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill", type=int, default=0)
    parser.add_argument("--output", type=Path, default=None)
    options = parser.parse_args()
    if options.output is not None:
        options.output.mkdir(parents=True)
        rows = measure(options, options.output)
    else:
        with TemporaryDirectory() as name:
            rows = measure(options, Path(name))
    print(markdown([["what", "measured"], *rows]))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
