"""Stickers as VP9 with opacity in WebM.

libvpx's two passes need the first one's statistics handed back, for which PyAV has no way (FFmpeg's fields `stats_out`
and `stats_in` are no options). Each level is therefore one pass of constant quality, and the search for the best one
under a limit is done on the bytes that were written.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

from followyouremoji.media.provenance import GENERATED_COMMENT
from followyouremoji.media.videos import webm_encoder
from followyouremoji.stickers.clip import Clip, Level

_BEST, _WORST = 4, 56  # of libvpx's crf, from 0 to 63; worse ones fall to blocks
_OPTIONS = {"cpu_used": "1", "lag_in_frames": "25"}


def levels(clip: Clip) -> list[Level]:
    """From the best quality to the least that is worth sending."""
    return [Level(f"VP9 of crf {crf}", partial(_write, clip, crf)) for crf in range(_BEST, _WORST + 1)]


def _write(clip: Clip, crf: int, path: Path) -> None:
    encoder = webm_encoder(
        path,
        clip.rate,
        clip.size,
        None,
        GENERATED_COMMENT,
        clip.transparent,
        False,
        **_OPTIONS,
        crf=str(crf),
    )
    with closing(encoder):
        for frame in clip.frames:
            encoder.write(frame if clip.transparent else frame[..., :3])
        encoder.finish()
