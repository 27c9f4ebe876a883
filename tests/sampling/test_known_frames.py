"""How the paper layout's denoiser sees known frames."""

import torch

from followyouremoji.sampling.known_frames import join_known


def test_unknown_frames_enter_as_zeros_and_the_mask_is_one_where_known() -> None:
    noisy, known = torch.randn(2, 2, 4, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1, 0, 0, 0, 1], [0, 0, 0, 0, 0]])[:, None, :, None, None]
    joined = join_known(noisy, known, mask)
    assert joined.shape == (2, 9, 5, 3, 3)
    assert torch.equal(joined[:, :4], noisy)
    assert torch.equal(joined[0, 4:8, [0, 4]], known[0, :, [0, 4]])
    assert not joined[0, 4:8, 1:4].any()
    assert not joined[1, 4:].any()
    assert torch.equal(joined[0, 8, :, 0, 0], torch.tensor([1.0, 0, 0, 0, 1]))
