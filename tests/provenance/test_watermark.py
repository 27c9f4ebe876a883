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
    """Below one in a million with as many bits as are asked for, and not with one less; times the sizes searched."""
    scales = len(watermark.SCALES)
    assert false_alarm(32) == scales / 2**32
    assert false_alarm(31) == scales * 33 / 2**32
    assert false_alarm(watermark.LEAST_BITS) < 1e-6 < false_alarm(watermark.LEAST_BITS - 1)
    assert false_alarm(0) == 1.0
    coins = np.random.default_rng(0).integers(0, 2, (200_000, 32)).astype(bool)
    right = (coins == watermark.key()).sum(axis=1)
    tail = sum(comb(32, bits) for bits in range(24, 33)) / 2**32
    assert (right >= 24).mean() == pytest.approx(tail, rel=0.2)


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
        assert found.false_alarm < 1e-6


def test_an_unmarked_picture_has_none(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found = find_watermark([pair[0]])
    assert not found.found
    assert found.bits < 28
    assert found.false_alarm > 1e-6


def test_opacity_stays(pair: tuple[np.ndarray, np.ndarray]) -> None:
    opacity = np.arange(320 * 320, dtype=np.uint32).reshape(320, 320).astype(np.uint8)
    marked = Watermark()(np.dstack([pair[0], opacity]))
    assert np.array_equal(marked[..., 3], opacity)
    assert np.array_equal(marked[..., :3], pair[1])
