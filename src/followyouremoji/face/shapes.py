"""How measured faces differ: by whose they are, and by what they do.

Everything is centimetres in the canonical space of `topology.mean_face`: x right in the picture, y up, z to the camera.
`data/face_shapes.npz` holds

- ``expression_names``, ``expression_shapes_cm`` ``(18, 468, 3)``: displacement of the mesh by one unit of a control;
  least squares (ridge) of mesh displacement on blendshape scores over 638 measured frames of 7 people, centred clip by
  clip, mirrored to be symmetric and cut off smoothly outside the control's region;
- ``expression_deviations`` ``(18,)``: root mean square of each control over these frames, against each clip's most
  relaxed ones, left and right alike;
- ``neutral_face_cm`` ``(468, 3)`` and ``neutral_shapes_cm`` ``(12, 468, 3)``: mean of 36 measured faces and their
  mirror images, and its principal components of one standard deviation, after the expressions that the faces show were
  taken off them: factor analysis by turns, the expressions of all faces as in `identity.separate`, then the components
  of what is left. Unlike the mean face, whose lips are 0.06 of the eye distance apart since two of the 36 shout, the
  neutral face has its mouth closed;
- ``identity_shapes_cm`` ``(7, 468, 3)``: symmetric principal shapes of the 36 faces as they were measured, one standard
  deviation each, of which drawn portraits are made;
- ``mirror`` ``(468,)``: the point on the other side of the face.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from followyouremoji.arrays import read_arrays


@cache
def face_shapes() -> Mapping[str, np.ndarray]:
    """The arrays of the data file by name, in float64 where they are numbers of centimetres; not to be changed."""
    arrays = read_arrays(Path(__file__).parent / "data" / "face_shapes.npz")
    for name, array in arrays.items():
        arrays[name] = array.astype(np.float64) if array.dtype.kind == "f" else array
        arrays[name].setflags(write=False)
    return MappingProxyType(arrays)


def mirror_points() -> np.ndarray:
    """For every mesh point the one on the other side of the face, ``(468,)``."""
    return face_shapes()["mirror"].astype(np.int64)
