"""Pictures of high dynamic range (HDR) as ordinary ones: BT.2100 (PQ or HLG, BT.2020 primaries) to BT.709.

The mapping is computed once, as a table of colours that FFmpeg looks up for every pixel. Light is in cd/m²; signals and
linear light of ordinary pictures are 0 to 1.
"""

import tempfile
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import av

PQ, HLG = 16, 18
"""Transfer characteristics by their numbers in ITU-T H.273."""
HDR_TRANSFERS = (PQ, HLG)

HDR_PEAK = 1000.0
"""Light of the brightest pixel of nearly all masters."""
HDR_WHITE = 203.0
"""Light of a white page in HDR (ITU-R BT.2408), which takes the place of the brightest that ordinary pictures have."""

_TABLE = 65  # colours a side of the table
_2020_TO_709 = np.array(  # ITU-R BT.2087
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128  # of PQ, BT.2100, table 4
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_DISPLAY_GAMMA = 2.4  # ITU-R BT.1886


def light_of_pq(signal: np.ndarray) -> np.ndarray:
    """The EOTF of PQ (BT.2100, table 4)."""
    root = np.clip(signal, 0.0, 1.0) ** (1 / _M2)
    return 10_000.0 * (np.maximum(root - _C1, 0.0) / (_C2 - _C3 * root)) ** (1 / _M1)


def pq_of_light(light: np.ndarray) -> np.ndarray:
    """The inverse of `light_of_pq`."""
    power = (np.maximum(light, 0.0) / 10_000.0) ** _M1
    return ((_C1 + _C2 * power) / (1.0 + _C3 * power)) ** _M2


def compressed(light: np.ndarray) -> np.ndarray:
    """Light up to `HDR_PEAK` brought below `HDR_WHITE`, the darker part unchanged: the EETF of ITU-R BT.2390."""
    top = pq_of_light(np.array(HDR_PEAK))
    bright = pq_of_light(np.array(HDR_WHITE)) / top
    knee = 1.5 * bright - 0.5
    value = np.minimum(pq_of_light(light) / top, 1.0)
    along = np.clip((value - knee) / (1.0 - knee), 0.0, 1.0)
    spline = (
        (2 * along**3 - 3 * along**2 + 1) * knee
        + (along**3 - 2 * along**2 + along) * (1.0 - knee)
        + (-2 * along**3 + 3 * along**2) * bright
    )
    return light_of_pq(np.where(value < knee, value, spline) * top)


def tone_mapped(signal: np.ndarray, transfer: int) -> np.ndarray:
    """Colours (..., 3) of an HDR signal as those of BT.709.

    An HLG signal is made so that an ordinary display shows it well as it is (ITU-R BT.2390): only its primaries
    change. By its own light a face that a phone filmed near a window would be as bright as a white page. Of PQ the
    curve bends the strongest of the three primaries, and the others in proportion, so that hues stay.
    """
    if transfer == HLG:
        light = np.clip(signal, 0.0, 1.0) ** _DISPLAY_GAMMA
    else:
        light = light_of_pq(signal)
        strongest = np.maximum(light.max(axis=-1, keepdims=True), 1e-6)
        light = light * (compressed(strongest) / strongest) / HDR_WHITE
    shown: np.ndarray = np.clip(light @ _2020_TO_709.T, 0.0, 1.0) ** (1.0 / _DISPLAY_GAMMA)
    return shown


@lru_cache(maxsize=2)
def _table(transfer: int) -> str:
    """The mapping as the text of a table of colours (.cube), red fastest."""
    steps = np.linspace(0.0, 1.0, _TABLE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    colours = tone_mapped(np.stack([red, green, blue], axis=-1).reshape(-1, 3), transfer)
    lines = "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in colours)
    return f"LUT_3D_SIZE {_TABLE}\n{lines}\n"


class ToneMap:
    """Maps the frames of one clip, of whatever sizes; keeps FFmpeg's filters for the size at hand."""

    def __init__(self) -> None:
        self._kind: tuple[int, int, int] | None = None
        self._graph: av.filter.Graph | None = None

    def picture(self, frame: "av.VideoFrame") -> np.ndarray:
        """An HDR frame as uint8 (height, width, 3) RGB."""
        deep = frame.reformat(format="gbrp16le", interpolation="LANCZOS")
        kind = (frame.width, frame.height, frame.color_trc)
        if self._graph is None or kind != self._kind:
            self._graph, self._kind = _graph(deep, frame.color_trc), kind
        deep.pts = None
        self._graph.vpush(deep)
        return np.ascontiguousarray(self._graph.vpull().to_ndarray(format="rgb24"))


def _graph(frame: "av.VideoFrame", transfer: int) -> "av.filter.Graph":
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tones.cube"
        path.write_text(_table(transfer))
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1),
        )
        graph.link_nodes(source, graph.add("lut3d", file=str(path)), graph.add("buffersink")).configure()
    return graph
