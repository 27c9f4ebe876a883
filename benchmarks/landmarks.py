"""How fast landmarks come out of a clip, beside the way of the authors' release.

    python benchmarks/landmarks.py CLIP --bundle face_landmarker.task [--frames 350] [--size 512]

The clip is cut square, scaled and played forwards and backwards until it has the wanted number of frames, and written as
an mp4 in a temporary folder. Then each way reads that file from disk and takes the landmarks out of every frame:

- *release*: the task bundle in picture mode, every frame on its own, decoding and detection one after the other, as the
  authors' code does;
- *tracked*: `track_clip` with the mesh model of the mediapipe wheel, the default of this project;
- *tracked, with scores*: `track_clip` with the task bundle, which gives blendshape scores.

All run in turns on one core, and the best of the rounds counts. Processor time stands beside the time on the clock: on
a machine that does other things as well, it is the fairer one of the two to compare.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
from mediapipe import Image, ImageFormat
from mediapipe.tasks.python import BaseOptions, vision

from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.motion import track_clip
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.writing import ClipWriter

ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--bundle", type=Path, required=True, help="Google's face-landmarker task bundle")
    parser.add_argument("--frames", type=int, default=350)
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(options.clip, clip, options.frames, options.size)
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        runs: dict[str, Callable[[], int]] = {
            "decoding alone": lambda: sum(1 for _ in frames_of(clip)),
            "release": lambda: as_released(clip, options.bundle),
            "tracked": lambda: tracked(clip, None),
            "tracked, with scores": lambda: tracked(clip, options.bundle),
        }
        clock = dict.fromkeys(runs, float("inf"))
        processor = dict.fromkeys(runs, float("inf"))
        found = dict.fromkeys(runs, 0)
        for _ in range(ROUNDS):
            for name, run in runs.items():
                clock_start, processor_start = time.perf_counter(), time.process_time()
                found[name] = run()
                processor[name] = min(processor[name], time.process_time() - processor_start)
                clock[name] = min(clock[name], time.perf_counter() - clock_start)

    print(
        f"{options.clip.name} as {options.frames} frames of {options.size}x{options.size}, best of {ROUNDS} rounds"
    )
    print(f"{'':24}{'on the clock':>24}{'processor time':>24}")
    print(f"{'way':24}" + 2 * f"{'ms a frame':>12}{'rate, ratio':>12}" + f"{'faces':>8}")
    for name in runs:
        columns = [
            f"{1000 * t[name] / options.frames:12.2f}{t['release'] / t[name]:12.2f}"
            for t in (clock, processor)
        ]
        print(f"{name:24}{''.join(columns)}{found[name]:8}")


def write_clip(source: Path, target: Path, frames: int, size: int) -> None:
    """The middle square of a clip, scaled, forwards and backwards until there are enough frames."""
    with ClipReader(source) as reader:
        pictures = [middle_square(picture, size) for _, picture in islice(reader, frames)]
    there_and_back = pictures + pictures[-2:0:-1]
    with ClipWriter(target, 30.0, (size, size)) as writer:
        for picture in islice(cycle(there_and_back), frames):
            writer.write(picture)


def middle_square(picture: np.ndarray, size: int) -> np.ndarray:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return cv2.resize(
        picture[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA
    )


def frames_of(clip: Path) -> Iterator[tuple[float, np.ndarray]]:
    with ClipReader(clip) as reader:
        yield from reader


def as_released(clip: Path, bundle: Path) -> int:
    """Frames with a face, found one by one with MediaPipe's own interface, as the release uses it."""
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(bundle)),
        running_mode=vision.RunningMode.IMAGE,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    found = 0
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for _, picture in frames_of(clip):
            faces = landmarker.detect(Image(image_format=ImageFormat.SRGB, data=picture)).face_landmarks
            # The release makes an array of every face.
            found += len([np.array([(point.x, point.y, point.z) for point in face]) for face in faces]) > 0
    return found


def tracked(clip: Path, bundle: Path | None) -> int:
    """Frames with a face, tracked."""
    with ClipReader(clip) as reader, FaceDetector(bundle) as detector:
        motion, _ = track_clip(reader, reader.info.frame_rate, detector, clip.name)
    return int(motion.found.sum())


if __name__ == "__main__":
    main()
