"""What the invisible watermark costs a picture, and what of it is left after what happens to pictures.

    python benchmarks/watermark.py [FILE ...] --output FOLDER [--size 512] [--methods rivagan,dwtDct,dwtDctSvd]

Of each clip or picture, by default the bundled portraits, a few frames of a longer side of `size` pixels are marked,
treated, and searched: in the first frame alone, and where that fails in all of them together. `dwtDct` and `dwtDctSvd`
are the methods without networks of the library invisible-watermark, as it offers them, with majority votes over frames.
Unmarked frames are searched too: how many of 32 bits are right there. Writes `watermark.md`,
`watermark.json` and, for eyes, `marked.png` and `difference.png` (16 times) of the first file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from followyouremoji.errors import UserError
from followyouremoji.fidelity import psnr, ssim
from followyouremoji.files import write_json
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import resize_picture
from followyouremoji.media.videos import mp4_encoder
from followyouremoji.media.writing import ClipWriter, exact_rate
from followyouremoji.provenance import watermark
from followyouremoji.requests.bundled import portrait_path

BUNDLED = ("ada", "max", "emoji", "stone", "fox")
RATE = 25.0
Pictures = Sequence[np.ndarray]
Treatment = Callable[[Pictures], Pictures]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--size", type=int, default=512, help="pixels of the longer side")
    parser.add_argument("--frames", type=int, default=watermark.MOST_FRAMES, help="of each clip")
    parser.add_argument("--methods", default="rivagan")
    parser.add_argument(
        "--unmarked", type=int, default=4, help="frames of each file that are searched unmarked"
    )
    options = parser.parse_args()
    files = options.files or [portrait_path(f"bundled:{name}") for name in BUNDLED]
    if missing := [str(file) for file in files if not file.is_file()]:
        parser.error(f"there is no file {', '.join(missing)}")
    try:
        options.output.mkdir(exist_ok=True)
        figures = {
            method: measured(METHODS[method](), files, options) for method in options.methods.split(",")
        }
        chance = by_chance(files, options) if options.unmarked else {}
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    write_json(options.output / "watermark.json", {"files": len(files), **figures, "unmarked": chance})
    lines = [*table(figures), "", *(f"{name}: {value}" for name, value in chance.items())]
    (options.output / "watermark.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return 0


def frames_of(file: Path, size: int, frames: int, step: int = 5) -> list[np.ndarray]:
    """Frames uint8 (height, width, 3) of a clip, every `step`th of it, with even sides."""
    pictures = []
    with ClipReader(file) as clip:
        for _, picture in islice(clip, 0, step * frames, step):
            height, width = picture.shape[:2]
            factor = size / max(height, width)
            sides = (round(width * factor / 2) * 2, round(height * factor / 2) * 2)
            pictures.append(resize_picture(picture, sides))
    return pictures


class Rivagan:
    """The mark as the product puts and finds it."""

    def __init__(self) -> None:
        self.mark = watermark.Watermark()

    def found(self, pictures: Pictures) -> bool:
        return watermark.find_watermark(pictures).found


class Transform:
    """A method of the library's without networks, on blue, green and red as it takes them."""

    def __init__(self, method: str) -> None:
        from imwatermark import WatermarkDecoder, WatermarkEncoder

        self._method, self._bits = method, watermark.key().astype(int).tolist()
        self._encoder, self._decoder = WatermarkEncoder(), WatermarkDecoder("bits", watermark.BITS)
        self._encoder.set_watermark("bits", self._bits)

    def mark(self, picture: np.ndarray) -> np.ndarray:
        marked = self._encoder.encode(np.ascontiguousarray(picture[..., ::-1]), self._method)
        return np.ascontiguousarray(marked[..., ::-1].clip(0, 255).astype(np.uint8))

    def found(self, pictures: Pictures) -> bool:
        votes = np.zeros(watermark.BITS)
        for picture in pictures:
            if picture.shape[0] * picture.shape[1] >= 256 * 256:  # it takes no smaller ones
                bits = self._decoder.decode(np.ascontiguousarray(picture[..., ::-1]), self._method)
                votes += np.asarray(bits, float) - 0.5
        return watermark.false_alarm(votes) < watermark.MOST_FALSE_ALARM


METHODS: dict[str, Callable[[], Rivagan | Transform]] = {
    "rivagan": Rivagan,
    "dwtDct": lambda: Transform("dwtDct"),
    "dwtDctSvd": lambda: Transform("dwtDctSvd"),
}


def h264(crf: int) -> Treatment:
    def treat(pictures: Pictures) -> Pictures:
        height, width = pictures[0].shape[:2]
        with TemporaryDirectory() as folder:
            path = Path(folder) / "a.mp4"
            encoder = mp4_encoder(path, exact_rate(RATE), (width, height), None, "", crf=str(crf))
            for picture in pictures:
                encoder.write(picture)
            encoder.finish()
            with ClipReader(path) as clip:
                return [picture for _, picture in clip]

    return treat


def gif(pictures: Pictures) -> Pictures:
    height, width = pictures[0].shape[:2]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.gif"
        with ClipWriter(path, RATE, (width, height)) as writer:
            for picture in pictures:
                writer.write(picture)
        with ClipReader(path) as clip:
            return [picture for _, picture in clip]


def each(change: Callable[[np.ndarray], np.ndarray]) -> Treatment:
    return lambda pictures: [change(picture) for picture in pictures]


def scaled(picture: np.ndarray, factor: float) -> np.ndarray:
    height, width = picture.shape[:2]
    return resize_picture(picture, (round(width * factor / 2) * 2, round(height * factor / 2) * 2))


def cropped(picture: np.ndarray, share: float) -> np.ndarray:
    """Without that share of its area, around its middle but a bit up and to the left."""
    height, width = picture.shape[:2]
    tall, wide = (round(side * (1 - share) ** 0.5) for side in (height, width))
    top, left = (height - tall) // 3, (width - wide) // 3
    return picture[top : top + tall, left : left + wide]


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def screenshot(picture: np.ndarray, factor: float) -> np.ndarray:
    """Shown at another size on a grey page, a tenth of its sides around it."""
    shown = scaled(picture, factor)
    height, width = shown.shape[:2]
    margins = ((height // 12, height // 8), (width // 10, width // 10), (0, 0))
    return np.pad(shown, margins, constant_values=236)


TREATMENTS: dict[str, Treatment] = {
    "nothing": lambda pictures: pictures,
    **{f"H.264, crf {crf}": h264(crf) for crf in (18, 23, 28, 35)},
    **{
        f"scaled by {factor:g}": each(lambda one, factor=factor: scaled(one, factor))
        for factor in (0.5, 0.75, 1.5)
    },  # type: ignore[misc]
    **{
        f"cropped by {share:.0%} of its area": each(lambda one, share=share: cropped(one, share))
        for share in (0.1, 0.25, 0.5)
    },  # type: ignore[misc]
    **{
        f"JPEG of quality {quality}": each(lambda one, quality=quality: jpeg(one, quality))
        for quality in (90, 70, 50)
    },  # type: ignore[misc]
    "screenshot at 0.8, as PNG": each(lambda one: screenshot(one, 0.8)),
    "screenshot at 1.25, as JPEG of quality 80": each(lambda one: jpeg(screenshot(one, 1.25), 80)),
    "H.264, crf 28, scaled by 0.5, cropped by 25%": lambda pictures: [
        cropped(scaled(one, 0.5), 0.25) for one in h264(28)(pictures)
    ],
    "GIF": gif,
}


def measured(
    method: Rivagan | Transform, files: Sequence[Path], options: argparse.Namespace
) -> dict[str, object]:
    """PSNR and SSIM of the marks, and for each treatment in how many files the mark is found: in the first frame, in
    that or all frames together."""
    fidelity: list[tuple[float, float]] = []
    found = {name: [0, 0] for name in TREATMENTS}
    for number, file in enumerate(files):
        plain = frames_of(file, options.size, options.frames)
        marked = [method.mark(picture) for picture in plain]
        fidelity += [(psnr(one, other), ssim(one, other)) for one, other in zip(marked, plain, strict=True)]
        if number == 0:
            show(plain[0], marked[0], options.output)
        for name, treat in TREATMENTS.items():
            treated = treat(marked)
            first = method.found(treated[:1])
            found[name][0] += first
            found[name][1] += first or (len(treated) > 1 and method.found(treated))
        print(f"{file.name}: done", file=sys.stderr)
    levels = np.asarray(fidelity)
    return {
        "psnr": round(float(levels[:, 0].mean()), 1),
        "least psnr": round(float(levels[:, 0].min()), 1),
        "ssim": round(float(levels[:, 1].mean()), 4),
        "found": found,
        "files": len(files),
    }


def show(plain: np.ndarray, marked: np.ndarray, folder: Path) -> None:
    difference = marked.astype(np.int16) - plain
    Image.fromarray(marked).save(folder / "marked.png")
    Image.fromarray((128 + 16 * difference).clip(0, 255).astype(np.uint8)).save(folder / "difference.png")


def by_chance(files: Sequence[Path], options: argparse.Namespace) -> dict[str, object]:
    """Right bits of unmarked frames."""
    best = [
        watermark.find_watermark([picture])
        for file in files
        for picture in frames_of(file, options.size, options.unmarked, step=40)
    ]
    bits = [one.bits for one in best]
    return {
        "frames": len(bits),
        "found": sum(one.found for one in best),
        "mean of the best of the scales": round(float(np.mean(bits)), 2),
        "expected of fair coins": round(expected_best(), 2),
        "most": max(bits),
    }


def expected_best() -> float:
    """The mean of the most right bits over the scales, were they independent fair coins."""
    draws = np.random.default_rng(0).binomial(watermark.BITS, 0.5, (100_000, len(watermark.SCALES)))
    return float(draws.max(axis=1).mean())


def table(figures: dict[str, dict[str, object]]) -> Iterator[str]:
    """Markdown."""
    yield f"| | {' | '.join(figures)} |"
    yield f"|---|{'---|' * len(figures)}"
    for name in ("psnr", "least psnr", "ssim"):
        yield f"| {name} | {' | '.join(str(one[name]) for one in figures.values())} |"
    for name in TREATMENTS:
        cells = []
        for one in figures.values():
            first, together = one["found"][name]  # type: ignore[index]
            cells.append(f"{first} / {together} of {one['files']}")
        yield f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    raise SystemExit(main())
