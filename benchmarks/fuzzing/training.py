"""Readers of what a training run keeps: `followyouremoji.training`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from followyouremoji.files import write_json
from followyouremoji.training.checkpointing import FORMAT, read_checkpoint
from followyouremoji.training.drawings import DESCRIPTION, DrawingSettings, mapped, read_settings
from followyouremoji.training.fingerprint import FILE, same_encoder, write_fingerprint
from followyouremoji.training.journal import append, rewind
from followyouremoji.training.origin import ORIGIN_FILE, Origin, read_origin, write_origin

from .motion import written
from .reader import Reader, from_file

SHAPE = (2, 3, 4)


def checkpoints() -> Iterable[bytes]:
    weight = {"weight": torch.zeros(3, 2), "bias": torch.zeros(2, dtype=torch.float16)}
    run = {"module": weight, "average": weight, "optimiser": {"weight": {"step": 1}}, "scaler": {}}
    state = {"format": FORMAT, **run, "step": 3, "seconds": 1.5, "skipped": 0}
    yield written(lambda path: torch.save(state, path), "step-00000003.pt")


def pictures() -> Iterable[bytes]:
    yield written(lambda path: np.save(path, np.zeros(SHAPE, np.uint8)), "pictures.npy")


def drawings() -> Iterable[bytes]:
    yield written(
        lambda path: write_json(path, asdict(DrawingSettings(identities=2, pictures=3))), DESCRIPTION
    )


def use_log(path: Path) -> None:
    rewind(path, 2)
    append(path, {"step": 3, "loss": 0.5})


READERS = (
    Reader("training/checkpoint", checkpoints, from_file(read_checkpoint, "step-00000003.pt")),
    Reader(
        "training/log", lambda: [b"step,loss\r\n1,0.5\r\n2,0.4\r\n3,0.3\r\n"], from_file(use_log, "log.csv")
    ),
    Reader(
        "training/drawings",
        drawings,
        from_file(lambda path: read_settings(path.parent), DESCRIPTION),
    ),
    Reader(
        "training/pictures",
        pictures,
        from_file(lambda path: mapped(path, np.uint8, SHAPE, "draw it again."), "pictures.npy"),
    ),
    Reader(
        "training/encoder",
        lambda: [written(lambda path: write_fingerprint(path.parent, 64 * "0"), FILE)],
        from_file(lambda path: same_encoder(path.parent, 64 * "0"), FILE),
    ),
    Reader(
        "training/origin",
        lambda: [
            written(lambda path: write_origin(path.parent, Origin(drawn=True, starts=("a",))), ORIGIN_FILE)
        ],
        from_file(lambda path: read_origin(path.parent), ORIGIN_FILE),
    ),
)
