"""Small shards and clips that the tests of the data room make themselves."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from followyouremoji.data.stored_clip import encode_picture, write_clip
from followyouremoji.face.topology import N_MESH, mean_face

SIZE = 32


def face_points(frames: int, size: int = SIZE) -> np.ndarray:
    """A frontal face that fills half of the picture and moves to the right by half a pixel a frame: (frames, 478,
    3)."""
    mesh = mean_face()
    scale = size / 2 / np.ptp(mesh[:, 1])
    points = np.zeros((478, 3))
    points[:N_MESH] = (mesh - mesh.mean(axis=0)) * (scale, -scale, -scale) + (size / 2, size / 2, 0)
    points[468:473], points[473:] = points[[33, 133]].mean(axis=0), points[[263, 362]].mean(axis=0)
    return points + np.arange(frames)[:, None, None] * np.array([0.5, 0.0, 0.0])


def shade(clip: int, frame: int) -> int:
    """The grey that tells which frame of which clip a picture is, as JPEG keeps it to a level or two."""
    return 20 + 23 * clip + 3 * frame


def write_shard(path: Path, lengths: list[int], first: int = 0) -> None:
    """A shard of plain grey clips `first`, `first` + 1, ... of these lengths."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for number, frames in enumerate(lengths, first):
            pictures = [
                encode_picture(np.full((SIZE, SIZE, 3), shade(number, frame), np.uint8), 95)
                for frame in range(frames)
            ]
            facts = {"size": SIZE, "frame_rate": 25.0}
            write_clip(archive, f"clip-{number}", pictures, face_points(frames), facts)


SKIN_AND_WALL = (
    ((0.93, 0.76, 0.65), (0.15, 0.30, 0.45)),
    ((0.55, 0.38, 0.28), (0.85, 0.80, 0.65)),
    ((0.80, 0.60, 0.48), (0.35, 0.55, 0.35)),
)
"""Plain people whom the detector surely finds, before walls that are surely told apart."""


def talk(person: int, frames: int, size: int = 224, rate: float = 25.0) -> Iterator[np.ndarray]:
    """Pictures of a drawn person who makes faces."""
    from followyouremoji.portraits import Identity, draw_portrait, expressive_motion

    skin, wall = SKIN_AND_WALL[person]
    who = Identity(skin=skin, backdrop=wall, backdrop_edge=wall)
    for moment in expressive_motion(np.random.default_rng(person), frames, rate):
        yield draw_portrait(who, moment, size).picture


def write_talk(path: Path, frames: int, people: tuple[int, ...] = (0,), size: int = 224) -> None:
    """A video of drawn people, `frames` of each at 25 a second, with a cut between them."""
    from followyouremoji.media.writing import ClipWriter

    with ClipWriter(path, 25.0, (size, size)) as writer:
        for person in people:
            for picture in talk(person, frames, size):
                writer.write(picture)
