"""What the studio shows is what it animates."""

import numpy as np

from followyouremoji.requests.bundled import PREFIX, portrait_landmarks, portrait_path
from tests.studio.conftest import Served


def test_the_largest_face_is_so_in_pixels(studio: Served) -> None:
    """As `sources.Portrait` counts it for an animation: in a tall picture a broad face has the larger share."""
    known = portrait_landmarks(portrait_path(f"{PREFIX}ada"))
    assert known is not None
    low, extent = known[:, :2].min(axis=0), np.ptp(known[:, :2], axis=0)
    faces = np.stack([known, known])
    for face, sides in zip(faces, ((0.4, 0.15), (0.3, 0.175)), strict=True):
        face[:, :2] = (face[:, :2] - low) / extent * sides  # of 100x400 pixels: 40x60 and 30x70
    visitor = studio.studio.store.visitor("tall")
    folder = visitor.new_folder()
    np.savez(folder / "faces.npz", landmarks=faces)
    details = {"size": [100, 400], "faces": 2, "transparent": False}
    portrait = visitor.keep_material(folder, "portrait", "tall.png", "given.png", details)
    np.testing.assert_array_equal(studio.studio.detected(portrait).normalised, faces[1])
