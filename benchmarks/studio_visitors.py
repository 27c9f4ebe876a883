"""Several people in one studio at once: whether all get theirs, how long they wait, and what memory it takes.

    python benchmarks/studio_visitors.py [--visitors 10] [--rounds 3]

`fye studio` runs as a process. In each round new visitors come at once; each asks for what the page asks for: the page,
an upload of a portrait of their own, drawn at random, and of the same clip of 2 s, a preview, an animation, which is
looked after until it is done, and its file. A result is its visitor's own where their portrait is the one of all that
its first frame is nearest to. Prints, for each round, seconds on the clock, the seconds that visitors waited for their
preview and their result, and the server's resident memory; and what it logged. Linux.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier
from typing import Any

import numpy as np

from followyouremoji.benchmark.tables import markdown
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import read_picture, resize_picture, write_picture
from followyouremoji.portraits import Performance, draw_portrait, random_identity
from followyouremoji.requests.animation import animate
from followyouremoji.requests.request import AnimationRequest, ClipSettings, Output

SIDE, SMALL = 512, 64  # pixels: of a portrait, and of pictures that are compared
EVERY = 0.5  # seconds between looks at a job
NOTES = re.compile(r"^(INFO|WARNING): |^[IW]\d{4} |^The studio: ")  # of MediaPipe, and the first line


class Server:
    """`fye studio` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log.txt"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "followyouremoji",
                    "studio",
                    "--port",
                    "0",
                    "--folder",
                    str(folder / "studio"),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        while (found := re.search(r"http://127\.0\.0\.1:(\d+)/", self.log.read_text())) is None:
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        self.port = int(found[1])

    def memory(self, what: str) -> float:
        """Resident memory, megabytes: "VmRSS" now, "VmHWM" the most since the last `forget_peak`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{what}:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def faults(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line and not NOTES.match(line)]


@dataclass
class Waited:
    """Seconds from a visitor's coming."""

    preview: float
    result: float


class Visitor:
    def __init__(self, server: Server) -> None:
        self._server, self._cookie = server, ""

    def ask(self, method: str, path: str, content: bytes | dict[str, Any] | None = None) -> bytes:
        connection = HTTPConnection("127.0.0.1", self._server.port, timeout=3600)
        body = json.dumps(content).encode() if isinstance(content, dict) else content
        connection.request(method, path, body, {"content-type": "application/json", "cookie": self._cookie})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        self._cookie = (answer.getheader("set-cookie") or self._cookie).partition(";")[0]
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text!r}")
        return text

    def give(self, kind: str, path: Path) -> str:
        query = f"/studio/materials?kind={kind}&name={path.name}"
        return str(json.loads(self.ask("POST", query, path.read_bytes()))["id"])

    def visit(self, portrait: Path, clip: Path, result: Path, together: Barrier) -> Waited:
        """All that a visitor does; writes the file of the result."""
        together.wait()
        came = time.perf_counter()
        for path in ("/", "/studio/examples", "/studio/results"):
            self.ask("GET", path)
        wanted = {"portrait": self.give("portrait", portrait), "driving": self.give("driving", clip)}
        self.ask("POST", "/studio/preview", wanted)
        preview = time.perf_counter() - came
        made = json.loads(self.ask("POST", "/studio/results", wanted))
        while made["state"] in ("waiting", "running"):
            time.sleep(EVERY)
            made = json.loads(self.ask("GET", f"/studio/results/{made['id']}"))
        if made["state"] != "done":
            raise RuntimeError(f"{made['state']}: {made['error']}")
        result.write_bytes(self.ask("GET", f"/studio/results/{made['id']}/file"))
        return Waited(preview, time.perf_counter() - came)


def write_materials(folder: Path, visitors: int) -> tuple[list[Path], Path]:
    """A portrait for each visitor, and a clip of 2 s of somebody else."""
    random, portraits = np.random.default_rng(16), []
    for number in range(visitors):
        portraits.append(folder / f"portrait{number}.png")
        write_picture(
            portraits[-1], draw_portrait(random_identity(random, "person"), Performance(), SIDE).picture
        )
    clip = folder / "clip.mp4"
    animate(
        AnimationRequest(
            portrait="bundled:ada",
            driving="bundled:talk",
            output=Output(path=clip),
            clip=ClipSettings(duration="2s"),
        )
    )
    return portraits, clip


def nearest(result: Path, portraits: list[Path]) -> int:
    """The number of the portrait that a result is of."""
    with ClipReader(result) as clip:
        _, frame = next(iter(clip))
    seen = resize_picture(frame, (SMALL, SMALL)).astype(float)
    pictures = [resize_picture(read_picture(one), (SMALL, SMALL)).astype(float) for one in portraits]
    return int(np.argmin([np.abs(seen - picture).mean() for picture in pictures]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visitors", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder, rows = Path(name), list[list[str]]()
        portraits, clip = write_materials(folder, options.visitors)
        server = Server(folder)
        try:
            for number in range(1, options.rounds + 1):
                before = server.memory("VmRSS")
                server.forget_peak()
                together, began = Barrier(options.visitors), time.perf_counter()
                results = [folder / f"result{visitor}.mp4" for visitor in range(options.visitors)]
                with ThreadPoolExecutor(options.visitors) as pool:
                    visits = [
                        pool.submit(Visitor(server).visit, portrait, clip, result, together)
                        for portrait, result in zip(portraits, results, strict=True)
                    ]
                    waited = [visit.result() for visit in visits]
                wall = time.perf_counter() - began
                own = sum(nearest(result, portraits) == place for place, result in enumerate(results))
                previews, ends = (
                    sorted(getattr(one, what) for one in waited) for what in ("preview", "result")
                )
                rows.append(
                    [
                        f"{number}",
                        f"{own} of {options.visitors}",
                        f"{wall:.0f}",
                        *(f"{one[0]:.1f}, {np.median(one):.1f}, {one[-1]:.1f}" for one in (previews, ends)),
                        *(f"{size:.0f}" for size in (before, server.memory("VmHWM"), server.memory("VmRSS"))),
                    ]
                )
                print(rows[-1], file=sys.stderr, flush=True)
            faults = server.faults()
        finally:
            server.process.terminate()
            server.process.wait()
    heads = "round|got theirs|all, s|preview, s: first, median, last|result, s: first, median, last|MB before|MB peak|MB after"
    print(markdown([heads.split("|"), *rows]))
    print(f"{len(faults)} lines of faults in the log", *faults, sep="\n")


if __name__ == "__main__":
    main()
