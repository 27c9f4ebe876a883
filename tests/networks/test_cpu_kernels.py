"""Ways of computing a convolution or a linear layer, each against torch's own."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from followyouremoji.networks import Denoiser, cpu_kernels
from followyouremoji.networks.cpu_kernels import (
    DOUBLED,
    LEAST_CHANNELS,
    WINOGRAD,
    WINOGRAD_SMALL,
    CpuConvolution,
    CpuLinear,
    CpuUpsample,
    MinimalFilter,
    filtered,
    use_cpu_kernels,
)
from followyouremoji.networks.layers import Upsample
from tests.networks.test_unet import PAPER, randomised

CHANNELS, WIDE = LEAST_CHANNELS, LEAST_CHANNELS + 8


def pictures(batch: int, height: int, width: int, channels: int = CHANNELS) -> torch.Tensor:
    return torch.randn(batch, channels, height, width, generator=torch.Generator().manual_seed(0))


def reference(layer: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    """In double precision."""
    assert layer.bias is not None
    weight, bias = layer.weight.double(), layer.bias.double()
    return F.conv2d(x.double(), weight, bias, layer.stride, layer.padding).float()


@pytest.mark.parametrize("way", [WINOGRAD, WINOGRAD_SMALL])
def test_a_winograd_filter_is_exact_in_one_dimension(way: MinimalFilter) -> None:
    """The identity behind Eq. 8 of Lavin and Gray, in double precision: A^T [(G g) * (B^T d)] is the sliding product of
    d with g."""
    generator = torch.Generator().manual_seed(1)
    patch = torch.randn(way.patch, generator=generator, dtype=torch.float64)
    kernel = torch.randn(3, generator=generator, dtype=torch.float64)
    expected = patch.unfold(0, 3, 1) @ kernel
    torch.testing.assert_close(
        way.outputs @ ((way.kernels @ kernel) * (way.patches @ patch)), expected, atol=1e-12, rtol=0
    )


@pytest.mark.parametrize("size", [(8, 8), (5, 9), (1, 1), (4, 6)])
@pytest.mark.parametrize("way", [WINOGRAD, WINOGRAD_SMALL])
@torch.inference_mode()
def test_filtered_pictures_equal_convolved_ones(way: MinimalFilter, size: tuple[int, int]) -> None:
    torch.manual_seed(2)
    layer, x = nn.Conv2d(CHANNELS, WIDE, 3, padding=1), pictures(3, *size)
    result = filtered(x, layer.weight, layer.bias, way)
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(result, reference(layer, x), atol=2e-5, rtol=0)
    without = filtered(x, layer.weight, None, way)
    assert layer.bias is not None
    torch.testing.assert_close(without + layer.bias[:, None, None], result, atol=1e-6, rtol=0)


@torch.inference_mode()
def test_pieces_of_pictures_and_of_kernels_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    layer, x = nn.Conv2d(CHANNELS, WIDE, 3, padding=1), pictures(5, 8, 8)
    whole = filtered(x, layer.weight, layer.bias, WINOGRAD)
    # 20 kernels of 64 channels at once, and 2 pictures of 4 tiles
    monkeypatch.setattr("followyouremoji.networks.cpu_kernels.CACHED", 36 * CHANNELS * 20)
    torch.testing.assert_close(filtered(x, layer.weight, layer.bias, WINOGRAD), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(4, 4), (3, 5), (1, 2)])
@torch.inference_mode()
def test_enlarging_filter_equals_enlargement_and_convolution(size: tuple[int, int]) -> None:
    torch.manual_seed(3)
    upsample, x = Upsample(CHANNELS), pictures(2, *size)
    use_cpu_kernels(upsample)
    assert isinstance(upsample, CpuUpsample)
    for doubled in ((2 * size[0], 2 * size[1]), (2 * size[0] - 1, 2 * size[1])):
        expected = reference(upsample.conv, F.interpolate(x, size=doubled, mode="nearest"))
        torch.testing.assert_close(upsample(x, torch.Size(doubled)), expected, atol=2e-5, rtol=0)
    assert len(DOUBLED.matrices(torch.float32)[0]) == 9  # products for 4 outputs, of 36


@pytest.mark.parametrize(("batch", "size"), [(1, 8), (16, 8)])
def test_a_layer_gives_the_same_with_and_without_gradients(batch: int, size: int) -> None:
    """Above and below the number of tiles from which the larger filter is taken."""
    torch.manual_seed(4)
    layer, x = CpuConvolution(CHANNELS, WIDE, 3, padding=1), pictures(batch, size, size).requires_grad_()
    learning = layer(x)
    learning.sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is not None
    with torch.no_grad():
        torch.testing.assert_close(layer(x), learning, atol=2e-5, rtol=0)


def test_linear_layers_and_pointwise_convolutions_equal_torchs() -> None:
    torch.manual_seed(5)
    tokens, x = torch.randn(2, 7, 24), pictures(2, 3, 5, channels=24)
    for bias in (True, False):
        layer = CpuLinear(24, 40, bias=bias)
        learning = layer(tokens)
        assert learning.requires_grad
        with torch.inference_mode():
            torch.testing.assert_close(layer(tokens), learning)
            torch.testing.assert_close(layer(tokens.transpose(0, 1)), learning.transpose(0, 1))
    pointwise = CpuConvolution(24, 40, 1)
    with torch.inference_mode():
        torch.testing.assert_close(pointwise(x), reference(pointwise, x), atol=1e-5, rtol=0)


def test_layers_are_torchs_own_to_whoever_wraps_them() -> None:
    """LoRA, quantisation and the checkpoints know linear layers and convolutions by these types and names, and build
    more of their kind."""
    assert isinstance(CpuLinear(2, 3), nn.Linear)
    assert isinstance(CpuConvolution(2, 3, 1), nn.Conv2d)
    assert (
        set(CpuLinear(2, 3).state_dict()) == set(CpuConvolution(2, 3, 1).state_dict()) == {"weight", "bias"}
    )


@pytest.mark.parametrize(
    "options", [{"stride": 2}, {"padding": 0}, {"dilation": 2}, {"groups": 2}, {"padding_mode": "reflect"}]
)
@torch.inference_mode()
def test_other_convolutions_stay_as_they_are(options: dict) -> None:
    torch.manual_seed(8)
    layer = CpuConvolution(CHANNELS, CHANNELS, 3, **{"padding": 1, **options})
    plain = nn.Conv2d(CHANNELS, CHANNELS, 3, **{"padding": 1, **options})
    plain.load_state_dict(layer.state_dict())
    x = pictures(2, 8, 8)
    torch.testing.assert_close(layer(x), plain(x))


@pytest.mark.parametrize("operator", [cpu_kernels.ONEDNN_LINEAR, None])
@torch.inference_mode()
def test_a_network_computes_the_same_and_keeps_its_names(operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """With torch's private operator, and where it is not there."""
    monkeypatch.setattr(cpu_kernels, "ONEDNN_LINEAR", operator)
    monkeypatch.setattr(cpu_kernels, "LEAST_CHANNELS", 8)
    denoiser = randomised(Denoiser(PAPER))
    inputs = torch.randn(1, 9, 3, 8, 8), torch.tensor([500]), torch.randn(1, 16, 3, 8, 8)
    conditioning = denoiser.condition(torch.randn(1, 3, 6), None)
    expected, names = denoiser(*inputs, conditioning), list(denoiser.state_dict())
    use_cpu_kernels(denoiser)
    assert {CpuConvolution, CpuLinear, CpuUpsample} <= {type(module) for module in denoiser.modules()}
    torch.testing.assert_close(denoiser(*inputs, conditioning), expected, atol=1e-4, rtol=1e-4)
    assert list(denoiser.state_dict()) == names


@pytest.mark.parametrize("refusal", [AttributeError, RuntimeError, TypeError])
def test_an_operator_that_is_gone_or_has_changed_is_not_used(
    refusal: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise refusal

    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", refuse)
    assert cpu_kernels.onednn_linear() is None


@torch.inference_mode()
def test_half_precision_takes_the_plain_way() -> None:
    torch.manual_seed(7)
    layer, x = CpuConvolution(CHANNELS, WIDE, 3, padding=1), pictures(16, 8, 8)
    result = layer.bfloat16()(x.bfloat16())
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), reference(layer, x.bfloat16()), atol=0.03, rtol=0.03)
