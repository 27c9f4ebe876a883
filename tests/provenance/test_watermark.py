"""The invisible mark: seen by the detector after what happens to pictures, and by nobody else."""

from io import BytesIO
from math import comb

import numpy as np
import pytest
from PIL import Image

from followyouremoji.fidelity import psnr
from followyouremoji.media.pictures import read_picture, resize_picture
from followyouremoji.provenance import watermark
from followyouremoji.provenance.watermark import Watermark, false_alarm, find_watermark
from followyouremoji.requests.bundled import portrait_path


def test_the_probability_of_a_false_alarm_is_the_tail_of_coins() -> None:
    """The binomial one where the network is equally sure of all bits; a wrong bit that it is not sure of costs less."""
    scales, right = len(watermark.SCALES), np.where(watermark.key(), 1.0, -1.0)
    assert false_alarm(right) == scales / 2**32
    for wrong in (1, 3, 8):
        tail = sum(comb(32, count) for count in range(wrong + 1)) / 2**32
        flipped = np.concatenate([-right[:wrong], right[wrong:]])
        assert false_alarm(7.0 * flipped) == pytest.approx(scales * tail, rel=1e-9)
    assert false_alarm(-right) == 1.0
    unsure = np.concatenate([-0.1 * right[:3], right[3:]])
    assert false_alarm(unsure) < watermark.MOST_FALSE_ALARM < false_alarm(flipped)


def test_coins_raise_as_many_alarms_as_is_said() -> None:
    rng = np.random.default_rng(0)
    chances = np.array([false_alarm(rng.normal(size=32)) for _ in range(400)]) / len(watermark.SCALES)
    told = 1.0 / len(watermark.SCALES)  # above it, the bound for all scales is 1
    for level in (0.05, 0.15):
        assert level < told
        assert (chances <= level).mean() == pytest.approx(level, abs=0.03)


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A picture and the same, marked."""
    if not watermark.is_installed():
        pytest.skip("the watermark needs invisible-watermark")
    plain = resize_picture(read_picture(portrait_path("bundled:ada")), (320, 320))
    return plain, Watermark()(plain)


def jpeg(picture: np.ndarray) -> np.ndarray:
    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file))


def test_it_is_hard_to_see_and_found_after_what_happens_to_pictures(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    plain, marked = pair
    assert psnr(marked, plain) > 40
    assert np.abs(marked.astype(int) - plain).max() < 16
    for treated in (marked, jpeg(resize_picture(marked, (200, 200))), marked[20:290, 10:290]):
        found = find_watermark([treated])
        assert found.found, found
        assert found.false_alarm < watermark.MOST_FALSE_ALARM


def test_an_unmarked_picture_has_none(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found = find_watermark([pair[0]])
    assert not found.found
    assert found.false_alarm > 1e-4


def test_opacity_stays(pair: tuple[np.ndarray, np.ndarray]) -> None:
    opacity = np.arange(320 * 320, dtype=np.uint32).reshape(320, 320).astype(np.uint8)
    marked = Watermark()(np.dstack([pair[0], opacity]))
    assert np.array_equal(marked[..., 3], opacity)
    assert np.array_equal(marked[..., :3], pair[1])
