"""Plans: what is counted is exact, what does not fit is said, and what to change is found."""

from pathlib import Path

import pytest

from followyouremoji.errors import SettingsError
from followyouremoji.networks import AutoencoderConfig
from followyouremoji.training.counting import networks_to_count, parameters
from followyouremoji.training.muon import matrices
from followyouremoji.training.plan import alternatives, memory_of, plan_run
from followyouremoji.training.settings import DataPart, DenoiserRun, Optimisation
from tests.tiny import tiny_network

NETWORK = tiny_network()


def a_run(stage: int = 1, **changes: object) -> DenoiserRun:
    settings = {
        "stage": stage,
        "output": Path("out"),
        "autoencoder": Path("autoencoder"),
        "data": (DataPart(drawn={}),),
        "initial": Path("before") if stage == 2 else None,
        "network": NETWORK,
        "optimisation": Optimisation(steps=10),
        "references": 8,
        "targets": 1 if stage == 1 else 3,
    }
    return DenoiserRun(**{**settings, **changes})


def test_a_run_that_does_not_fit_is_told_what_to_change() -> None:
    run = a_run(references=8)
    plan = plan_run(run, size=64, gpus=1, memory=80, rate=1e12, autoencoder=AutoencoderConfig())
    assert plan.chosen is plan.variants[0]
    assert plan.chosen.seconds == pytest.approx(plan.step_flops / 1e12)
    need = plan.chosen.memory.total / 2**30
    less = plan_run(run, size=64, gpus=1, memory=need - 0.002, rate=1e12, autoencoder=AutoencoderConfig())
    assert not less.variants[0].fits
    assert less.chosen is not None
    assert less.chosen.name == "accumulation = 2"
    assert less.chosen.memory.total < plan.chosen.memory.total
    none = plan_run(run, size=64, gpus=1, memory=1, rate=1e12, autoencoder=AutoencoderConfig())
    assert none.chosen is None


def test_fsdp_shares_what_ddp_repeats() -> None:
    run, networks = a_run(), networks_to_count(a_run())
    ddp = memory_of(run, Optimisation(steps=1), networks, 4, 0, False)
    fsdp = memory_of(run, Optimisation(steps=1, sharding="fsdp"), networks, 4, 0, False)
    assert fsdp.optimiser == ddp.optimiser / 4
    assert fsdp.gradients == ddp.gradients / 4
    eight = memory_of(run, Optimisation(steps=1, optimiser="adamw8bit"), networks, 4, 0, False)
    assert eight.optimiser == ddp.optimiser / 4


def test_muon_has_one_moment_for_what_it_learns_and_adam_two_for_the_rest() -> None:
    autoencoder = AutoencoderConfig(latent_channels=4, channels=(8, 8), blocks=1)
    settings = Optimisation(steps=1, optimiser="muon")
    run = a_run(tune_decoder=True, picture_loss=1.0, optimisation=settings)
    networks = networks_to_count(run, autoencoder)
    trained = sum(p.numel() for p in networks.parameters() if p.requires_grad)
    by_muon = sum(
        weight.numel() for name, weight in matrices(networks).items() if not name.startswith("decoder.")
    )
    assert 0.5 * trained < by_muon < trained
    assert memory_of(run, settings, networks, 1, 0, False).optimiser == 4 * (2 * trained - by_muon)
    decoder = parameters(networks)["decoder"]
    assert decoder.trained == decoder.all > 0
    for optimisation, shardable in ((settings, True), (Optimisation(steps=1), False)):
        assert not any("fsdp" in name for name, _ in alternatives(optimisation, 8, 2, shardable))
    with pytest.raises(SettingsError, match="small autoencoder of your own"):
        plan_run(run, size=64, gpus=1, memory=80, rate=1e12)


def test_changes_are_tried_cheapest_first_and_share_the_batch_evenly() -> None:
    names = [name for name, _ in alternatives(Optimisation(steps=1), references=12, gpus=2)]
    assert names[:4] == ["as it is", "accumulation = 2", "accumulation = 3", "accumulation = 6"]
    assert names[4] == "checkpointing = true"
    assert any("fsdp" in name for name in names)
    with pytest.raises(SettingsError, match="12 `references` cannot be shared evenly by 5 GPUs"):
        next(alternatives(Optimisation(steps=1), references=12, gpus=5))


@pytest.mark.parametrize("sharding", ["ddp", "fsdp"])
@pytest.mark.parametrize("optimiser", ["adamw", "adamw8bit", "muon"])
def test_only_what_can_be_trained_is_proposed(optimiser, sharding) -> None:
    if sharding == "fsdp" and optimiser != "adamw":
        with pytest.raises(SettingsError, match=rf'{optimiser} .*`sharding = "ddp"` alone'):
            Optimisation(steps=1, optimiser=optimiser, sharding=sharding)
        return
    settings = Optimisation(steps=1, optimiser=optimiser, sharding=sharding)
    proposed = [
        change for _, change in alternatives(settings, references=4, gpus=2)
    ]  # each accepted as it is made
    assert any(change.sharding == "fsdp" for change in proposed) == (optimiser == "adamw")


def test_the_average_is_given_up_last() -> None:
    settings = Optimisation(steps=1, checkpointing=True, sharding="fsdp")
    changes = dict(alternatives(settings, references=2, gpus=2))
    assert list(changes) == ["as it is", "ema = 0.0"]
    assert changes["ema = 0.0"].ema == 0
    names = [name for name, _ in alternatives(Optimisation(steps=1), references=2, gpus=2)]
    assert names[2:] == [
        'checkpointing = true, optimiser = "adamw8bit"',
        'checkpointing = true, sharding = "fsdp"',
        'checkpointing = true, sharding = "fsdp", ema = 0.0',
    ]
    run, networks = a_run(), networks_to_count(a_run())
    kept = memory_of(run, settings, networks, 1, 0, False)
    given_up = memory_of(run, changes["ema = 0.0"], networks, 1, 0, False)
    assert kept.average > 0
    assert given_up.average == 0
