"""What a person is told of a live portrait."""

from dataclasses import replace

from followyouremoji.broadcast.output import figures_line
from tests.broadcast.moments import FIGURES


def test_who_watches_is_told_how_it_goes_or_what_to_do() -> None:
    assert figures_line(FIGURES) == "live, 24.6 frames a second, 0.18 s behind"
    assert (
        figures_line(replace(FIGURES, state="held")) == "no face is seen, 24.6 frames a second, 0.18 s behind"
    )
    assert figures_line(replace(FIGURES, state="calibrating")) == "look straight ahead, relaxed"
