"""Muon: what its iteration gives, whom it is for, and that runs with it are shared, resumed and refused like any
other."""

from pathlib import Path

import pytest
import torch
from torch import nn

from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.training.checkpointing import checkpoints, newest_state
from followyouremoji.training.muon import Muon, matrices, operations, orthogonalised, shared_out
from followyouremoji.training.optimiser import parameter_groups
from followyouremoji.training.run import Run
from followyouremoji.training.settings import Optimisation

from .tiny import networks_of, run_of


@pytest.mark.parametrize("shape", [(24, 60), (60, 24), (32, 32)])
def test_singular_values_become_alike_and_directions_stay(shape) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    found = left.T @ orthogonalised(matrix) @ right.T
    values = found.diagonal()
    # Jordan et al.: the coefficients let singular values end anywhere between about 0.7 and 1.2
    assert 0.65 < float(values.min()) < float(values.max()) < 1.25
    torch.testing.assert_close(found, torch.diag(values), atol=1e-3, rtol=0)


def test_steps_of_matrices_are_torch_s_own() -> None:
    """torch.optim.Muon knows matrices alone; for these it is an independent writing of the same rule."""
    theirs_of = getattr(torch.optim, "Muon", None)
    if theirs_of is None:
        pytest.skip("this torch has no Muon")
    torch.manual_seed(0)
    own, other = (nn.Parameter(torch.ones(20, 48)) for _ in range(2))
    ours = Muon([{"params": [own], "orthogonal": True}], lr=0.01, weight_decay=0.1)
    theirs = theirs_of([other], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        own.grad = torch.randn(20, 48)
        other.grad = own.grad.clone()
        ours.step()
        theirs.step()
    torch.testing.assert_close(own, other, atol=4 * 0.01 * 0.2 * 48**0.5 * 0.02, rtol=0)  # bf16 has 8 bits
    assert own.grad is None


def test_it_is_for_the_matrices_and_convolutions_of_hidden_layers(tmp_path) -> None:
    run = run_of(tmp_path, optimiser="muon", tune_decoder=True, picture_loss=1.0)
    networks = networks_of(run)
    parameters = dict(networks.named_parameters())
    groups = parameter_groups(run.optimisation, networks, {"decoder": 0.3})
    names = {id(parameter): name for name, parameter in parameters.items()}
    by_muon = {names[id(p)] for group in groups if group["orthogonal"] for p in group["params"]}
    assert "denoiser.mid_block.resnets.0.conv1.weight" in by_muon
    for name in by_muon:
        weight = parameters[name]
        assert weight.ndim >= 2
        assert min(weight.shape[0], weight[0].numel()) >= 16
        assert name.endswith(".weight")
        assert "conv_in" not in name
        assert not name.startswith("decoder.")
    rates = {names[id(p)]: group["rate"] for group in groups for p in group["params"]}
    assert set(rates) == {name for name, p in parameters.items() if p.requires_grad}
    assert {rate for name, rate in rates.items() if name.startswith("decoder.")} == {0.3}
    assert {rate for name, rate in rates.items() if not name.startswith("decoder.")} == {1.0}


def test_processes_have_about_the_same_to_do() -> None:
    sizes = (64, 16, 48, 48, 32, 16, 32, 64, 16)
    weights = [torch.empty(size, size) for size in sizes]
    owners = shared_out(weights, 2)
    load = [
        sum(operations([w]) for w, o in zip(weights, owners, strict=True) if o == rank) for rank in (0, 1)
    ]
    assert abs(load[0] - load[1]) <= operations([torch.empty(16, 16)])
    # five rounds of two products of (n, n) by (n, m) and one of (n, n) by (n, n), n the shorter side
    assert operations([torch.empty(40, 20)]) == 5 * (2 * 2 * 20 * 20 * 40 + 2 * 20**3)


class Layers(nn.Module):
    """A few layers whose loss is quick."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 20, 3)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(pictures).relu()).square().mean()


def stepped(folder: Path, steps: int, broken: int | None = None, optimiser: str = "muon") -> Run:
    """A run up to a step, saved there; the loss of step `broken` is no number."""
    settings = Optimisation(steps=8, warmup=1, optimiser=optimiser)  # type: ignore[arg-type]
    state = Run(Layers(), folder, settings, samples=1, tensorboard=False)
    while state.step_number < steps:
        pictures = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(state.step_number))
        with state.part(last=True):
            loss = state.prepared(pictures)
            state.backward(loss * float("nan") if state.step_number == broken else loss)
        state.update()
    state.save()
    state.close()
    return state


def test_a_stopped_run_goes_on_exactly_and_skips_what_is_no_number(tmp_path) -> None:
    stepped(tmp_path / "whole", 5, broken=1)
    stepped(tmp_path / "broken", 3, broken=1)
    stepped(tmp_path / "broken", 5)
    whole, resumed = newest_state(tmp_path / "whole"), newest_state(tmp_path / "broken")
    assert (whole["skipped"], resumed["skipped"]) == (1, 1)
    for part in ("module", "average"):
        for name, value in whole[part].items():
            assert torch.equal(value, resumed[part][name]), name
            assert bool(value.isfinite().all())
    kinds = {name: set(moments) for name, moments in whole["optimiser"].items()}
    assert kinds == {
        "first.weight": {"momentum"},
        "last.weight": {"momentum"},
        "first.bias": {"step", "exp_avg", "exp_avg_sq"},
        "last.bias": {"step", "exp_avg", "exp_avg_sq"},
    }
    assert set(matrices(Layers())) == {"first.weight", "last.weight"}


def test_what_it_cannot_go_on_from_or_work_with_is_refused(tmp_path) -> None:
    stepped(tmp_path, 2, optimiser="adamw")
    before = checkpoints(tmp_path)
    with pytest.raises(WeightsError, match="another `optimiser`"):
        stepped(tmp_path, 4)
    assert checkpoints(tmp_path) == before
    with pytest.raises(SettingsError, match="whole matrices"):
        Optimisation(steps=1, optimiser="muon", sharding="fsdp")
