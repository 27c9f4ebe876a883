"""Readers of requests, settings and kept work: `followyouremoji.requests`, `stickers` and runs of training."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from followyouremoji.config import parse
from followyouremoji.requests.batch_folder import HIDDEN, RESULTS, BatchFolder
from followyouremoji.requests.events import Outcome
from followyouremoji.requests.request import AnimationRequest, BatchRequest, FaceChoice, Lora
from followyouremoji.requests.resume import LATENTS, REQUEST, KeptLatents, ResumeError, ResumeFolder
from followyouremoji.stickers.request import PackRequest, StickerRequest
from followyouremoji.training.config import load_run

from .reader import Reader, from_file

RECIPE = {"portrait": "a1", "driving": ["b2"], "weights": [["config.json", "c3"]], "steps": 2}
RESULT = {"path": "there.mp4"}
OUTCOME = Outcome(
    path=Path("there.mp4"), frames=4, size=(64, 48), frame_rate=25.0, sound=True, seconds=2.5, notes=()
)
CONFIGS = Path(__file__).parents[2] / "configs"
RUNS = ("bundled/autoencoder.toml", "decoder/bundled.toml", "distil/small4.toml", "paper/stage2.toml")
REQUESTS: dict[str, Any] = {
    "animation": AnimationRequest(
        portrait="me.jpg",
        driving="smile.mp4",
        loras=(Lora(file=Path("ada.safetensors")),),
        faces=(FaceChoice(face=1), FaceChoice(face=2, driving="wink.mp4")),
    ),
    "batch": BatchRequest(portraits=("faces/",), motions=("smile.mp4", "bundled:hello")),
    "sticker": StickerRequest(portrait="me.jpg", driving="smile", services=("telegram",)),
    "pack": PackRequest(portrait="me.jpg", services=("telegram", "signal")),
}


def in_folder(use: Callable[[Path], bytes]) -> bytes:
    """What `use` returns in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        return use(Path(folder))


def job(folder: Path) -> bytes:
    """The request in the folder of a finished job."""
    with ResumeFolder(folder / "job", RECIPE) as kept:
        kept.finish(RESULT, OUTCOME)
    return (folder / "job" / REQUEST).read_bytes()


def use_job(content: bytes) -> None:
    """Go on with a job; where it is another request's, be told what differs."""
    folder = Path(tempfile.gettempdir()) / "job"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / LATENTS).mkdir(parents=True)
    (folder / REQUEST).write_bytes(content)
    with ResumeFolder(folder, RECIPE) as kept:
        kept.outcome(RESULT)
    (folder / LATENTS / "1-000000.safetensors").touch()
    with suppress(ResumeError), ResumeFolder(folder, {**RECIPE, "steps": 3}):
        pass


def latents(folder: Path) -> bytes:
    KeptLatents(folder, 1, RECIPE).save(0, torch.zeros(4, 2, 3, 3))
    return next(folder.iterdir()).read_bytes()


def use_latents(path: Path) -> None:
    KeptLatents(path.parent, 1, RECIPE).load(0)


def result(folder: Path) -> bytes:
    """What a batch notes of a result."""
    with BatchFolder(folder / "batch") as kept:
        kept.note_made("a.mp4", RECIPE, OUTCOME)
        return (folder / "batch" / HIDDEN / RESULTS / "a.mp4.json").read_bytes()


def use_result(content: bytes) -> None:
    folder = Path(tempfile.gettempdir()) / "batch"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / HIDDEN / RESULTS).mkdir(parents=True)
    (folder / HIDDEN / RESULTS / "a.mp4.json").write_bytes(content)
    BatchFolder(folder).made("a.mp4")


def runs() -> Iterable[bytes]:
    return [(CONFIGS / name).read_bytes() for name in RUNS]


def seed(use: Callable[[Path], bytes]) -> Callable[[], Iterable[bytes]]:
    return lambda: [in_folder(use)]


READERS = (
    Reader("jobs/request", seed(job), use_job),
    Reader("jobs/latents", seed(latents), from_file(use_latents, "1-000000.safetensors")),
    Reader("jobs/result", seed(result), use_result),
    Reader("jobs/run", runs, from_file(load_run, "run.toml")),
    *(
        Reader(
            f"jobs/{name}",
            lambda request=request: [TypeAdapter(type(request)).dump_json(request)],  # type: ignore[misc]
            partial(parse, type(request), origin="the request"),
        )
        for name, request in REQUESTS.items()
    ),
)
