"""EmojiBench-Drawn: a suite whose portraits and drivers are drawn, so that landmarks, gaze and true results are
known."""

from .drawing import draw_suite, drawing_code
from .slices import FULL, MINI, SLICES, Slice

__all__ = ["FULL", "MINI", "SLICES", "Slice", "draw_suite", "drawing_code"]
