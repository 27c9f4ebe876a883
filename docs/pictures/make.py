"""Makes the README's pictures from the bundled examples: `python docs/pictures/make.py`, in the checkout.

With a folder of paintings and a driving motion, also paintings.jpg: `python docs/pictures/make.py PAINTINGS MOTION`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from followyouremoji.animator import PortraitAnimator
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks
from followyouremoji.face.motion import Motion
from followyouremoji.framing import FaceAlone
from followyouremoji.media.cropping import face_crop
from followyouremoji.media.pictures import contact_sheet, read_picture, resize_picture, write_picture
from followyouremoji.media.writing import ClipWriter
from followyouremoji.requests.bundled import bundled_motion, portrait_path
from followyouremoji.settings import AnimationSettings

HERE = Path(__file__).parent
PORTRAITS = ("ada", "max", "emoji", "stone", "fox")
SHOWN = (0, 17, 29, 43, 54, 66, 79, 83)  # frames of `hello`: smile, brows, looks, wink, words
TILE = 144
DRIVING_MARGIN = 1.2  # of the driving landmarks, which have neither hair nor shoulders


def tile(picture: np.ndarray) -> np.ndarray:
    return resize_picture(picture, (TILE, TILE))


def results(
    animator: PortraitAnimator, portrait: Path, motion: Motion, shown: tuple[int, ...]
) -> list[np.ndarray]:
    """The portrait and some frames of its animation, around the face."""
    prepared = animator.prepare(portrait, motion)
    frames = list(animator.frames(prepared))
    crop = face_crop(prepared.landmarks.points)
    picture = read_picture(portrait)
    return [tile(crop.cut(p, 2 * TILE)) for p in [picture, *(frames[i] for i in shown)]]


def moving(animator: PortraitAnimator, motion: Motion) -> Iterator[np.ndarray]:
    """The driving landmarks and, next to them, all portraits that they drive: a clip that loops."""
    settings = AnimationSettings(loop="blend")
    prepared = [
        animator.prepare(portrait_path(f"bundled:{name}"), motion, settings=settings) for name in PORTRAITS
    ]
    crops = [face_crop(one.landmarks.points) for one in prepared]
    around, style = face_crop(motion.points, DRIVING_MARGIN), LandmarkStyle(antialiased=True)
    clips = [animator.frames(one, settings) for one in prepared]
    for index, frames in enumerate(zip(*clips, strict=True)):
        points = around.to_crop(prepared[0].motion.points[index], TILE)
        tiles = [tile(crop.cut(frame, 2 * TILE)) for crop, frame in zip(crops, frames, strict=True)]
        yield contact_sheet([draw_landmarks(points, (TILE, TILE), style), *tiles], len(tiles) + 1)


def captioned(pictures: list[np.ndarray], captions: list[str]) -> np.ndarray:
    sheet = Image.fromarray(contact_sheet(pictures, len(pictures)))
    page = Image.new("RGB", (sheet.width, sheet.height + 22), "white")
    page.paste(sheet, (0, 0))
    for index, caption in enumerate(captions):
        place = ((index + 0.5) * sheet.width / len(captions), sheet.height + 4)
        ImageDraw.Draw(page).text(place, caption, fill="black", anchor="ma", font=ImageFont.load_default(13))
    return np.asarray(page)


def method(animator: PortraitAnimator, portrait: Path, motion: Motion, frame: int) -> np.ndarray:
    prepared = animator.prepare(portrait, motion)
    style = LandmarkStyle(antialiased=True)
    driving = face_crop(motion.points, DRIVING_MARGIN).to_crop(motion.points[frame], TILE)
    result = list(animator.frames(prepared))[frame]
    assert isinstance(prepared.framing, FaceAlone), "the bundled model makes faces alone"
    square = prepared.framing.crop.cut(result, len(prepared.framing.square))
    pictures = [
        tile(prepared.picture),
        draw_landmarks(driving, (TILE, TILE), style),
        tile(prepared.landmark_picture(frame)),
        tile(prepared.warped_picture(frame)),
        tile(prepared.framing.windows[frame].cut(square)),
    ]
    return captioned(
        pictures, ["portrait", "driving landmarks", "aligned to the portrait", "warped portrait", "result"]
    )


def main() -> None:
    animator = PortraitAnimator.from_pretrained("bundled")
    hello = bundled_motion("hello")
    rows = [
        picture
        for name in PORTRAITS
        for picture in results(animator, portrait_path(f"bundled:{name}"), hello, SHOWN)
    ]
    write_picture(HERE / "hello.jpg", contact_sheet(rows, len(SHOWN) + 1), overwrite=True)
    clip = moving(animator, hello)
    first = next(clip)
    with ClipWriter(HERE / "hello.webp", hello.frame_rate, first.shape[1::-1], overwrite=True) as writer:
        for frame in chain([first], clip):
            writer.write(frame)
    write_picture(
        HERE / "method.png", method(animator, portrait_path("bundled:ada"), hello, SHOWN[5]), overwrite=True
    )
    if len(sys.argv) == 3:
        folder, motion = Path(sys.argv[1]), Motion.load(Path(sys.argv[2]))
        shown = tuple(range(5, len(motion), max(1, len(motion) // 7)))[:7]
        rows = [
            p for portrait in sorted(folder.iterdir()) for p in results(animator, portrait, motion, shown)
        ]
        write_picture(HERE / "paintings.jpg", contact_sheet(rows, len(shown) + 1), overwrite=True)


if __name__ == "__main__":
    main()
