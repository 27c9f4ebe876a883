"""Forecasts as text and JSON, what is refused, and which passes are due."""

import pytest

from followyouremoji.errors import SettingsError
from followyouremoji.sampling.forecast import EXACT, Forecast
from followyouremoji.sampling.forecast.presets import rescaled

WRITTEN = (
    "what=nothing",
    "what=clean,order=2,clock=log-snr,computed=0+4+9,correct=True",
    "what=inside,depth=3,basis=hermite,interval=4,first=2,last=1,threshold=0.1",
    "solver=unipc,passes=8",
    "what=modules,interval=3,guidance_interval=2,guidance_order=0,guidance_from=0.1,guidance_to=0.8",
)


@pytest.mark.parametrize("text", WRITTEN)
def test_text_and_json_there_and_back(text: str) -> None:
    forecast = Forecast.from_text(text)
    assert str(forecast) == text
    assert Forecast.from_dict(forecast.to_dict()) == forecast


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("speed=9", "'speed' is not a setting"),
        ("order=two", "order cannot be 'two'"),
        ("what=wishes", "what is one of"),
        ("what=clean,order=9", "at most 6"),
        ("what=clean,computed=3+5", "ascend from 0"),
        ("what=clean,computed=0+5+5", "ascend from 0"),
        ("what=inside,depth=1,threshold=0.1", "live layer"),
        ("what=modules,correct=true", "whole predictions"),
        ("what=clean,correct=maybe", "correct cannot be 'maybe'"),
        ("solver=unipc", "number of passes"),
        ("what=clean,interval=0", "interval must be 1 or more"),
        ("guidance_from=0.8,guidance_to=0.2", "later one"),
    ],
)
def test_what_cannot_be_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Forecast.from_text(text)


def test_which_passes_are_due() -> None:
    def due(text: str, steps: int = 10) -> list[int]:
        return [step for step, is_due in enumerate(Forecast.from_text(text).computes(steps)) if is_due]

    assert due("what=nothing") == list(range(10))
    assert due("what=clean,interval=4") == [0, 4, 8]
    assert due("what=clean,interval=4,first=3,last=1") == [0, 1, 2, 6, 9]
    assert due("what=clean,computed=0+5,last=2") == [0, 5, 8, 9]
    assert due("what=inside,depth=2,threshold=0.1,interval=3,first=2,last=1") == [0, 1, 9]


def test_a_forecast_for_another_number_of_steps_computes_at_the_same_times() -> None:
    found = Forecast(what="velocity", computed=(0, 5, 14, 29))
    assert rescaled(found, 30, 59).computed == (0, 10, 28, 58)
    assert rescaled(found, 30, 30) == found
    assert rescaled(found, 30, 4) == EXACT
