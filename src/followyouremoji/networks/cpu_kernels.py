"""Faster kernels for a network's layers on a CPU, equal within rounding, swapped in after loading.

Linear layers, and 1x1 convolutions as linear layers, use oneDNN where torch has it; 3x3 convolutions use Winograd's
minimal filters, those of enlarged pictures a minimal filter of their own, which multiply less.

A tile of the output is `A^T [(G g G^T) * (B^T d B)] A` (Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural
Networks", Eq. 8) for kernel `g` and input patch `d`: the product `*` is a matrix product over channels at each of a
few positions. Only CPUs gain by it, since cuDNN has such filters already. It has no gradient, so training uses torch's
own layers, and so do half precision and compilers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from followyouremoji.networks.layers import Upsample


def onednn_linear() -> Callable[..., Tensor] | None:
    """The private operator of torch's own compiler, tried once; None where torch was built without oneDNN or no longer
    has the operator."""
    one = torch.ones(1, 1, device="cpu", dtype=torch.float32)
    try:
        torch.ops.mkldnn._linear_pointwise(one, one, None, "none", [], "")
    except (AttributeError, RuntimeError, TypeError):
        return None
    return torch.ops.mkldnn._linear_pointwise


ONEDNN_LINEAR = onednn_linear()
CACHED = 1 << 22
"""Values of a transformed kernel or picture at a time, so that they fit a processor's last cache."""

LEAST_CHANNELS = 64  # from here on the transforms are worth their cost
LEAST_TILES = 64  # from here on a kernel's transform to 36 values is worth its cost; below, the one to 16


@dataclass(frozen=True, eq=False)
class MinimalFilter:
    """A bilinear algorithm for one axis: patches of `patch` input pixels, `stride` apart and beginning one before the
    picture, give `made` outputs each."""

    patches: Tensor  # B^T (products, patch)
    kernels: Tensor  # G (products, 3)
    outputs: Tensor  # A^T (made, products)
    stride: int

    @property
    def made(self) -> int:
        return self.outputs.shape[0]

    @property
    def patch(self) -> int:
        return self.patches.shape[1]

    @lru_cache(maxsize=8)  # noqa: B019 - the filters are constants of this file
    def matrices(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """The three transforms of both axes at once."""
        with torch.inference_mode(False):
            parts = (self.patches, self.kernels, self.outputs)
            return tuple(torch.kron(part, part).to(dtype) for part in parts)  # type: ignore[return-value]


def winograd_filter(points: tuple[float, ...]) -> MinimalFilter:
    """Winograd's F(m, 3) by interpolation at m + 1 finite points and at infinity; each product's scale is split evenly
    among its three factors.

    Rounding grows with the spread of the points: at (0, +-sqrt(1/2), +-sqrt(2)) it is about five times that of a direct
    convolution in float32, half of what the customary (0, +-1, +-2) gives.
    """
    made, count = len(points) - 1, len(points) + 1
    at = torch.tensor(points, dtype=torch.float64)
    outputs = torch.zeros(made, count, dtype=torch.float64)
    kernels = torch.zeros(count, 3, dtype=torch.float64)
    patches = torch.zeros(count, count, dtype=torch.float64)
    for i, point in enumerate(at):
        others = torch.cat([at[:i], at[i + 1 :]])
        outputs[:, i] = point ** torch.arange(made)
        kernels[i] = point ** torch.arange(3) / (point - others).prod()
        patches[i, :-1] = polynomial(others)
    outputs[-1, -1] = kernels[-1, -1] = 1
    patches[-1] = polynomial(at)
    norms = torch.stack([outputs.norm(dim=0), kernels.norm(dim=1), patches.norm(dim=1)])
    to_mean = norms.log().mean(dim=0).exp() / norms
    return MinimalFilter(
        patches * to_mean[2][:, None], kernels * to_mean[1][:, None], outputs * to_mean[0], made
    )


def polynomial(roots: Tensor) -> Tensor:
    """Coefficients of the monic polynomial with these roots, the constant first."""
    coefficients = torch.ones(1, dtype=torch.float64)
    for root in roots:
        coefficients = F.pad(coefficients, (1, 0)) - root * F.pad(coefficients, (0, 1))
    return coefficients


WINOGRAD = winograd_filter(
    (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))
)  # 36 products for 4x4 outputs, not 144

WINOGRAD_SMALL = winograd_filter((0.0, 1.0, -1.0))  # 16 products for 2x2 outputs, not 36

# With pixels x and d[i] = x[i] - x[i - 1], the outputs over a doubled pixel are (g0 + g1 + g2) x[i] - g0 d[i] and
# (g0 + g1 + g2) x[i] + g2 d[i + 1]: 9 products for 2x2 outputs, not 36.
DOUBLED = MinimalFilter(
    patches=torch.tensor([[0, 1, 0], [-1, 1, 0], [0, -1, 1]], dtype=torch.float64),
    kernels=torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 1]], dtype=torch.float64),
    outputs=torch.tensor([[1, -1, 0], [1, 0, 1]], dtype=torch.float64),
    stride=1,
)


def filtered(x: Tensor, weight: Tensor, bias: Tensor | None, way: MinimalFilter) -> Tensor:
    """A 3x3 convolution of `x`, zeros around it, by a minimal filter.

    `x` (batch, channels, height, width), quickest in channels-last; `weight` (out channels, channels, 3, 3). Returns
    channels-last (batch, out channels, height, width), twice the height and width for `DOUBLED`.
    """
    patch_matrix, kernel_matrix, output_matrix = way.matrices(x.dtype)
    products, made, patch, stride = len(patch_matrix), way.made, way.patch, way.stride
    batch, channels, height, width = x.shape
    wide = weight.shape[0]
    down, across = -(-height // stride), -(-width // stride)
    pixels = F.pad(
        x.permute(0, 2, 3, 1),
        (
            0,
            0,
            1,
            across * stride - width + patch - stride - 1,
            1,
            down * stride - height + patch - stride - 1,
        ),
    )
    out = x.new_empty(batch, down * made, across * made, wide)
    images = max(1, 2 * CACHED // (products * channels * down * across))
    kernels = max(1, CACHED // (products * channels))
    for first in range(0, batch, images):
        part = pixels[first : first + images]
        tiles = part.unfold(1, patch, stride).unfold(2, patch, stride)  # b down across c patch patch
        tiles = tiles.permute(4, 5, 0, 1, 2, 3).reshape(patch * patch, -1)
        tiles = (patch_matrix @ tiles).view(products, -1, channels)
        for start in range(0, wide, kernels):
            some = weight[start : start + kernels]
            kernel = (kernel_matrix @ some.reshape(-1, 9).T).view(products, len(some), channels)
            result = output_matrix @ torch.bmm(tiles, kernel.transpose(1, 2)).view(products, -1)
            result = result.view(made, made, -1, down, across, len(some)).permute(2, 3, 0, 4, 1, 5)
            target = out[first : first + images, ..., start : start + kernels]
            target = target.unflatten(1, (down, made)).unflatten(3, (across, made))
            if bias is None:
                target.copy_(result)
            else:
                torch.add(result, bias[start : start + kernels], out=target)
    if way.stride == way.made:
        out = out[:, :height, :width].contiguous()
    return out.permute(0, 3, 1, 2)


def computes_plainly(x: Tensor) -> bool:
    """Whether `x` is on a CPU, in float32, outside of training and compilers: only there are these kernels used."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled("cpu")
    )


class CpuConvolution(nn.Conv2d):
    """torch's convolution, computed as a linear layer of the channels if it is 1x1, and by minimal filters if it is 3x3
    and large enough."""

    def forward(self, x: Tensor) -> Tensor:
        if self.may_filter(x):
            tiles = x.shape[0] * -(-x.shape[2] // WINOGRAD.made) * -(-x.shape[3] // WINOGRAD.made)
            return filtered(x, self.weight, self.bias, WINOGRAD if tiles >= LEAST_TILES else WINOGRAD_SMALL)
        if computes_plainly(x) and self.is_plain(1):
            return linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)
        return super().forward(x)

    def is_plain(self, side: int) -> bool:
        """Whether the kernel has this side, the result is as large as the picture, and nothing else is out of the
        ordinary."""
        return (
            self.kernel_size == (side, side)
            and self.padding == (side // 2, side // 2)
            and self.stride == self.dilation == (1, 1)
            and self.groups == 1
            and self.padding_mode == "zeros"
        )

    def may_filter(self, x: Tensor) -> bool:
        return (
            computes_plainly(x)
            and self.is_plain(3)
            and min(self.in_channels, self.out_channels) >= LEAST_CHANNELS
        )


class CpuUpsample(Upsample):
    """Enlargement by two and the convolution as one filter."""

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        conv, doubled = self.conv, (2 * x.shape[2], 2 * x.shape[3])
        if tuple(size) == doubled and isinstance(conv, CpuConvolution) and conv.may_filter(x):
            return filtered(x, conv.weight, conv.bias, DOUBLED)
        return super().forward(x, size)


class CpuLinear(nn.Linear):
    """A linear layer by oneDNN, whose kernels are quicker than those of the library that torch takes by default."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if computes_plainly(x) and ONEDNN_LINEAR is not None:
        return ONEDNN_LINEAR(x, weight, bias, "none", [], "")
    return F.linear(x, weight, bias)


KERNELS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: CpuConvolution,
    nn.Linear: CpuLinear,
    Upsample: CpuUpsample,
}


def use_cpu_kernels(network: nn.Module) -> None:
    """Let the layers of a network use these kernels, in place: modules, tensors and their names stay."""
    for module in network.modules():
        module.__class__ = KERNELS.get(type(module), type(module))
