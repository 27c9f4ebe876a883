"""Which passes a model gets that nothing is known of: as many as asked for, dense where they should be."""

from itertools import pairwise

import numpy as np
import pytest

from followyouremoji.sampling.forecast.placement import curved_steps, general_preset, spread_steps
from followyouremoji.sampling.forecast.presets import SPEEDS
from followyouremoji.sampling.schedule import ddim_schedule


@pytest.mark.parametrize("speed", SPEEDS)
def test_presets_for_any_model_save_where_there_are_many_steps(speed: str) -> None:
    passes = [sum(general_preset(speed, steps).computes(steps)) for steps in range(1, 101)]
    assert all(later >= earlier for earlier, later in pairwise(passes))
    assert passes[:3] == [1, 2, 3]
    if speed == "exact":
        assert passes == list(range(1, 101))
    if speed == "lossless":
        assert passes[3] == 4
    for steps in (20, 30, 50):
        assert general_preset(speed, steps).computes(steps)[0]
        assert general_preset(speed, steps).computes(steps)[-1]
    assert passes[29] == {"exact": 30, "lossless": 8, "fast": 6, "fastest": 5}[speed]


def test_spread_steps_are_densest_at_both_ends() -> None:
    steps = spread_steps(6, 30)
    gaps = [b - a for a, b in pairwise(steps)]
    assert gaps[0] < gaps[1] < gaps[2]
    assert gaps[-1] < gaps[-2]


def test_between_any_two_curved_steps_the_schedule_bends_alike() -> None:
    """Interpolating the path of a clean and a noise value by straight pieces errs alike in all of them: within a third,
    and within that of the piece that is best, where pieces of equal length differ by several times."""

    def errors(steps: tuple[int, ...]) -> np.ndarray:
        schedule = ddim_schedule(1000)
        variance = schedule.alphas_cumprod.double().numpy()[::-1]
        path = np.sqrt(np.stack([variance, 1 - variance], axis=1))
        worst = []
        for begin, end in pairwise(steps):
            share = np.linspace(0, 1, end - begin + 1)[:, None]
            straight = (1 - share) * path[begin] + share * path[end]
            worst.append(np.linalg.norm(path[begin : end + 1] - straight, axis=1).max())
        return np.array(worst)

    curved = errors(curved_steps(8, 1000))
    even = errors(tuple(np.linspace(0, 999, 8).round().astype(int)))
    assert curved.max() < 1.35 * curved.min()
    assert even.max() > 3 * even.min()
    assert curved.max() < even.max()


@pytest.mark.parametrize("place", [curved_steps, spread_steps])
@pytest.mark.parametrize(("passes", "steps"), [(2, 2), (7, 7), (7, 8), (11, 12), (3, 100), (60, 1000)])
def test_there_are_as_many_computed_steps_as_were_asked_for(place, passes: int, steps: int) -> None:
    chosen = place(passes, steps)
    assert len(set(chosen)) == passes
    assert list(chosen) == sorted(chosen)
    assert chosen[0] == 0
    assert chosen[-1] == steps - 1
