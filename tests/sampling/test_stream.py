"""A stream is the chain of a clip whose length is known."""

from __future__ import annotations

import pytest
import torch

from followyouremoji.errors import SettingsError
from followyouremoji.sampling.settings import SamplingSettings
from followyouremoji.sampling.stream import LatentStream
from tests.sampling.test_sampler import SHAPE, Case

SETTINGS = SamplingSettings(steps=2, window=4, strategy="chain", seed=5)


@pytest.fixture(scope="module")
def paper() -> Case:
    return Case("paper")


def test_a_stream_that_knows_one_frame_is_the_chain(paper: Case) -> None:
    """To the bit: windows of 4, of which all but the first know the last frame of the one before."""
    stream, reader = LatentStream(SHAPE, SETTINGS, 1), paper.reader()
    pieces = []
    for frames in (4, 3, 3, 1):
        assert stream.coming(frames)[0] == sum(map(len, pieces))
        pieces.append(stream(reader, frames).latents)
    assert torch.equal(torch.cat(pieces), paper.clip(11, strategy="chain", seed=5))


def test_a_stream_that_knows_nothing_makes_each_chunk_alone(paper: Case) -> None:
    stream, reader = LatentStream(SHAPE, SETTINGS, 0), paper.reader()
    first, second = stream(reader, 4), stream(reader, 2)
    assert stream.last == ()
    assert torch.equal(first.latents, paper.clip(4, seed=5))
    knowing = LatentStream(SHAPE, SETTINGS, 2)
    assert torch.equal(knowing(reader, 4).latents, first.latents)
    assert knowing.last == (2, 3)
    assert not torch.allclose(knowing(reader, 2).latents, second.latents, atol=1e-3)


def test_a_model_that_does_not_fit_is_refused(paper: Case) -> None:
    with pytest.raises(SettingsError, match="known frames"):
        LatentStream(SHAPE, SETTINGS, 1)(Case("released").reader(), 1)
