"""The portrait as a camera that other programs can choose, by pyvirtualcam."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Collection
from types import ModuleType, TracebackType
from typing import Self

import numpy as np

from followyouremoji.broadcast.output import Moment, Wish
from followyouremoji.errors import CameraError
from followyouremoji.media.pictures import on_background

DRIVERS = {
    "linux": "install v4l2loopback (on Debian and Ubuntu: sudo apt install v4l2loopback-dkms) and load it: "
    "sudo modprobe v4l2loopback exclusive_caps=1",
    "darwin": "install OBS, and start its virtual camera once: https://obsproject.com",
    "win32": "install OBS, which brings a virtual camera: https://obsproject.com",
}
"""What makes virtual cameras on each system."""


def required() -> ModuleType:
    """pyvirtualcam. Raises CameraError where it is not installed."""
    try:
        import pyvirtualcam
    except ImportError:
        raise CameraError(
            "a virtual camera needs pyvirtualcam: pip install 'followyouremoji[camera]'",
            settings=("virtual_camera",),
        ) from None
    return pyvirtualcam


def even(picture: np.ndarray) -> np.ndarray:
    """A picture without the last row and column of odd sides, which the formats of cameras do not know."""
    height, width = picture.shape[:2]
    return np.ascontiguousarray(picture[: height - height % 2, : width - width % 2])


class VirtualCamera:
    """A virtual camera, as a context manager. Transparent pictures lie on white.

    Parameters
    ----------
    size : (width, height) of the frames.
    frame_rate : that is announced; frames are sent as they come.

    Raises
    ------
    CameraError : pyvirtualcam or a driver is missing, or none is free.
    """

    def __init__(self, size: tuple[int, int], frame_rate: float) -> None:
        package = required()
        width, height = (side - side % 2 for side in size)
        try:
            self._camera = package.Camera(width, height, frame_rate, fmt=package.PixelFormat.RGB)
        except RuntimeError as reason:
            said = "; ".join(str(reason).splitlines())
            advice = DRIVERS.get(sys.platform, DRIVERS["linux"])
            raise CameraError(f"there is no virtual camera to be had ({said}): {advice}") from reason
        self.name: str = self._camera.device
        warnings.filterwarnings(
            "ignore", module="pyvirtualcam"
        )  # it advises whoever sends fewer frames than announced

    def show(self, moment: Moment) -> None:
        """See `Output`."""
        self._camera.send(even(on_background(moment.frame.picture)))

    def wishes(self) -> Collection[Wish]:
        """None."""
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._camera.close()
