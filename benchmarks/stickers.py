"""How near stickers are to their frames at a service's limit, against plain re-encoding until the file fits.

    fye animate sticker.png bundled:laugh --loop blend -o laugh.apng
    python benchmarks/stickers.py laugh.apng [SERVICE ...]

Plain re-encoding is what `fye animate -o` writes, first of the sticker's own sides and then of sides nine tenths as
long, until the file is within the limit; its frames are scaled up again to be compared. Each frame of the clip is
compared with what is shown at its time, on black and on white: frames that were left out count as errors.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from followyouremoji.fidelity import psnr, ssim
from followyouremoji.media.pictures import on_background, resize_picture
from followyouremoji.media.writing import ClipWriter
from followyouremoji.stickers.checking import StickerFacts, read_facts, read_frames
from followyouremoji.stickers.encoding import write_sticker
from followyouremoji.stickers.services import SERVICES, StickerFormat

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
SHORTER = 0.9


def of_size(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An RGBA frame fitted into a size (width, height) and centred there."""
    scale = min(size[0] / frame.shape[1], size[1] / frame.shape[0])
    inner = resize_picture(frame, (round(frame.shape[1] * scale), round(frame.shape[0] * scale)))
    canvas = np.zeros((size[1], size[0], 4), np.uint8)
    top, left = (size[1] - inner.shape[0]) // 2, (size[0] - inner.shape[1]) // 2
    canvas[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return canvas


def plainly(frames: list[np.ndarray], rate: float, format: StickerFormat, folder: Path) -> Path:
    """The file of plain re-encoding, the first that is within the limit."""
    width, height = format.size
    path = folder / f"plain.{format.container}"
    while True:
        with ClipWriter(path, rate, (width, height), overwrite=True) as writer:
            for frame in frames:
                writer.write(
                    frame if frame.shape[:2] == (height, width) else resize_picture(frame, (width, height))
                )
        if format.max_bytes is None or path.stat().st_size <= format.max_bytes:
            return path
        width, height = 2 * round(width * SHORTER / 2), 2 * round(height * SHORTER / 2)


def shown(path: Path, facts: StickerFacts, count: int) -> Iterator[np.ndarray]:
    """What a file shows at the times of `count` frames that last as long as it."""
    ends = np.cumsum(facts.times)
    frames = read_frames(path)
    for index in range(count):
        moment = (index + 0.5) / count * facts.seconds
        yield frames[min(int(np.searchsorted(ends, moment, "right")), len(frames) - 1)]


def likeness(path: Path, frames: list[np.ndarray]) -> tuple[StickerFacts, float, float]:
    """Facts of a file, and its PSNR (of the mean squared error, in dB) and mean SSIM to the frames."""
    facts = read_facts(path)
    errors, structures = list[float](), list[float]()
    for made, frame in zip(shown(path, facts, len(frames)), frames, strict=True):
        size = frame.shape[1], frame.shape[0]
        made = made if made.shape == frame.shape else resize_picture(made, size)
        for ground in (BLACK, WHITE):
            pair = on_background(made, ground), on_background(frame, ground)
            errors.append(10 ** (-psnr(*pair) / 10))
            structures.append(ssim(*pair))
    return facts, float(-10 * np.log10(np.mean(errors))), float(np.mean(structures))


def main(clip: Path, names: list[str]) -> None:
    source, rate = read_frames(clip), read_facts(clip).rate
    print(
        "| for | bytes | plain: pixels, frames | PSNR | SSIM | here: pixels, frames | PSNR | SSIM | error | s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    with TemporaryDirectory() as name:
        for service in names or [name for name, one in SERVICES.items() if one.max_bytes]:
            format = SERVICES[service]
            frames = [of_size(frame, format.size) for frame in source]
            plain, plain_psnr, plain_ssim = likeness(plainly(frames, rate, format, Path(name)), frames)
            begin = time.process_time()
            written = write_sticker(frames, rate, format, Path(name) / f"{service}{format.ending}")
            seconds = time.process_time() - begin
            ours, our_psnr, our_ssim = likeness(written.path, frames)
            print(
                f"| {service} | {format.max_bytes} | {plain.size[0]}x{plain.size[1]}, {plain.frames} | {plain_psnr:.1f} | "
                f"{plain_ssim:.3f} | {ours.size[0]}x{ours.size[1]}, {ours.frames} ({written.quality}) | {our_psnr:.1f} | "
                f"{our_ssim:.3f} | {10 ** ((plain_psnr - our_psnr) / 10):.2f} | {seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
