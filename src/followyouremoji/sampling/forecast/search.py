"""The best steps to compute, found on records of exact runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from followyouremoji.sampling.forecast.placement import curved_steps, spread_steps
from followyouremoji.sampling.forecast.recorded import Record, mean_error
from followyouremoji.sampling.forecast.settings import Forecast

KINDS = tuple(
    Forecast(what=what, order=order, clock=clock, correct=True, computed=(0,))
    for what in ("velocity", "clean")
    for order in (1, 2, 3)
    for clock in ("log-snr", "angle")
)
"""Whole predictions, corrected: on records nothing else comes near them at the same number of passes."""

STARTS = (curved_steps, spread_steps)  # a search ends at the best near where it began
MOVES = (-2, -1, 1, 2)  # steps


def best_steps(kind: Forecast, passes: int, records: Sequence[Record]) -> tuple[float, Forecast]:
    """The steps to compute with which a kind of forecast errs least on the records, and that error."""
    found = [improved(kind, place(passes, records[0].steps), records) for place in STARTS]
    return min(found, key=lambda pair: pair[0])


def improved(kind: Forecast, chosen: tuple[int, ...], records: Sequence[Record]) -> tuple[float, Forecast]:
    """Move one computed step after the other as long as that helps."""
    steps = records[0].steps
    error = mean_error(replace(kind, computed=chosen), records)
    helped = True
    while helped:
        helped = False
        for place in range(1, len(chosen)):
            for move in MOVES:
                moved = chosen[place] + move
                if not 0 < moved < steps or moved in chosen:
                    continue
                tried = tuple(sorted({*chosen[:place], moved, *chosen[place + 1 :]}))
                tried_error = mean_error(replace(kind, computed=tried), records)
                if tried_error < error:
                    chosen, error, helped = tried, tried_error, True
                    break
    return error, replace(kind, computed=chosen)


def ranked(passes: int, records: Sequence[Record]) -> list[tuple[float, Forecast]]:
    """The best forecast of every kind that so many passes allow, the best of all first, with their errors on the
    records."""
    kinds = [kind for kind in KINDS if kind.order < passes]
    return sorted((best_steps(kind, passes, records) for kind in kinds), key=lambda pair: pair[0])
