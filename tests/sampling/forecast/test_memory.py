"""What is remembered between passes of a network."""

import numpy as np
import pytest
import torch
from torch import Tensor

from followyouremoji.sampling.forecast import Forecast
from followyouremoji.sampling.forecast.memory import FeatureMemory, Series, combine


def test_combination_of_few_digits_is_summed_in_many() -> None:
    """In bfloat16 itself 3 * 257 - 3 * 255 + 249 would lose the ones."""
    values = [torch.full((4,), value, dtype=torch.bfloat16) for value in (249.0, 255.0, 256.0)]
    told = combine(values, np.array([1.0, -3.0, 3.0]))
    assert told.dtype == torch.bfloat16
    assert told.tolist() == [252.0] * 4


def test_a_series_keeps_no_more_than_its_order_needs() -> None:
    series = Series("newton", 2)
    for time in range(6):
        series.remember(float(time), torch.full((8,), float(time**2)))
    assert len(series.kept) == 3
    assert series.bytes == 3 * 8 * 4
    assert series.told(7.0).tolist() == pytest.approx([49.0] * 8)


class Features:
    """Stands before places whose features are quadratic in time; counts what is computed."""

    def __init__(self, memory: FeatureMemory) -> None:
        self.memory = memory
        self.computed: list[tuple[str, int, float]] = []

    def walk(self, time: float, due: bool, jump: float = 0.0) -> dict[tuple[str, int], float]:
        """The features of a pass that meets a live resnet first; `jump` is added to all."""
        self.memory.begin(time, due)
        met = {}
        for number, place in enumerate([("resnet", 0), ("inside", 2), ("motion", 1)]):

            def compute(number: int = number, place: tuple[str, int] = place) -> Tensor:
                self.computed.append((*place, time))
                return torch.full((1, 2), (number + 1) * time**2 + 10 + jump)

            met[place] = float(self.memory(*place, compute).mean())
        return met


def test_only_what_is_chosen_is_told() -> None:
    features = Features(FeatureMemory(Forecast.from_text("what=inside,depth=2,order=2")))
    for time in (5.0, 4.0, 3.0):
        features.walk(time, due=True)
    features.computed.clear()
    met = features.walk(1.0, due=False)
    assert [place for *place, _ in features.computed] == [["resnet", 0], ["motion", 1]]
    assert met == pytest.approx({("resnet", 0): 11, ("inside", 2): 12, ("motion", 1): 13}, abs=1e-4)


def test_every_module_can_be_told_and_memory_is_counted() -> None:
    features = Features(FeatureMemory(Forecast.from_text("what=modules,order=1")))
    features.walk(2.0, due=False)  # nothing is remembered yet, so it is computed all the same
    assert len(features.computed) == 3
    features.walk(1.0, due=True)
    features.computed.clear()
    features.walk(0.0, due=False)
    assert [place for *place, _ in features.computed] == [["inside", 2]]
    assert features.memory.bytes == 2 * 2 * 2 * 4


def test_the_gate_lets_forecasts_through_until_its_probe_fails() -> None:
    memory = FeatureMemory(Forecast.from_text("what=inside,depth=2,order=2,threshold=0.01"))
    features = Features(memory)
    for time in (5.0, 4.0, 3.0):
        features.walk(time, due=True)
    for time, jump, computing in ((2.0, 0.0, False), (1.5, 0.0, False), (1.0, 5.0, True)):
        met = features.walk(time, due=False, jump=jump)
        assert memory.computing is computing
        assert met["inside", 2] == pytest.approx(2 * time**2 + 10 + jump, rel=1e-4)
    features.walk(0.5, due=True, jump=5.0)
    assert memory.computing is True


def test_the_gate_computes_at_the_latest_after_its_interval() -> None:
    memory = FeatureMemory(Forecast.from_text("what=inside,depth=2,order=0,threshold=100,interval=3"))
    features = Features(memory)
    computing = []
    for time in range(8):
        features.walk(float(time), due=time == 0)
        computing.append(memory.computing)
    assert computing == [True, False, False, True, False, False, True, False]
