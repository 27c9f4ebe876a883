"""One picture of a built suite: what was accepted, with the landmarks that were found, and what was refused and why."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks
from followyouremoji.media.pictures import GAP, contact_sheet

COLUMNS = 10  # pictures a row
MOST_SHOWN = 300  # items; of more, every so many
MOST_REFUSED = 100
TITLE = 16  # pixels
TEXT_SIZE = 12
DIMMED = 0.6  # of a picture's brightness, under its landmarks

Item = tuple[str, np.ndarray, np.ndarray]
"""A title, pictures side by side uint8 (S, n * S, 3), and landmarks (478, 2) of the first in its pixels."""


def overview_sheet(items: Sequence[Item], refused: Sequence[tuple[str, str]]) -> np.ndarray:
    """uint8 (height, width, 3): single pictures in a grid, rows of several below them, then the `refused` files with
    their reasons."""
    items = items[:: -(-len(items) // MOST_SHOWN) or 1]
    cells = [_titled(title, _with_landmarks(shown, points)) for title, shown, points in items]
    single = [
        cell for cell, (_, shown, _) in zip(cells, items, strict=True) if shown.shape[0] == shown.shape[1]
    ]
    rows = [
        cell for cell, (_, shown, _) in zip(cells, items, strict=True) if shown.shape[0] != shown.shape[1]
    ]
    parts = [contact_sheet(single, COLUMNS)] if single else []
    parts += [contact_sheet(rows, 2)] if rows else []
    lines = [f"{place}: {reason}" for place, reason in refused[:MOST_REFUSED]]
    if len(refused) > MOST_REFUSED:
        lines.append(f"and {len(refused) - MOST_REFUSED} more")
    width = max(600, *(part.shape[1] for part in parts))
    parts.append(_text([f"Refused: {len(refused)}", *lines], width))
    return np.concatenate([_to_the_left(part, width) for part in parts])


def _with_landmarks(shown: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The first picture dimmed, under its landmarks; the others as they are."""
    side = shown.shape[0]
    drawn = shown.copy()
    lines = draw_landmarks(points, (side, side), LandmarkStyle(contour=True, antialiased=True))
    drawn[:, :side] = np.maximum((shown[:, :side] * DIMMED).astype(np.uint8), lines)
    return drawn


def _titled(title: str, picture: np.ndarray) -> np.ndarray:
    strip = Image.new("RGB", (picture.shape[1], TITLE), "white")
    ImageDraw.Draw(strip).text((2, 1), title, "black", ImageFont.load_default(TEXT_SIZE))
    return np.concatenate([np.asarray(strip), picture])


def _text(lines: Sequence[str], width: int) -> np.ndarray:
    wrapped = [part for line in lines for part in textwrap.wrap(line, width // 6, subsequent_indent="    ")]
    strip = Image.new("RGB", (width, (len(wrapped) + 1) * TITLE), "white")
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(TEXT_SIZE)
    for number, line in enumerate(wrapped):
        draw.text((4, number * TITLE + TITLE // 2), line, "black", font)
    return np.asarray(strip)


def _to_the_left(part: np.ndarray, width: int) -> np.ndarray:
    return np.pad(part, ((0, GAP), (0, width - part.shape[1]), (0, 0)), constant_values=255)
