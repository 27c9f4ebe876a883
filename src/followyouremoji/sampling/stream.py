"""A clip without an end: its latents chunk after chunk, each going on from the last frames of the one before."""

from __future__ import annotations

from followyouremoji.sampling.progressive import Segment
from followyouremoji.sampling.sampler import ClipReader, Sampled, SegmentMaker
from followyouremoji.sampling.settings import SamplingSettings, check_fits


class LatentStream:
    """Samples what comes after what it sampled before, as `progressive.chain` plans it for a clip whose length is
    known.

    Noise is that of the same frames in a clip (`noise.frame_noise`).
    """

    def __init__(self, shape: tuple[int, int, int], settings: SamplingSettings, known: int) -> None:
        """`shape` is (channels, height, width) of a frame's latents; each chunk knows so many frames before it, which
        only models can use that go on from `known` ones."""
        self._shape, self._settings, self._known = shape, settings, known
        self._count = 0
        self._last: dict[int, Sampled] = {}

    @property
    def last(self) -> tuple[int, ...]:
        """The numbers of the frames that the next chunk knows."""
        return tuple(self._last)

    def coming(self, frames: int) -> tuple[int, ...]:
        """The numbers of the next `frames`."""
        return tuple(range(self._count, self._count + frames))

    def __call__(self, reader: ClipReader, frames: int) -> Sampled:
        """The latents of the next `frames`, on the reader's device; it is asked for them, and for `last`, by their
        numbers.

        Raises as `sampler.sample`.
        """
        check_fits(self._settings, reader.denoiser.config)
        known = self.last
        segment = Segment((*known, *self.coming(frames)), (True,) * len(known) + (False,) * frames)
        make = SegmentMaker(
            (segment,), self._shape, self._settings, self._last, reader.device, None, None, None
        )
        (made,) = make(reader, (segment,))
        self._count += frames
        kept = range(max(0, len(segment) - self._known), len(segment))
        self._last = {segment.frames[place]: made[place] for place in kept}
        return made[len(known) :]
