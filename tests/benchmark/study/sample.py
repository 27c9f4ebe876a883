"""A suite and results to try a study with: drawn people, and systems of which everybody knows the better one."""

from __future__ import annotations

import hashlib
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
from followyouremoji.portraits import draw_portrait, expressive_motion, random_identity
from tests.test_preparation import truth

RATE = 25.0
SYSTEMS = ("Heron: moves", "Kestrel: late", "Lapwing: still", "Plover: another face")
"""Names that stand nowhere else."""

STYLES = ("person", "cartoon", "painting")


def write_results(
    folder: Path, pairs: int = 5, side: int = 64, frames: int = 6, systems: int = len(SYSTEMS), seed: int = 0
) -> Results:
    """`folder/suite`, and results of some `SYSTEMS` in `folder/results`."""
    rng = np.random.default_rng(seed)
    suite_folder, made = folder / "suite", {}
    for name in ("portraits", "clips"):
        (suite_folder / name).mkdir(parents=True)

    def file(path: str) -> SuiteFile:
        return SuiteFile(path=path, sha256=hashlib.sha256((suite_folder / path).read_bytes()).hexdigest())

    portraits, clips, items = [], [], []
    for index in range(pairs):
        name = f"pair-{index:02d}"
        driver, who, stranger = (random_identity(rng, style) for style in ("person", STYLES[index % 3], "person"))
        moves = expressive_motion(rng, frames, RATE)
        driving = [draw_portrait(driver, move, side) for move in moves]
        result = np.stack([draw_portrait(who, move, side).picture for move in moves])
        portrait = draw_portrait(who, moves[0], side)
        write_picture(suite_folder / f"portraits/{name}.png", portrait.picture)
        _motion([truth(portrait)], side).save(suite_folder / f"portraits/{name}.fyemotion")
        _write_ffv1(suite_folder / f"clips/{name}.mkv", [one.picture for one in driving])
        _motion([truth(one) for one in driving], side).save(suite_folder / f"clips/{name}.fyemotion")
        made[name] = [
            result,
            result[np.maximum(0, np.arange(frames) - max(1, frames // 5))],
            np.repeat(result[:1], frames, axis=0),
            np.stack([draw_portrait(stranger, move, side).picture for move in moves]),
        ]
        known = {"licence": "Apache-2.0", "source": "drawn by a test"}
        portraits.append(
            PortraitItem(
                name=name,
                style=STYLES[index % 3],
                picture=file(f"portraits/{name}.png"),
                landmarks=file(f"portraits/{name}.fyemotion"),
                **known,
            )
        )
        footage = Footage(
            clip=file(f"clips/{name}.mkv"), motion=file(f"clips/{name}.fyemotion"), frames=frames, frame_rate=RATE
        )
        clips.append(ClipItem(name=name, expression="talk", footage=footage, **known))
        items.append(PairItem(name=name, clip=name, portrait=name))
    manifest = Manifest(
        name="sample", about="Drawn by a test.", size=side, portraits=portraits, clips=clips, pairs=items
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
            path = results.clip_path(system, case.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with ClipWriter(path, RATE, (side, side)) as writer:
                for picture in pictures:
                    writer.write(picture)
            results.add(system, case, [])
    return results


def _motion(landmarks: list[np.ndarray], side: int) -> Motion:
    frames = len(landmarks)
    return Motion(
        landmarks=np.stack(landmarks),
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
