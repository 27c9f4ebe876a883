"""Files by the names that the pages give to a reader's own."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FRAMES = 5  # of the clips


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of portraits, and of clips of a bundled portrait that smiles."""
    from followyouremoji import PortraitAnimator
    from followyouremoji.media.writing import ClipWriter
    from followyouremoji.requests.bundled import driving_source, portrait_path

    folder = tmp_path_factory.mktemp("material")
    ada, max_, fox = (
        Image.open(portrait_path(f"bundled:{name}")).convert("RGB").resize((256, 256))
        for name in ("ada", "max", "fox")
    )
    for name in ("portrait", "painting", "me", "llama"):
        (fox if name == "llama" else ada).save(folder / f"{name}.jpg", quality=95)
    family = Image.new("RGB", (512, 256))
    family.paste(ada, (0, 0))
    family.paste(max_, (256, 0))
    family.save(folder / "family.jpg", quality=95)
    (folder / "portraits").mkdir()
    ada.save(folder / "portraits" / "ada.jpg")
    max_.save(folder / "portraits" / "max.jpg")

    frames = [
        *islice(
            PortraitAnimator.from_pretrained("bundled")(np.asarray(ada), driving_source("bundled:smile")),
            FRAMES,
        )
    ]
    with ClipWriter(folder / "clip.mp4", 25.0, (256, 256)) as clip:
        for frame in frames:
            clip.write(frame)
    for name in ("speech", "talk", "smile"):
        shutil.copy(folder / "clip.mp4", folder / f"{name}.mp4")
    Image.fromarray(frames[-1]).save(folder / "wink.png")
    (folder / "motions").mkdir()
    shutil.copy(folder / "clip.mp4", folder / "motions")
    (folder / "stickers.txt").write_text("clip.mp4\n")
    return folder
