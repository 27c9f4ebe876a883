"""Cuts are found, motion and noise are not taken for cuts."""

import numpy as np
import pytest

from followyouremoji.data.preparation.scenes import SceneCutter
from followyouremoji.data.preparation.settings import Cutting

SIZE = (180, 320)


def scene_numbers(frames: list[np.ndarray]) -> list[int]:
    cutter = SceneCutter(Cutting())
    return [cutter.scene(frame) for frame in frames]


def wall(rng: np.random.Generator) -> np.ndarray:
    """A picture of large soft blocks, as a room has."""
    return np.kron(rng.integers(30, 220, (6, 8, 3)), np.ones((30, 40, 1))).astype(np.uint8)


def with_head(background: np.ndarray, x: int, y: int = 90) -> np.ndarray:
    picture = background.copy()
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    picture[np.hypot(columns - x, (rows - y) * 0.8) < 55] = (215, 170, 150)
    return picture


def test_another_room_is_another_scene() -> None:
    rng = np.random.default_rng(1)
    rooms = [wall(rng) for _ in range(3)]
    frames = [room for room in rooms for _ in range(5)]
    assert scene_numbers(frames) == [0] * 5 + [1] * 5 + [2] * 5


def test_a_jump_of_a_quiet_speaker_is_a_cut() -> None:
    room = wall(np.random.default_rng(2))
    frames = [with_head(room, 140 + k % 2) for k in range(15)] + [
        with_head(room, 200 + k % 2) for k in range(5)
    ]
    assert scene_numbers(frames) == [0] * 15 + [1] * 5


@pytest.mark.parametrize("speed", [2, 6])
def test_a_moving_head_noise_and_slow_light_are_no_cuts(speed: int) -> None:
    rng = np.random.default_rng(3)
    room = wall(rng)
    frames = []
    for k in range(40):
        swing = 160 + 60 * np.sin(speed * k / 25)
        picture = with_head(room, int(swing)).astype(float) * (1 + 0.004 * k)
        frames.append(np.clip(picture + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8))
    assert set(scene_numbers(frames)) == {0}
