"""Archives of arrays, as NumPy writes and reads them, in threads that NumPy itself does not bear everywhere."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.arrays import read_arrays


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "floats": random.normal(size=(7, 5, 3)),
        "small": random.normal(size=(4,)).astype(np.float32),
        "bytes": random.integers(0, 255, (2, 3), np.uint8),
        "truths": np.array([True, False]),
        "fortran": np.asfortranarray(random.normal(size=(3, 4))),
        "one": np.array(3.5),
        "none": np.empty((0, 478, 3), np.float32),
        "text": np.array(["a", "bc"]),
    }


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(tmp_path: Path, arrays: dict[str, np.ndarray], save: object) -> None:
    save(tmp_path / "arrays.npz", **arrays)  # type: ignore[operator]
    read = read_arrays(tmp_path / "arrays.npz")
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)
        assert read[name].flags.writeable


@pytest.mark.parametrize("array", [np.array([{}], object), np.zeros(2, [("x", "<f4")])])
def test_what_is_no_plain_array_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.savez(tmp_path / "arrays.npz", array=array)
    with pytest.raises(ValueError, match="plain array"):
        read_arrays(tmp_path / "arrays.npz")


class Waste:
    """Something whose removal by the garbage collector lets other threads go on."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        sum(range(50))


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads change places at any moment."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-5)
    gc.set_threshold(50, 5, 5)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("restless")
def test_many_threads_read_at_once(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    """With `np.load`, some of these fail in Python 3.11: "AST constructor recursion depth mismatch"."""
    np.savez(tmp_path / "arrays.npz", **arrays)

    def read(number: int) -> int:
        Waste()
        return len(read_arrays(tmp_path / "arrays.npz"))

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(read, range(2000))) == {len(arrays)}
