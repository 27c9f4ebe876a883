"""NumPy's threads are put away while somebody asks for that, and come back."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from followyouremoji.numpy_threads import without_numpy_threads


def threads() -> list[int]:
    """Of NumPy's OpenBLAS."""
    np.ones((2, 2)) @ np.ones((2, 2))
    return [
        one["num_threads"]
        for one in threadpool_info()
        if one["internal_api"] == "openblas" and "numpy" in one["filepath"]
    ]


def test_until_the_last_user_is_done() -> None:
    with threadpool_limits(2, user_api="blas"):
        if threads() != [2]:
            pytest.skip("NumPy has no OpenBLAS with threads here")
        first, second = without_numpy_threads(), without_numpy_threads()
        with first:
            assert threads() == [1]
            second.__enter__()
        assert threads() == [1]
        second.__exit__(None, None, None)
        assert threads() == [2]
        with pytest.raises(KeyError), without_numpy_threads():
            raise KeyError
        assert threads() == [2]
