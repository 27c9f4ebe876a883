"""The denoiser compiled region by region: the same predictions, few compilations, and everything around the regions
goes on as before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from followyouremoji.animator import PortraitAnimator
from followyouremoji.errors import SettingsError
from followyouremoji.networks import AppearanceNet, Denoiser
from followyouremoji.networks.compiling import compile_module, compile_regions, compiler_problem
from followyouremoji.sampling.denoising import denoise
from followyouremoji.sampling.guidance import ClipConditioning, condition_clip
from followyouremoji.sampling.presets import CacheSettings, ForecastSettings, StageRules, TaylorSettings
from followyouremoji.sampling.windows import Window, overlapping_windows
from tests.tiny import tiny_network

SIDE = 8
TAYLOR = TaylorSettings((StageRules(0.5, 0), StageRules(1.0, 0.5, cut=1)))


@dataclass
class Counting:
    """A backend that runs the graphs it is given as they are, and counts them."""

    graphs: list[torch.fx.GraphModule] = field(default_factory=list)

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[Any]) -> Callable[..., Any]:
        self.graphs.append(graph)
        return graph.forward


@dataclass
class Case:
    denoiser: Denoiser
    plain: Denoiser
    conditioning: ClipConditioning
    backend: Counting

    def latents(
        self, denoiser: Denoiser, windows: list[Window], cache: CacheSettings | None = None
    ) -> Tensor:
        frames = windows[-1].stop
        generator = torch.Generator().manual_seed(1)
        noise = torch.randn(1, 4, frames, SIDE, SIDE, generator=generator)
        features = torch.randn(1, 16, frames, SIDE, SIDE, generator=generator)
        with torch.inference_mode():
            return denoise(
                denoiser,
                self.conditioning,
                lambda window: features[:, :, window.start : window.stop],
                noise,
                torch.zeros_like(noise),
                torch.zeros(1, 1, frames, 1, 1),
                windows,
                4,
                cache,
            )


def randomised(network: nn.Module) -> nn.Module:
    for name, parameter in network.named_parameters():
        if "temporal_transformer.proj_out" in name:
            nn.init.normal_(parameter, std=0.1)
    return network.eval().requires_grad_(False)


class Twice(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


def test_a_module_is_compiled_for_all_of_many_shapes() -> None:
    module, backend = Twice(), Counting()
    compile_module(module, backend)
    for size in (*range(1, 13), *range(1, 13)):
        module(torch.zeros(size, 2))
    assert len(backend.graphs) == 12


@pytest.fixture(scope="module", params=["paper", pytest.param("released", marks=pytest.mark.slow)])
def case(request: pytest.FixtureRequest) -> Case:
    torch.manual_seed(0)
    changes = {} if request.param == "paper" else {"layout": "released", "qformer": None}
    config = tiny_network(block_channels=(16, 16), **changes)
    appearance_net, plain = randomised(AppearanceNet(config)), randomised(Denoiser(config))
    compiled = Denoiser(config).eval().requires_grad_(False)
    compiled.load_state_dict(plain.state_dict())
    backend = Counting()
    compile_regions(compiled, torch.device("meta"), backend)  # as for a GPU: all regions
    with torch.inference_mode():
        portrait, tokens = torch.randn(1, 4, SIDE, SIDE), torch.randn(1, 2, 6)
        conditioning = condition_clip(plain, tokens, appearance_net(portrait, tokens), 2.5)
    return Case(compiled, plain, conditioning, backend)


def windows(frames: int, length: int) -> list[Window]:
    return overlapping_windows(frames, length, 1)


@pytest.mark.slow
def test_equal_shapes_share_compilations_and_every_window_length_is_compiled(case: Case) -> None:
    """A second length compiles as many again; the first one again, none; a break or a fall-back would raise."""
    modules = [module for module in case.denoiser.modules() if module._compiled_call_impl is not None]
    for length, again in ((3, False), (4, False), (3, True)):
        before = len(case.backend.graphs)
        expected = case.latents(case.plain, windows(length, length))
        result = case.latents(case.denoiser, windows(length, length))
        assert torch.allclose(result, expected, atol=1e-4)
        made = len(case.backend.graphs) - before
        assert made == 0 if again else 0 < made < len(modules)


@pytest.mark.slow
def test_a_clip_may_have_many_lengths_of_windows(case: Case) -> None:
    """torch counts compilations of all modules that share a forward, and gives up at its own limit."""
    with torch._dynamo.config.patch(accumulated_recompile_limit=4):
        compile_regions(case.denoiser, torch.device("meta"), case.backend)
        for length in range(3, 9):
            case.latents(case.denoiser, windows(length, length))


@pytest.mark.slow
@pytest.mark.parametrize("cache", [TAYLOR, ForecastSettings(passes=3)])
def test_caches_stand_around_compiled_regions(case: Case, cache: CacheSettings) -> None:
    """Two overlapping windows; guidance's halves go one by one where layers are cached."""
    expected = case.latents(case.plain, windows(5, 3), cache)
    assert not torch.equal(expected, case.latents(case.plain, windows(5, 3)))
    assert torch.allclose(case.latents(case.denoiser, windows(5, 3), cache), expected, atol=1e-4)


def test_weights_are_inputs_not_constants(case: Case) -> None:
    """A LoRA puts in other parameters, and offloading loads them again: nothing is compiled anew, and the new ones
    count."""
    span = windows(3, 3)
    before = case.latents(case.denoiser, span)
    made = len(case.backend.graphs)
    saved = {name: value.clone() for name, value in case.denoiser.state_dict().items()}
    layer = case.denoiser.transformers()[0].block.attn1.to_q
    original = layer.weight
    layer.weight = nn.Parameter(original * 2 + 0.5, requires_grad=False)
    assert not torch.allclose(case.latents(case.denoiser, span), before, atol=1e-4)
    layer.weight = original
    case.denoiser.load_state_dict(saved, assign=True)
    assert torch.equal(case.latents(case.denoiser, span), before)
    assert len(case.backend.graphs) == made


def test_names_of_tensors_stay(case: Case) -> None:
    assert list(case.denoiser.state_dict()) == list(case.plain.state_dict())


def test_a_compiler_that_does_not_work_is_named() -> None:
    assert compiler_problem(torch.device("cpu"), "eager") is None
    problem = compiler_problem(torch.device("cpu"), "no such compiler")
    assert problem is not None
    assert "no such compiler" in problem


def test_an_animator_says_so_before_it_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = partial(compiler_problem, backend="no such compiler")
    monkeypatch.setattr("followyouremoji.networks.compiling.compiler_problem", broken)
    with pytest.raises(
        SettingsError, match=r"torch cannot compile for cpu here .*: install a C\+\+ compiler"
    ):
        PortraitAnimator.from_pretrained("no such model", "cpu", compile=True)


@pytest.mark.slow
def test_torchs_own_compiler_agrees_within_rounding(case: Case) -> None:
    problem = compiler_problem(torch.device("cpu"))
    if problem is not None:
        pytest.skip(f"torch finds no compiler here: {problem}")
    compiled = Denoiser(case.plain.config).eval().requires_grad_(False)
    compiled.load_state_dict(case.plain.state_dict())
    compile_regions(compiled, torch.device("cpu"))
    for length in (3, 4):
        expected = case.latents(case.plain, windows(length, length))
        result = case.latents(compiled, windows(length, length))
        assert torch.allclose(result, expected, atol=1e-4)
