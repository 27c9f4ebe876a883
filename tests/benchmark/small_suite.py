"""A suite of three pairs in moments: drawn people, six frames of 96 pixels, with exact landmarks and true results."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from followyouremoji.benchmark.lossless import write_lossless
from followyouremoji.benchmark.suite import (
    MANIFEST,
    ClipItem,
    Footage,
    Manifest,
    PairItem,
    PortraitItem,
    Suite,
    SuiteFile,
)
from followyouremoji.face.motion import Motion
from followyouremoji.media.pictures import write_picture
from followyouremoji.portraits import (
    DrawnPortrait,
    Performance,
    draw_portrait,
    expressive_motion,
    random_identity,
)
from tests.test_preparation import truth

SIZE, FRAMES, RATE = 96, 6, 8.0


def write_small_suite(folder: Path) -> Suite:
    """Ada's clip for self-reenactment, and Bob driven by it, once with the true result and once without."""
    folder.mkdir()
    rng = np.random.default_rng(17)
    ada, bob = random_identity(rng, "person"), random_identity(np.random.default_rng(3), "person")
    performed = expressive_motion(rng, FRAMES, RATE)
    still = draw_portrait(bob, Performance(), SIZE)
    write_picture(folder / "bob.png", still.picture)
    motion_of([still]).save(folder / "bob.fyemotion")
    terms = {"licence": "CC0", "source": "drawn"}
    clip = write_footage(folder, "ada", [draw_portrait(ada, one, SIZE) for one in performed])
    true = write_footage(folder, "truth", [draw_portrait(bob, one, SIZE) for one in performed])
    manifest = Manifest(
        name="small",
        about="Drawn for tests.",
        size=SIZE,
        portraits=[
            PortraitItem(
                name="bob", style="person", picture=file_of(folder, "bob.png"),
                landmarks=file_of(folder, "bob.fyemotion"), **terms,
            )
        ],
        clips=[ClipItem(name="ada", expression="talk", footage=clip, **terms)],
        pairs=[
            PairItem(name="ada_self", clip="ada"),
            PairItem(name="bob_true", clip="ada", portrait="bob", truth=true),
            PairItem(name="bob_ada", clip="ada", portrait="bob"),
        ],
    )  # fmt: skip
    (folder / MANIFEST).write_text(manifest.to_json())
    return Suite.read(folder)


def write_footage(folder: Path, name: str, drawn: Sequence[DrawnPortrait]) -> Footage:
    write_lossless(folder / f"{name}.mkv", np.stack([one.picture for one in drawn]), RATE)
    motion_of(drawn).save(folder / f"{name}.fyemotion")
    return Footage(
        clip=file_of(folder, f"{name}.mkv"),
        motion=file_of(folder, f"{name}.fyemotion"),
        frames=len(drawn),
        frame_rate=RATE,
    )


def motion_of(drawn: Sequence[DrawnPortrait]) -> Motion:
    landmarks = np.stack([truth(one) for one in drawn])
    times, found = np.arange(len(drawn)) / RATE, np.ones(len(drawn), bool)
    return Motion(landmarks, times, RATE, (SIZE, SIZE), "drawn", found)


def file_of(folder: Path, name: str) -> SuiteFile:
    return SuiteFile(path=name, sha256=hashlib.sha256((folder / name).read_bytes()).hexdigest())
