"""A small suite, drawn, and results on it of systems whose worth is known: what a report is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from followyouremoji.benchmark.metrics import Measured, measure
from followyouremoji.benchmark.metrics.networks import Networks
from followyouremoji.benchmark.observation import Observer
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.report.clips import encoded
from followyouremoji.benchmark.store import SECONDS, Results, Run, SystemItem
from followyouremoji.benchmark.suite import (
    MANIFEST,
    Case,
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
from followyouremoji.portraits import Identity, Performance, draw_portrait, random_identity

STYLES = ("person", "animal", "painting")
EXPRESSIONS = ("smile", "surprised", "wink_left", "pout")
HOSTILE = "<script>alert('x')</script> & 50%_a|b"
MISSING = "vgg16 is not in the folder of downloads; fetch it with fye bench fetch"


Figures = Mapping[str, Mapping[str, "Mapping[str, float] | str"]]


def truth_of(case: Case) -> np.ndarray:
    return case.driving if case.truth is None else case.truth


def copy(case: Case) -> np.ndarray:
    return np.repeat(case.portrait[None], case.frames, axis=0)


def near(case: Case) -> np.ndarray:
    """The truth with a little noise."""
    truth = truth_of(case)
    noise = np.random.default_rng(1).normal(0, 4, truth.shape)
    return (truth + noise).clip(0, 255).astype(np.uint8)


def late(case: Case) -> np.ndarray:
    """The truth two frames late and blurred."""
    truth = truth_of(case)
    return np.stack([cv2.GaussianBlur(truth[max(0, frame - 2)], (0, 0), 2.0) for frame in range(len(truth))])


SYSTEMS: dict[str, tuple[str, Callable[[Case], np.ndarray]]] = {
    "copy": ("copy", copy),
    "near": ("near=models/near?steps=8", near),
    HOSTILE: ("late=models/late", late),
    "truth": ("truth", truth_of),
}


def drawn_suite(folder: Path, pairs: int = 3, size: int = 96, frames: int = 6) -> Suite:
    """A suite of `pairs` self- and as many cross-reenactments, whose truth is drawn."""
    portraits, clips, both = [], [], []
    for place in range(pairs):
        rng = np.random.default_rng(place)
        style, expression = STYLES[place % len(STYLES)], EXPRESSIONS[place % len(EXPRESSIONS)]
        driver, who = random_identity(rng, "person"), random_identity(rng, style)
        neutral = [Performance.neutral()]
        performed = [
            Performance.of(expression, strength) for strength in np.sin(np.linspace(0, np.pi, frames))
        ]
        portrait = f"{style}-{place}"
        drawn = draw_portrait(who, neutral[0], size)
        (folder / "portraits").mkdir(parents=True, exist_ok=True)
        write_picture(folder / "portraits" / f"{portrait}.png", drawn.picture)
        landmarks = _footage(folder, f"portraits/{portrait}", who, neutral, size, clip=False)
        picture = _file(folder, f"portraits/{portrait}.png")
        portraits.append(
            PortraitItem(
                name=portrait,
                style=style,
                picture=picture,
                landmarks=landmarks.motion,
                licence="CC0",
                source="drawn",
            )
        )
        name = f"{expression}-{place}"
        footage = _footage(folder, f"clips/{name}", driver, performed, size)
        clips.append(
            ClipItem(name=name, expression=expression, footage=footage, licence="CC0", source="drawn")
        )
        truth = _footage(folder, f"truth/{name}", who, performed, size)
        both += [
            PairItem(name=f"self-{name}", clip=name),
            PairItem(name=f"{portrait}-{name}", clip=name, portrait=portrait, truth=truth),
        ]
    manifest = Manifest(
        name="drawn-sample",
        about="A few people, animals and paintings, drawn for the tests of reports.",
        size=size,
        portraits=portraits,
        clips=clips,
        pairs=both,
    )
    (folder / MANIFEST).write_text(manifest.to_json())
    return Suite.read(folder)


def measured_results(
    suite: Suite, folder: Path, systems: Sequence[str] = tuple(SYSTEMS), failing: Sequence[str] = ()
) -> Results:
    """Real figures of the sample's systems; the hostile one fails on the pairs in `failing`."""
    protocol = Protocol.here(suite.manifest.size, 64, {"i3d": "0" * 64})
    run = Run(
        suite=suite.manifest.name,
        suite_folder=str(suite.folder),
        fingerprint=suite.fingerprint,
        protocol=protocol,
        systems=[SystemItem(name=one, described=SYSTEMS[one][0], fingerprint=one[:4]) for one in systems],
        missing={"lpips": MISSING, "tlpips": MISSING},
    )
    results = Results.begin(folder, run)
    with Observer() as observer:
        for case in suite.cases(protocol):
            for system in systems:
                if system == HOSTILE and case.name in failing:
                    results.add(system, case, [], f"{case.name}: <b>no face</b> was found in it")
                    continue
                frames = SYSTEMS[system][1](case)
                measured = [
                    *measure(observer.observe(case, frames), Networks()),
                    Measured(SECONDS, 0.01 * len(system)),
                    _features(frames, case),
                ]
                results.add(system, case, measured, clip=encoded(iter(frames), 10.0))
    return results


def written_results(folder: Path, figures: Figures, run: Run | None = None) -> Results:
    """Results with figures by hand, on a suite that is nowhere: by system and pair, by metric; a text is why the system
    failed. Pairs that begin with "self" are self-reenactments, the others cross; the part after a "-" is the style."""
    run = run or written_run(list(figures))
    results = Results.begin(folder, run)
    for system, pairs in figures.items():
        for name, measured in pairs.items():
            case = _case_by_hand(name, run.protocol)
            if isinstance(measured, str):
                results.add(system, case, [], measured)
            else:
                results.add(system, case, [Measured(metric, value) for metric, value in measured.items()])
    return results


def written_run(systems: Sequence[str], protocol: Protocol | None = None) -> Run:
    return Run(
        suite="by hand",
        suite_folder="/nowhere",
        fingerprint="f" * 64,
        protocol=protocol or Protocol(),
        systems=[SystemItem(name=one, described=one, fingerprint=one) for one in systems],
        missing={"lpips": MISSING},
    )


def _case_by_hand(name: str, protocol: Protocol) -> Case:
    file = SuiteFile(path="x", sha256="0" * 64)
    clip = ClipItem(
        name="clip",
        expression="smile",
        style=name.split("-")[1],
        footage=Footage(clip=file, motion=file, frames=9, frame_rate=9.0),
        licence="CC0",
        source="by hand",
    )
    who = PortraitItem(
        name="who", style=clip.style, picture=file, landmarks=file, licence="CC0", source="by hand"
    )
    is_self = name.startswith("self")
    pair = PairItem(name=name, clip="clip", portrait=None if is_self else "who")
    return Case(Path("/nowhere"), protocol, pair, clip, None if is_self else who)


def _features(frames: np.ndarray, case: Case) -> Measured:
    """What stands for a video network's: mean colours, one feature a clip."""
    means = [clip.reshape(-1, 3).mean(axis=0, dtype=np.float64)[None] for clip in (frames, case.driving)]
    return Measured("fvd", float("nan"), means[0].astype(np.float32), means[1].astype(np.float32))


def _footage(
    folder: Path, stem: str, who: Identity, performed: Sequence[Performance], size: int, clip: bool = True
) -> Footage:
    drawn = [draw_portrait(who, performance, size) for performance in performed]
    points = np.stack([one.points for one in drawn])
    landmarks = np.concatenate([points / size, np.zeros((*points.shape[:2], 1))], axis=-1).astype(np.float32)
    found = np.ones(len(drawn), bool)
    path = folder / f"{stem}.fyemotion"
    path.parent.mkdir(parents=True, exist_ok=True)
    Motion(landmarks, np.arange(len(drawn)) / 10.0, 10.0, (size, size), "drawing", found).save(path)
    if clip:
        _write_clip(folder / f"{stem}.mp4", np.stack([one.picture for one in drawn]))
    file = _file(folder, f"{stem}.mp4") if clip else _file(folder, f"{stem}.fyemotion")
    return Footage(clip=file, motion=_file(folder, f"{stem}.fyemotion"), frames=len(drawn), frame_rate=10.0)


def _write_clip(path: Path, frames: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with ClipWriter(path, 10.0, (frames.shape[2], frames.shape[1])) as writer:
        for frame in frames:
            writer.write(frame)


def _file(folder: Path, path: str) -> SuiteFile:
    return SuiteFile(path=path, sha256=hashlib.sha256((folder / path).read_bytes()).hexdigest())
