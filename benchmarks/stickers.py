"""How near stickers are to their frames at a service's limit, against plain re-encoding until the file fits.

    fye animate sticker.png bundled:laugh --loop blend -o laugh.apng
    python benchmarks/stickers.py laugh.apng [SERVICE ...]

Plain re-encoding loses one thing or the other. "sides": what `fye animate -o` writes, of the sticker's own sides and
then of sides nine tenths as long, until the file is within the limit; its frames are scaled up again to be compared.
"quality", of WebM and WebP: the encoder's usual options at a quality ten steps lower each time. Each frame of the clip
is compared with what is shown at its time, on black and on white: frames that were left out count as errors.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from followyouremoji.fidelity import psnr, ssim
from followyouremoji.media.pictures import on_background, resize_picture
from followyouremoji.media.videos import StreamEncoder, opened_for_writing
from followyouremoji.media.writing import ClipWriter, exact_rate
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


def with_shorter_sides(frames: list[np.ndarray], rate: float, format: StickerFormat, folder: Path) -> Path:
    """The first file within the limit."""
    width, height = format.size
    path = folder / f"sides.{format.container}"
    while True:
        with ClipWriter(path, rate, (width, height), overwrite=True) as writer:
            for frame in frames:
                same = frame.shape[:2] == (height, width)
                writer.write(frame if same else resize_picture(frame, (width, height)))
        if format.max_bytes is None or path.stat().st_size <= format.max_bytes:
            return path
        width, height = 2 * round(width * SHORTER / 2), 2 * round(height * SHORTER / 2)


def in_less_quality(
    frames: list[np.ndarray], rate: float, format: StickerFormat, folder: Path
) -> Path | None:
    """The first file within the limit; None where the container has no such quality or the worst is too large."""
    path = folder / f"quality.{format.container}"
    for steps in range(6):
        match format.container:
            case "webm":
                options = {"crf": str(10 + 10 * steps), "auto-alt-ref": "0"}
                container = opened_for_writing(path, "webm")
                layout = (exact_rate(rate), format.size, "yuva420p")
                encoder = StreamEncoder(container, "libvpx-vp9", *layout, options)
                encoder.stream.metadata["alpha_mode"] = "1"
                encoder.stream.codec_context.bit_rate = 0
                with closing(encoder):
                    for frame in frames:
                        encoder.write(frame)
                    encoder.finish()
            case "webp":
                pictures = [Image.fromarray(frame) for frame in frames]
                settings: dict[str, Any] = {
                    "duration": round(1000 / rate),
                    "quality": 90 - 10 * steps,
                    "method": 4,
                }
                pictures[0].save(path, save_all=True, append_images=pictures[1:], **settings)
            case _:
                return None
        if format.max_bytes is None or path.stat().st_size <= format.max_bytes:
            return path
    return None


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


def row(name: str, how: str, path: Path, frames: list[np.ndarray], seconds: float | None = None) -> str:
    facts, peak, structure = likeness(path, frames)
    took = "" if seconds is None else f"{seconds:.0f}"
    width, height = facts.size
    return (
        f"| {name} | {how} | {facts.bytes} | {width}x{height} | {facts.frames} | {peak:.1f} | {structure:.3f} | "
        f"{took} |"
    )


def main(clip: Path, names: list[str]) -> None:
    source, rate = read_frames(clip), read_facts(clip).rate
    print("| for | how | bytes | pixels | frames | PSNR, dB | SSIM | s of one core |")
    print("|---|---|---|---|---|---|---|---|")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in names or [name for name, one in SERVICES.items() if one.max_bytes]:
            format = SERVICES[name]
            frames = [of_size(frame, format.size) for frame in source]
            print(row(name, "sides", with_shorter_sides(frames, rate, format, folder), frames), flush=True)
            plain = in_less_quality(frames, rate, format, folder)
            if plain is not None:
                print(row(name, "quality", plain, frames), flush=True)
            begin = time.process_time()
            written = write_sticker(frames, rate, format, folder / f"{name}{format.ending}")
            seconds = time.process_time() - begin
            print(row(name, f"sticker: {written.quality}", written.path, frames, seconds), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
