"""Known damage: each metric moves with what it claims to see, by the real detector on drawn clips."""

from __future__ import annotations

import pytest

pytest.importorskip("skia", reason="drawn portraits need skia")

from benchmarks.metrics import DAMAGES, drawn_case, effects, measured

from followyouremoji.benchmark.metrics import METRICS
from followyouremoji.benchmark.observation import Observer

CLAIMED = [
    (metric, damage)
    for metric in METRICS
    if not metric.needs or metric.needs == ("truth",)
    for damage in metric.sees
]
MARGIN = 1.1
"""How many times as far from perfect a damaged clip must be."""
LEAST_DECIBELS = 0.5
PERFECT = {"landmark_accuracy": 100.0, "landmark_auc": 100.0}


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, float]]:
    """By damage, and of the undamaged clip."""
    case = drawn_case(0, 20, 184)
    with Observer() as observer:
        damaged = {name: measured(observer, case, damage(case)) for name, damage in DAMAGES.items()}
        return {"": measured(observer, case, case.truth), **damaged}


@pytest.mark.parametrize(("metric", "damage"), CLAIMED, ids=lambda value: getattr(value, "name", value))
def test_a_metric_sees_what_it_claims_to_see(figures, metric, damage) -> None:
    before, after = (figures[which][metric.name] for which in ("", damage))
    if metric.name == "psnr":  # has no perfect value
        assert after < before - LEAST_DECIBELS
        return
    best = PERFECT.get(metric.name, 1.0) if metric.better == "more" else 0.0
    assert abs(best - after) > max(MARGIN * abs(best - before), 2 * 10.0**-metric.digits)


def test_every_damage_is_claimed_by_a_metric() -> None:
    assert {damage for _, damage in CLAIMED} == set(DAMAGES)


@pytest.mark.slow
def test_claims_are_kept_on_several_clips() -> None:
    cases = [drawn_case(number, 40, 192) for number in range(8)]
    with Observer() as observer:
        clean = [measured(observer, case, case.truth) for case in cases]
        for name, damage in DAMAGES.items():
            found = effects(clean, [measured(observer, case, damage(case)) for case in cases])
            broken = [
                metric.name
                for metric, claimed in CLAIMED
                if claimed == name and not found[metric.name].kept()
            ]
            assert broken == [], name
