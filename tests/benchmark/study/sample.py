"""A suite and results to try a study with: drawn people, and systems of which everybody knows the better one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.store import Results, Run, SystemItem
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
from followyouremoji.media.writing import ClipWriter
from followyouremoji.portraits import (
    DrawnPortrait,
    Performance,
    draw_portrait,
    expressive_motion,
    random_identity,
)
from tests.test_preparation import truth

RATE = 5.0
SYSTEMS = ("Heron: moves", "Kestrel: late", "Lapwing: still", "Plover: another face")
"""From the best to the worst in expression; names that stand nowhere else."""

STYLES = ("person", "cartoon", "painting")


def write_results(
    folder: Path, people: int = 2, side: int = 64, frames: int = 4, systems: int = len(SYSTEMS), seed: int = 0
) -> Results:
    """`folder/suite` with a pair for each of some portraits and as many driving clips, and in `folder/results` what
    some `SYSTEMS` made of it."""
    rng = np.random.default_rng(seed)
    suite_folder = folder / "suite"
    for name in ("portraits", "clips"):
        (suite_folder / name).mkdir(parents=True)

    def file(path: str) -> SuiteFile:
        return SuiteFile(path=path, sha256=hashlib.sha256((suite_folder / path).read_bytes()).hexdigest())

    known = {"licence": "Apache-2.0", "source": "drawn by a test"}
    identities, portraits = [], []
    for index in range(people):
        name, style = f"portrait-{index}", STYLES[index % len(STYLES)]
        identities.append(random_identity(rng, style))
        drawn = draw_portrait(identities[-1], Performance(), side)
        write_picture(suite_folder / f"portraits/{name}.png", drawn.picture)
        _motion([drawn]).save(suite_folder / f"portraits/{name}.fyemotion")
        picture, landmarks = file(f"portraits/{name}.png"), file(f"portraits/{name}.fyemotion")
        portraits.append(PortraitItem(name=name, style=style, picture=picture, landmarks=landmarks, **known))
    clips, pairs, made = [], [], {}
    for index in range(people):
        name, driver = f"clip-{index}", random_identity(rng, "person")
        moves = expressive_motion(rng, frames, RATE)
        driving = [draw_portrait(driver, move, side) for move in moves]
        _write_ffv1(suite_folder / f"clips/{name}.mkv", [one.picture for one in driving])
        _motion(driving).save(suite_folder / f"clips/{name}.fyemotion")
        footage = Footage(
            clip=file(f"clips/{name}.mkv"),
            motion=file(f"clips/{name}.fyemotion"),
            frames=frames,
            frame_rate=RATE,
        )
        clips.append(ClipItem(name=name, expression="talk", footage=footage, **known))
        for number, identity in enumerate(identities):
            pair = PairItem(name=f"pair-{number}-{index}", clip=name, portrait=f"portrait-{number}")
            moving = [draw_portrait(identity, move, side).picture for move in moves]
            late = [moving[max(0, frame - max(1, frames // 5))] for frame in range(frames)]
            made[pair.name] = (moving, late, [moving[0]] * frames, [one.picture for one in driving])
            pairs.append(pair)
    manifest = Manifest(
        name="sample", about="Drawn by a test.", size=side, portraits=portraits, clips=clips, pairs=pairs
    )
    (suite_folder / MANIFEST).write_text(manifest.to_json())
    suite, protocol = Suite.read(suite_folder), Protocol.here(size=side, frames=frames)
    run = Run(
        suite="sample",
        suite_folder=str(suite_folder),
        fingerprint=suite.fingerprint,
        protocol=protocol,
        systems=[SystemItem(name=one, described=one, fingerprint=one) for one in SYSTEMS[:systems]],
    )
    results = Results.begin(folder / "results", run)
    for case in suite.cases(protocol):
        for system, pictures in zip(SYSTEMS[:systems], made[case.name], strict=False):
            results.add(system, case, [])
            write_made(results, system, case.name, pictures)
    return results


def write_made(results: Results, system: str, pair: str, pictures: Sequence[np.ndarray]) -> None:
    """What a system made of a pair."""
    path = results.clip_path(system, pair)
    path.parent.mkdir(parents=True, exist_ok=True)
    with ClipWriter(path, RATE, pictures[0].shape[1::-1], overwrite=True) as writer:
        for picture in pictures:
            writer.write(picture)


def _motion(drawn: Sequence[DrawnPortrait]) -> Motion:
    frames, side = len(drawn), len(drawn[0].picture)
    return Motion(
        landmarks=np.stack([truth(one) for one in drawn]),
        timestamps=np.arange(frames) / RATE,
        frame_rate=RATE,
        size=(side, side),
        source="drawn",
        found=np.ones(frames, bool),
    )


def _write_ffv1(path: Path, pictures: list[np.ndarray]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(RATE))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = index, 1 / Fraction(RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
