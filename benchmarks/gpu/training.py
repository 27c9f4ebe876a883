"""Questions about training: both stages of the paper at full size, as its configs have them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.gpu.material import MOTION, SEED, random_codec
from benchmarks.gpu.questions import Case, Cases, Figures, cost, question
from benchmarks.gpu.sizes import Sizes
from followyouremoji.errors import SettingsError
from followyouremoji.requests.bundled import bundled_motion
from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.training.batch import Batch, join, sample_of
from followyouremoji.training.networks import Networks, recompute_activations
from followyouremoji.training.objective import batch_losses
from followyouremoji.training.picks import Pick
from followyouremoji.training.run import Run
from followyouremoji.training.settings import DenoiserRun

DAY = 86400  # seconds


def random_training(run: DenoiserRun, device: torch.device) -> Networks:
    """A stage's networks as new ones are, of which that learns what does in the run."""
    torch.manual_seed(SEED)
    with torch.device(device):
        networks = Networks(dataclasses.replace(run.network, motion_modules=run.stage == 2))
    networks.init_from_scratch()
    if run.stage == 2:
        networks.freeze_spatial_layers()
    if run.optimisation.checkpointing:
        recompute_activations(networks)
    return networks


def random_batch(run: DenoiserRun, size: int) -> Batch:
    """What a process computes at once: pictures of noise, and landmarks of the bundled motion."""
    rng = np.random.default_rng(SEED)
    points = bundled_motion(MOTION).landmarks[:, :, :2] * size

    def sample() -> Batch:
        pictures = rng.integers(0, 256, (1 + run.targets, size, size, 3), np.uint8)
        first = int(rng.integers(len(points) - run.targets))
        pick = Pick("noise", pictures[0], pictures[1:], points[first : first + len(pictures)], None)
        return sample_of(run, pick, rng)

    return join([sample() for _ in range(run.references // run.optimisation.accumulation)])


def training_steps(stage: int, device: torch.device, sizes: Sizes) -> Cases:
    """A stage's parts of a batch, forwards and backwards, its update, and the step that they make."""
    run = sizes.stages[stage - 1]
    parts = run.optimisation.accumulation
    precision = torch.get_float32_matmul_precision()
    seconds: dict[str, float] = {}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        stack.callback(torch.set_float32_matmul_precision, precision)  # which a run sets on a GPU
        state = Run(
            random_training(run, device),
            Path(folder) / "run",
            run.optimisation,
            samples=run.references,
            tensorboard=False,
        )
        stack.callback(state.close)
        if state.device.type != device.type:
            raise SettingsError(f"training runs on {state.device} here, and nowhere else")
        codec = random_codec(sizes, device)
        alphas_cumprod = ddim_schedule(1).alphas_cumprod.to(device)
        batch = random_batch(run, sizes.picture)

        def part() -> None:
            with state.part(last=True):
                losses = batch_losses(state.predict, run, codec, batch.to(device), alphas_cumprod)
                state.backward(losses.total)

        def gradients() -> None:
            """As a part leaves them; an update takes them away."""
            for parameter in state.trained.values():
                parameter.grad = torch.full_like(parameter, 1e-3)

        def timed(
            name: str, work: Callable[[], object], before: Callable[[], object] = lambda: None
        ) -> Figures:
            figures = cost(device, work, sizes.repeats, before=before)
            seconds[name] = float(figures["seconds"])
            return figures

        def step() -> Figures:
            whole = parts * seconds["part"] + seconds["update"]
            return {
                "seconds": whole,
                "steps a second": 1 / whole,
                "frames a second": run.references * run.targets / whole,
                f"days for {run.optimisation.steps} steps": run.optimisation.steps * whole / DAY,
            }

        portraits = counted(run.references // parts, "portrait")
        yield Case(f"{portraits} at once, {counted(run.targets, 'frame')} each", lambda: timed("part", part))
        yield Case("update", lambda: timed("update", state.update, gradients))
        if len(seconds) == 2:  # both could be measured
            yield Case(f"step of {counted(parts, 'such part')}", step)


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


@question("stage 1", "Training steps a second of the paper's first stage, single frames.", seconds=30)
def first_stage(device: torch.device, sizes: Sizes) -> Cases:
    return training_steps(1, device, sizes)


@question("stage 2", "Training steps a second of the paper's second stage, clips.", seconds=40)
def second_stage(device: torch.device, sizes: Sizes) -> Cases:
    return training_steps(2, device, sizes)
