"""Makes emojibench_drawn.jpg, some of what EmojiBench-Drawn holds: `python docs/pictures/emojibench.py`, in the
checkout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from followyouremoji.benchmark.drawn.identities import PORTRAITS, driver_identity, portrait_identity, style_of
from followyouremoji.benchmark.drawn.motions import MOTIONS
from followyouremoji.benchmark.drawn.slices import SEED, motion_of
from followyouremoji.media.pictures import contact_sheet
from followyouremoji.portraits import ALL_ANIMALS, Identity, Performance, draw_portrait

HERE = Path(__file__).parent
COLUMNS = 14
TILE = 72
ROWS = {"person": 14, "cartoon": 9, "emoji": 5, "stone": 7, "painting": 7, "animal": len(ALL_ANIMALS)}
HELD_OUT = {"koala": 2, "tapestry": 3, "fresco": 2, "engraving": 2, "doll": 3}
SHOWN = np.linspace(0, 63, COLUMNS).round().astype(int)
CROSS = {"animal": "joy", "cartoon": "eyes apart", "stone": "head turns", "emoji": "exaggeration"}
"""A portrait of each style in a motion of this group: the driver, and below it the true result."""


def drawn(identity: Identity, performance: Performance) -> np.ndarray:
    return draw_portrait(identity, performance, TILE).picture


def main() -> None:
    tiles = []
    for style, count in (ROWS | HELD_OUT).items():
        numbers = [number for number in range(PORTRAITS) if style_of(number)[0] == style][:count]
        tiles += [drawn(portrait_identity(SEED, number), Performance.neutral()) for number in numbers]
    tiles += [np.full((TILE, TILE, 3), 255, np.uint8)] * (-len(tiles) % COLUMNS)
    for style, group in CROSS.items():
        number = next(
            n for n in range(PORTRAITS) if style_of(n)[0] == style and MOTIONS[motion_of(n)].group == group
        )
        motion = motion_of(number)
        moments = MOTIONS[motion].performances(SEED, motion)
        for who in (driver_identity(SEED, motion), portrait_identity(SEED, number)):
            tiles += [drawn(who, moments[frame]) for frame in SHOWN]
    sheet = Image.fromarray(contact_sheet(tiles, COLUMNS))
    sheet.save(HERE / "emojibench_drawn.jpg", quality=76, optimize=True)


if __name__ == "__main__":
    main()
