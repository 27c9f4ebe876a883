"""How near a face fitted to its named points comes to the true landmarks, for docs/formats/points_file.md.

python benchmarks/placed_points.py [--faces 40]

Drawn faces with exact landmarks, in random expressions, of every style: all named points are given as they are, with
the noise of a hand, or with one of them dropped elsewhere; of profiles those of the visible side alone. Errors are
means over the mesh, in distances between the outer corners of the eyes of the same head seen from the front.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from followyouremoji.face.fitting import fit_face
from followyouremoji.face.placed_points import POINTS
from followyouremoji.face.topology import N_MESH
from followyouremoji.portraits import STYLES, Identity, Performance, random_identity
from followyouremoji.portraits.truth import exact_landmarks

SIZE = (512, 512)
VISIBLE = [name for name in POINTS if "left" not in name]
FEW = ["right_pupil", "left_pupil", "nose_tip", "mouth_right", "mouth_left"]
NOISE, DROPPED = 0.02, 0.3  # eye distances
CASES = {  # yaw, points, noise, how far one is dropped
    "frontal": (0.0, [*POINTS], 0.0, 0.0),
    "frontal, placed by a hand": (0.0, [*POINTS], NOISE, 0.0),
    "frontal, one dropped": (0.0, [*POINTS], 0.0, DROPPED),
    "frontal, five points": (0.0, FEW, 0.0, 0.0),
    "turned by 40 degrees": (40.0, [*POINTS], 0.0, 0.0),
    "turned by 40 degrees, one dropped": (40.0, [*POINTS], 0.0, DROPPED),
    "profile, 60 degrees": (60.0, VISIBLE, 0.0, 0.0),
    "profile, 80 degrees": (80.0, VISIBLE, 0.0, 0.0),
    "profile, 80 degrees, one dropped": (80.0, VISIBLE, 0.0, DROPPED),
}


def pixels(who: Identity, moment: Performance) -> np.ndarray:
    """Exact landmarks (478, 2)."""
    found: np.ndarray = exact_landmarks(who, [moment])[0, :, :2] * SIZE
    return found


def measure(
    style: str, faces: int, yaw: float, names: list[str], noise: float, dropped: float
) -> tuple[list[float], list[float]]:
    """Errors of some faces, and the milliseconds of a core that each fit took."""
    rng = np.random.default_rng(0)
    errors, times = [], []
    for _ in range(faces):
        who = random_identity(rng, style)
        moment = replace(Performance.random(rng), yaw=yaw)
        true, front = pixels(who, moment), pixels(who, replace(moment, yaw=0.0))
        unit = float(np.linalg.norm(front[33] - front[263]))
        points = {name: true[list(POINTS[name].landmarks)].mean(axis=0) for name in names}
        points = {name: place + noise * unit * rng.normal(size=2) for name, place in points.items()}
        angle = rng.uniform(0.0, 2.0 * np.pi)
        points[str(rng.choice(names))] += dropped * unit * np.array([np.cos(angle), np.sin(angle)])
        began = time.process_time()
        fitted = fit_face(points, SIZE)
        times.append(1e3 * (time.process_time() - began))
        apart = np.linalg.norm(fitted.landmarks.points - true, axis=1)[:N_MESH]
        errors.append(float(apart.mean()) / unit)
    return errors, times


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=int, default=40)
    faces = parser.parse_args().faces
    print(f"| | {' | '.join(STYLES)} | worst | ms |\n|---|{'---|' * (len(STYLES) + 2)}")
    for title, case in CASES.items():
        found = [measure(style, faces, *case) for style in STYLES]
        cells = [f"{np.mean(errors):.3f}" for errors, _ in found]
        worst = max(max(errors) for errors, _ in found)
        milliseconds = np.median([one for _, times in found for one in times])
        print(f"| {title} | {' | '.join(cells)} | {worst:.2f} | {milliseconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
