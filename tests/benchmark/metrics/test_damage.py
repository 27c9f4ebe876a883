"""Known damage: each metric moves with what it claims to see, by the real detector on drawn clips."""

from __future__ import annotations

import pytest

pytest.importorskip("skia", reason="drawn portraits need skia")

from benchmarks.metrics import DAMAGES, drawn_case, effects, measured

from followyouremoji.benchmark.metrics import METRICS, Metric
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


def sees(metric: Metric, before: float, after: float) -> bool:
    """Whether a metric of a damaged clip is clearly worse than of the undamaged one."""
    if metric.name == "psnr":  # has no perfect value
        return after < before - LEAST_DECIBELS
    best = PERFECT.get(metric.name, 1.0) if metric.better == "more" else 0.0
    return abs(best - after) > max(MARGIN * abs(best - before), 2 * 10.0**-metric.digits)


def test_each_metric_sees_what_it_claims_to_see(figures) -> None:
    blind = [
        f"{metric.name} of {damage}: {figures[''][metric.name]:.4f}, damaged {figures[damage][metric.name]:.4f}"
        for metric, damage in CLAIMED
        if not sees(metric, figures[""][metric.name], figures[damage][metric.name])
    ]
    assert not blind


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
