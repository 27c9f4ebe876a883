"""Results of any animator, as `fye bench run` measures them: a folder of clips named by pair.

    python benchmarks/result_videos.py SUITE RESULTS
    fye bench run SUITE --system mine=videos:RESULTS

Put your animator into `animate`. Frame n of a result belongs to frame n of the driving clip. PAIR.mp4, .webm, .mkv,
.mov and .gif are read too; a folder of PNGs, as here, loses nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.suite import Suite
from followyouremoji.media.writing import ClipWriter


def animate(portrait: np.ndarray, driving: np.ndarray) -> np.ndarray:
    """Yours: from uint8 (S, S, 3) and (T, S, S, 3), RGB, to the result (T, S, S, 3); here the portrait stands still."""
    return np.repeat(portrait[None], len(driving), axis=0)


def main(suite: Path, results: Path) -> None:
    results.mkdir(exist_ok=True)
    for case in Suite.read(suite).cases(Protocol(size=256, frames=64)):
        with ClipWriter(results / case.name, 25.0, (case.size, case.size), overwrite=True) as writer:
            for frame in animate(case.portrait, case.driving):
                writer.write(frame)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
