"""How long one picture of a portrait takes, as in an editor of expressions, where each moved slider asks for another.

    python benchmarks/one_picture.py [--sizes 512 1024] [--rounds 5] [--threads 1]

The bundled model poses the bundled portrait, scaled to each size, whose landmarks are known. Four ways, in turns, the
least of the rounds: an *animation* of one pose (`PortraitAnimator.prepare` and `frames`); the *first picture* of a new
`PoseSession`; a *further picture* of one; and the *points* alone, which no network makes. Prints milliseconds on the
clock, of the processor (all threads), and the ratio of the latter to the animation's. On a machine that does other work
the processor's time is the fairer one to compare.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

import cv2
import torch
from faces import PORTRAIT, alternated

from followyouremoji.animator import AlignmentSettings, PortraitAnimator
from followyouremoji.benchmark.tables import markdown
from followyouremoji.face.detection import Landmarks
from followyouremoji.media.pictures import read_picture, resize_picture
from followyouremoji.posing import PoseSession
from followyouremoji.requests.bundled import portrait_landmarks, portrait_path

KEEP = AlignmentSettings(portrait_expression="keep")
POSES = [replace(KEEP, pose={"smile": amount, "yaw": 20 * amount}) for amount in (0.2, 0.5, 0.8, 1.0)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    animator = PortraitAnimator.from_pretrained("bundled", "cpu")
    rows: list[list[str]] = []
    for size in options.sizes:
        costs = alternated(ways(animator, size), options.rounds)
        whole = costs["animation"].processor
        rows += [
            [
                f"{size}x{size}",
                way,
                f"{cost.clock:.1f}",
                f"{cost.processor:.1f}",
                f"{cost.processor / whole:.2f}",
            ]
            for way, cost in costs.items()
        ]
    print(markdown([["portrait", "", "ms", "processor ms", "ratio"], *rows]))


def ways(animator: PortraitAnimator, size: int) -> dict[str, Callable[[], int]]:
    """What is measured, by name; each returns how many poses it made."""
    path = portrait_path(PORTRAIT)
    picture = resize_picture(read_picture(path), (size, size))
    known = portrait_landmarks(path)
    assert known is not None
    landmarks = Landmarks(known, (size, size))

    def new_session() -> PoseSession:
        return PoseSession(animator, picture, portrait_landmarks=landmarks)

    session = new_session()
    session.picture(session.own, KEEP)

    def animation() -> int:
        for pose in POSES:
            prepared = animator.prepare(picture, session.own, alignment=pose, portrait_landmarks=landmarks)
            next(animator.frames(prepared))
        return len(POSES)

    def first() -> int:
        new = new_session()
        new.picture(new.own, POSES[0])
        return 1

    def further() -> int:
        for pose in POSES:
            session.picture(session.own, pose)
        return len(POSES)

    def points() -> int:
        for pose in POSES:
            session.points(session.own, pose)
        return len(POSES)

    return {"animation": animation, "first picture": first, "further picture": further, "points": points}


if __name__ == "__main__":
    main()
