"""Portraits and motions that come with the package, by name: `bundled:NAME`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from followyouremoji.errors import MotionError, PictureError
from followyouremoji.face.expressions import NAMED_EXPRESSIONS

if TYPE_CHECKING:
    import numpy as np

    from followyouremoji.face.motion import Motion

PREFIX = "bundled:"
EXAMPLES = Path(__file__).parent / "examples"
PORTRAIT_ENDING, MOTION_ENDING = (
    ".png",
    ".fyemotion",
)  # of what is in EXAMPLES; `fye doctor` asks where even NumPy may be missing


def example_names(ending: str) -> list[str]:
    """Names of the bundled files of an ending, sorted."""
    return sorted(path.stem for path in EXAMPLES.glob(f"*{ending}"))


def portrait_path(given: str) -> Path:
    """The path that a user means as PORTRAIT. Raises PictureError for a bundled name that does not exist."""
    if not given.startswith(PREFIX):
        return Path(given)
    names = example_names(PORTRAIT_ENDING)
    if (name := given.removeprefix(PREFIX)) not in names:
        raise PictureError(
            f"there is no bundled portrait {name!r}; the bundled portraits are {_listed(names)}"
        )
    return EXAMPLES / f"{name}{PORTRAIT_ENDING}"


def portrait_landmarks(path: Path) -> np.ndarray | None:
    """(478, 3) float32 normalised landmarks of a bundled portrait, as the face mesh finds them; None for other files.

    So that the examples run where there is no mediapipe, or one without models.
    """
    if path.parent != EXAMPLES:
        return None
    from followyouremoji.arrays import read_arrays

    return read_arrays(EXAMPLES / "landmarks.npz")[path.stem]


def motion_names() -> list[str]:
    """Names of all bundled motions: those of files, sorted, and the expressions, which are computed."""
    return [*example_names(MOTION_ENDING), *NAMED_EXPRESSIONS]


def driving_source(given: str) -> Path | Motion:
    """What a user means as DRIVING: a file, or a bundled expression's motion. Raises MotionError for a bundled name
    that does not exist."""
    if not given.startswith(PREFIX):
        return Path(given)
    if (name := given.removeprefix(PREFIX)) in example_names(MOTION_ENDING):
        return EXAMPLES / f"{name}{MOTION_ENDING}"
    if name in NAMED_EXPRESSIONS:
        from followyouremoji.face.keyframes import expression_motion

        return expression_motion(name)
    raise MotionError(
        f"there is no bundled motion {name!r}; the bundled motions are {_listed(motion_names())}"
    )


def bundled_motion(name: str) -> Motion:
    """A bundled motion, such as "hello" or "smile". Raises MotionError for a name that does not exist."""
    from followyouremoji.face.motion import Motion

    source = driving_source(f"{PREFIX}{name}")
    return source if isinstance(source, Motion) else Motion.load(source)


def _listed(names: list[str]) -> str:
    return ", ".join(f"{PREFIX}{name}" for name in names) or "none in this installation; install it again"
