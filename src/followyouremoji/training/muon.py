"""Muon: steps whose matrices are made orthogonal (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural
    networks").

A layer's momentum has few large singular values and many small ones, and Adam's steps follow the large ones. Muon steps
along all directions
alike: the momentum's nearest orthogonal matrix. Scaled to the size of Adam's steps (Liu et al. 2025, "Muon is scalable
    for LLM training",
Sec. 2.2), it takes Adam's learning rate and weight decay over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

COEFFICIENTS = (
    3.4445,
    -4.7750,
    2.0315,
)  # of x, x^3 and x^5: steep at zero, singular values end between 0.7 and 1.2
ITERATIONS = 5
MOMENTUM = 0.95
SIZE_OF_ADAM = 0.2  # root mean square of Adam's usual step, in learning rates
LEAST_SIDE = 16  # of a matrix for which directions mean something
FIRST_LAYER = "conv_in"  # reads inputs, whose channels are no hidden features


def sides(weight: Tensor) -> tuple[int, int]:
    """Rows and columns of a layer's weight as a matrix: outputs by all that one output reads."""
    return weight.shape[0], weight[0].numel()


def matrices(module: nn.Module) -> dict[str, Tensor]:
    """The trained weights that Muon is for, by name: of linear layers and convolutions, with 16 rows and columns at
    least.

    Those of first convolutions are left out, and so is what is no layer's weight: biases, norms, embeddings, learnt
    queries.
    """
    found = {}
    for name, layer in module.named_modules():
        if isinstance(layer, (nn.Linear, _ConvNd)) and name.rpartition(".")[2] != FIRST_LAYER:
            weight = layer.weight
            if weight.requires_grad and min(sides(weight)) >= LEAST_SIDE:
                found[f"{name}.weight"] = weight
    return found


def orthogonalised(matrix: Tensor) -> Tensor:
    """About the nearest (semi-)orthogonal matrix, by a quintic Newton-Schulz iteration, in the matrix's own precision.

    With `U S V^T` for the matrix it gives `U S' V^T`, all of S' between about 0.7 and 1.2 but for singular values that
    are next to nothing.
    """
    a, b, c = COEFFICIENTS
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix  # the Gram matrix is the smaller one
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def operations(weights: Iterable[Tensor]) -> int:
    """Floating-point operations that making these orthogonal takes in a step."""
    total = 0
    for weight in weights:
        short, long = sorted(sides(weight))
        total += ITERATIONS * (4 * short * short * long + 2 * short**3)
    return total


def shared_out(weights: list[Tensor], processes: int) -> list[int]:
    """Which process makes each weight's step orthogonal: the dearest first, each to who has least to do."""
    load, owner = [0] * processes, [0] * len(weights)
    cost = [operations([weight]) for weight in weights]
    for number in sorted(range(len(weights)), key=lambda number: -cost[number]):
        owner[number] = load.index(min(load))
        load[owner[number]] += cost[number]
    return owner


class Muon(torch.optim.AdamW):
    """Muon for the parameter groups that say `orthogonal = True`, AdamW for the others; learning rate and weight decay
    mean the same in both.

    Of several processes, each with all gradients, every one makes its share of the steps orthogonal and they exchange
    the results. A step takes the gradients of the orthogonal groups away.

    Parameters
    ----------
    precision : of the iteration and of the exchange; bfloat16 is enough (Jordan et al.).
    process, processes : this one's number and how many there are.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        *,
        precision: torch.dtype = torch.bfloat16,
        process: int = 0,
        processes: int = 1,
        **adamw: Any,
    ) -> None:
        super().__init__(groups, **adamw)
        self.precision, self.process, self.processes = precision, process, processes

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state over; AdamW's own way would bring older states up to date, and takes all for AdamW's."""
        torch.optim.Optimizer.__setstate__(self, state)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Learn from the gradients, those that `closure` computes if there is one; parameters without one stay as they
        are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group.get("orthogonal"):
                weights = [weight for weight in group["params"] if weight.grad is not None]
                self.step_matrices(weights, group["lr"], group["weight_decay"])
                for weight in weights:
                    weight.grad = None  # AdamW passes over what has no gradient
        super().step()
        return loss

    def step_matrices(self, weights: list[Tensor], rate: float, decay: float) -> None:
        directions = self.directions(weights)
        for weight, direction in zip(weights, directions, strict=True):
            weight.mul_(1 - rate * decay)
            # The mean square of an orthogonal matrix is 1 / its longer side.
            size = SIZE_OF_ADAM * max(sides(weight)) ** 0.5
            weight.add_(direction.view(weight.shape).to(weight.dtype), alpha=-rate * size)

    def directions(self, weights: list[Tensor]) -> list[Tensor]:
        """The orthogonal step of each weight, flat; the momentum of all weights moves on in every process."""
        counts = [weight.numel() for weight in weights]
        device = weights[0].device if weights else None
        joined = torch.zeros(sum(counts), dtype=self.precision, device=device)
        found = list(joined.split(counts))
        for weight, place, owner in zip(weights, found, shared_out(weights, self.processes), strict=True):
            gradient, state = weight.grad, self.state[weight]
            assert gradient is not None
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(weight)
            momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
            if owner == self.process:
                ahead = gradient.lerp(momentum, MOMENTUM)  # Nesterov's
                matrix = ahead.reshape(sides(weight)).to(self.precision)
                place.copy_(orthogonalised(matrix).flatten())
        if self.processes > 1 and weights:
            dist.all_reduce(joined)  # of one result and zeros, so nothing is rounded
        return found
