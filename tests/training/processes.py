"""What a process of several does in `test_processes`: a few steps on tiny clips, as torchrun would start it.

python -m tests.training.processes OUTPUT STEPS SHARDING ACCUMULATION STAGE [MORE]

MORE is JSON, further settings of the run.
"""

import json
import sys
from functools import partial
from pathlib import Path

import torch
from torch.distributed.tensor import DTensor

from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.training.batch import Batch, join, make_sample
from followyouremoji.training.loop import Outcome, train
from followyouremoji.training.objective import batch_losses
from followyouremoji.training.picks import ClipPicks
from followyouremoji.training.run import Run
from followyouremoji.training.settings import DenoiserRun
from followyouremoji.training.trainer import codec_of

from .tiny import Faces, codec, networks_of, run_of


def train_tiny(run: DenoiserRun, gradients: list[dict[str, torch.Tensor]]) -> Outcome:
    """Train, and keep each step's gradients before they are clipped."""
    networks = networks_of(run)
    state = Run(
        networks, run.output, run.optimisation, samples=run.references, rates=run.rates, tensorboard=False
    )
    in_shares = run.optimisation.sharding == "fsdp" and state.processes.count > 1
    assert any(isinstance(p, DTensor) for p in networks.parameters()) == in_shares, "whole copies, not shares"
    frozen, alphas_cumprod = codec_of(run, codec(), networks), ddim_schedule(1).alphas_cumprod

    def losses(batch: Batch) -> dict[str, torch.Tensor]:
        found = batch_losses(state.predict, run, frozen, batch, alphas_cumprod)
        return {"total": found.total, "diffusion": found.diffusion, "facial": found.facial}

    update = state.update

    def kept() -> float:
        gathered = {name: p.grad for name, p in state.trained.items() if p.grad is not None}
        gradients.append({name: value.clone() for name, value in state.gathered(gathered).items()})
        return update()

    state.update = kept  # type: ignore[method-assign]
    return train(state, run, partial(make_sample, run, ClipPicks(Faces(), 4)), join, losses)


def main(output: str, steps: str, sharding: str, accumulation: str, stage: str, more: str = "{}") -> None:
    run = run_of(
        Path(output),
        int(stage),
        int(steps),
        sharding=sharding,
        accumulation=int(accumulation),
        reference_dropout=0.3,
        save_every=2,
        **json.loads(more),
    )
    gradients: list[dict[str, torch.Tensor]] = []
    outcome = train_tiny(run, gradients)
    if outcome.is_main:
        torch.save(gradients, Path(output) / "gradients.pt")
        print(json.dumps({"step": outcome.step}))


if __name__ == "__main__":
    main(*sys.argv[1:])
