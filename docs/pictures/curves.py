"""Plots the losses of docs/logs as docs/pictures/training.png: `python docs/pictures/curves.py`."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

DOCS = Path(__file__).parents[1]
CURVES = {
    "autoencoder.csv": ("psnr", "autoencoder: PSNR, dB"),
    "stage1.csv": ("facial", "stage 1: facial fine-grained loss"),
    "stage2.csv": ("facial", "stage 2: facial fine-grained loss"),
}


def main() -> None:
    figure, axes = plt.subplots(1, len(CURVES), figsize=(12, 3.2), layout="constrained")
    for axis, (name, (column, title)) in zip(axes, CURVES.items(), strict=True):
        with (DOCS / "logs" / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        axis.plot([int(row["step"]) for row in rows], [float(row[column]) for row in rows])
        for before, after in pairwise(rows):
            if before.get("phase") != after.get("phase"):
                axis.axvline(int(after["step"]), color="0.6", linestyle=":")
        axis.set(title=title, xlabel="step")
        axis.grid(alpha=0.3)
    figure.savefig(DOCS / "pictures" / "training.png", dpi=100)


if __name__ == "__main__":
    main()
