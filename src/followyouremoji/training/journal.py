"""What a run writes down while it trains: rows of a CSV file, and the same in TensorBoard where that is installed."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from followyouremoji.files import atomic

LOG, VALIDATION_LOG = "log.csv", "validation.csv"
ROW = re.compile(r"([0-9]{1,18}),[^\0]*\n")
LONGEST_LINE = 1 << 16  # characters


class Journal:
    """The logs of a run in its output folder.

    Rows after `step` are dropped: they were written after the checkpoint that a stopped run goes on from, and come
    again.
    """

    def __init__(self, folder: Path, step: int, *, tensorboard: bool) -> None:
        self.folder = folder
        for name in (LOG, VALIDATION_LOG):
            rewind(folder / name, step)
        self.board: Any = None
        if tensorboard and find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, name: str, step: int, values: Mapping[str, float]) -> None:
        """Append a row to the file `name`; what TensorBoard shows is grouped by the file's name."""
        row = {"step": step, **{key: f"{value:.5g}" for key, value in values.items()}}
        append(self.folder / name, row)
        if self.board is not None:
            for key, value in values.items():
                self.board.add_scalar(f"{Path(name).stem}/{key}", value, step)

    def picture(self, name: str, step: int, picture: np.ndarray) -> None:
        """Show a picture, uint8 (height, width, 3), in TensorBoard."""
        if self.board is not None:
            self.board.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        if self.board is not None:
            self.board.close()


def append(path: Path, row: Mapping[str, Any]) -> None:
    """Append a row to a CSV file; a file with other columns, of an earlier version or other settings, is put aside."""
    if path.exists() and columns(path) != list(row):
        number = 1
        while (aside := path.with_name(f"{path.stem}.{number}{path.suffix}")).exists():
            number += 1
        path.rename(aside)
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def columns(path: Path) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline(LONGEST_LINE).rstrip("\n").split(",")


def rewind(path: Path, step: int) -> None:
    """Drop the rows of a CSV file whose step is later than `step`, and what is no row: a power cut may leave zeros."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        head, rows = file.readline(LONGEST_LINE), file.readlines()
    kept = [row for row in rows if (found := ROW.match(row)) and int(found[1]) <= step]
    if len(kept) < len(rows):
        with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            file.writelines([head, *kept])
