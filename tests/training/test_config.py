"""Run files: every entry is read, a mistake is refused in words that name the file."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from followyouremoji.errors import SettingsError
from followyouremoji.training.codec import load_codec
from followyouremoji.training.config import load_run
from followyouremoji.training.settings import AutoencoderRun, DenoiserRun, Optimisation

CONFIGS = Path(__file__).parents[2] / "configs"
DENOISER = """
kind = "denoiser"
stage = 1
data = [{shards = "clips", weight = 2, strides = [1, 2]}, {drawn = {size = 64, styles = ["emoji"]}}]
output = "out"
autoencoder = "autoencoder.toml"
references = 2
targets = 3
reference_dropout = 0.1
workers = 2
[optimisation]
steps = 4
schedule = "cosine"
precision = "bf16"
accumulation = 2
[landmarks]
contour = true
points = "image"
[validation]
every = 2
drawings = "held out"
[network]
layout = "paper"
latent_channels = 4
block_channels = [16, 16]
heads = 2
norm_groups = 8
image_source = "latents"
image_width = 6
[network.qformer]
layers = 4
"""


def load(folder: Path, text: str) -> DenoiserRun | AutoencoderRun:
    path = folder / "run.toml"
    path.write_text(text)
    return load_run(path)


def test_all_entries_are_read(tmp_path) -> None:
    run = load(tmp_path, DENOISER)
    assert isinstance(run, DenoiserRun)
    shards, drawn = run.data
    assert (shards.shards, shards.strides, shards.weight) == (Path("clips"), (1, 2), 2)
    assert drawn.drawn == {"size": 64, "styles": ["emoji"]}
    assert (run.optimisation.schedule, run.optimisation.accumulation) == ("cosine", 2)
    assert (run.landmarks.points, run.landmarks.style.contour, run.landmarks.style.pupils) == (
        "image",
        True,
        True,
    )
    assert run.validation is not None
    assert run.validation.drawings == Path("held out")
    assert run.network.qformer is not None
    assert run.clip_frames == 16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('kind = "denoiser"', 'kind = "painter"'), "`kind` must be one of"),
        (("references = 2", "refrences = 2"), "unknown entry 'refrences'"),
        (("heads = 2\nnorm", "heads = 3\nnorm"), "divisible"),
        (("[network]", "[network"), "not a TOML file"),
        (("steps = 4", ""), "entry 'steps' is missing"),
        (("stage = 1", "stage = 3"), "`stage` must be 1 or 2"),
        (("stage = 1", "stage = 2"), "stage 2 needs `initial`"),
        (("targets = 3", "targets = 0"), "`targets` must be 1 or more"),
        (("targets = 3", "targets = 2.5"), "`targets` must be a whole number"),
        (("steps = 4", 'steps = "many"'), "`steps` must be a whole number"),
        (("weight = 2", "weight = -2"), "`weight`"),
        (("shards =", "shard ="), "unknown entry 'shard'"),
        (('{drawn = {size = 64, styles = ["emoji"]}}', "{weight = 1.0}"), "names either `shards` or `drawn`"),
        (("data =", 'drawings = "x"\ndata ='), "one of the two"),
        (
            ('schedule = "cosine"', 'schedule = "cosinus"'),
            "`schedule` must be one of constant, cosine, linear",
        ),
        (('precision = "bf16"', 'precision = "half"'), "`precision` must be one of"),
        (("reference_dropout = 0.1", "reference_dropout = 10"), "a share from 0 to 1"),
        (("contour = true", "contour = 1"), "`contour` must be true or false"),
        (('points = "image"', 'points = "3d"'), "`points` must be one of metric, image"),
        (("image_width = 6", "image_width = 7"), "`image_width` must be 6"),
        (('image_source = "latents"', 'image_source = "clip"'), "needs `image_encoder`"),
        (("[validation]\nevery = 2", "[validation]\nevery = 0"), "`every` must be 1 or more"),
        (('autoencoder = "autoencoder.toml"', "autoencoder = 3"), "`autoencoder` must be a path"),
        (("layers = 4", "layer = 4"), "'qformer' has unknown entries: layer; known are layers, "),
        (("layers = 4", "layers = 0"), "qformer.layers cannot be 0"),
        (
            ("layers = 4", "width = 30\nheads = 4"),
            "`qformer.width` must be a multiple of its 4 heads, not 30",
        ),
        (("image_width = 6", "image_width = 6\nlandmark_channels = [4, 4, 4]"), "must be 4 widths"),
        (
            ("image_width = 6", "image_width = 6\nmotion_levels = [2]"),
            "`motion_levels` must be of the 2 levels",
        ),
        (("image_width = 6", "image_width = 6\nresidual_scale = 0"), "`residual_scale` must be above 0"),
        (
            ("[16, 16]\nheads = 2\nnorm_groups = 8", "[15, 15]\nheads = 3\nnorm_groups = 5"),
            "Block width 15 must be even",
        ),
        (("size = 64", 'size = "128"'), "multiple of 8, from 32 to 2048 pixels, not '128'"),
        (("size = 64", "size = 100"), "multiple of 8, from 32 to 2048 pixels, not 100"),
        (("size = 64", "frame_rates = 25"), "`frame_rates` are two numbers, the lower first, not 25"),
        (("size = 64", "seed = 0.5"), "`seed` of drawn portraits"),
        (("size = 64", 'speech = "much"'), "`speech` must be from 0 to 1"),
        (("size = 64", "sise = 64"), "unknown entry 'sise' of `drawn`; known are size"),
        (('["emoji"]', '"emoji"'), "a list of names, not 'emoji'"),
        (('{size = 64, styles = ["emoji"]}', "64"), "`drawn` must be a table"),
        (("heads = 2\nnorm", "heads = 0\nnorm"), "network.heads cannot be 0"),
        (
            ('image_source = "latents"', 'image_source = "words"'),
            "`image_source` must be one of clip, latents",
        ),
        (("[1, 2]", "1"), "`strides` must be a list of whole numbers"),
        (("reference_dropout = 0.1", 'reference_dropout = "little"'), "`reference_dropout` must be a number"),
    ],
)
def test_a_mistake_is_refused_in_words(tmp_path, change, message) -> None:
    assert change[0] in DENOISER
    with pytest.raises(SettingsError, match=re.escape(message)) as error:
        load(tmp_path, DENOISER.replace(*change))
    assert str(tmp_path / "run.toml") in str(error.value)


@pytest.mark.parametrize("name", ["stage1", "stage2"])
def test_the_paper_s_runs_take_held_out_people_where_the_comment_says(tmp_path, name) -> None:
    text = (CONFIGS / "paper" / f"{name}.toml").read_text()
    as_it_is = load(tmp_path, text)
    named = load(
        tmp_path, text.replace('# data = [{ shards = "data/held_out"', 'data = [{ shards = "data/held_out"')
    )
    assert isinstance(as_it_is, DenoiserRun)
    assert isinstance(named, DenoiserRun)
    assert as_it_is.validation is not None
    assert as_it_is.validation.data == ()
    assert named.validation is not None
    assert named.validation.data[0].shards == Path("data/held_out")
    assert named.data == as_it_is.data


def test_a_table_of_the_autoencoder_may_name_a_part_of_its_sizes(tmp_path) -> None:
    text = 'kind = "autoencoder"\noutput = "out"\ndrawings = "x"\n[optimisation]\nsteps = 4\n[autoencoder]\n'
    run = load(tmp_path, text + "latent_channels = 8\n")
    assert isinstance(run, AutoencoderRun)
    assert (run.autoencoder.latent_channels, run.autoencoder.channels) == (8, (64, 128))
    with pytest.raises(SettingsError, match=r"run\.toml: `autoencoder.channels` must be 2 widths"):
        load(tmp_path, text + "channels = [64, 64, 128]\n")
    with pytest.raises(SettingsError, match=r"autoencoder.channels cannot be 64"):
        load(tmp_path, text + "channels = 64\n")
    with pytest.raises(SettingsError, match="`autoencoder` must be a table"):
        load(tmp_path, text.replace("[autoencoder]\n", "").replace("[opt", "autoencoder = 3\n[opt"))


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: no such file"):
        load_run(tmp_path / "nowhere.toml")


def test_a_decoder_is_tuned_where_it_can_learn_and_lies_whole(tmp_path) -> None:
    tuned = DENOISER.replace("targets = 3", "targets = 3\ntune_decoder = true")
    with pytest.raises(SettingsError, match="`tune_decoder` needs `picture_loss`"):
        load(tmp_path, tuned)
    tuned = tuned.replace("tune_decoder", "picture_loss = 2\ntune_decoder")
    assert load(tmp_path, tuned).tune_decoder  # type: ignore[union-attr]
    with pytest.raises(SettingsError, match=r"run\.toml.*each GPU holds a part of the decoder"):
        load(tmp_path, tuned.replace("steps = 4", 'steps = 4\nsharding = "fsdp"'))
    with pytest.raises(SettingsError, match="`picture_frames` must be 0 or more"):
        load(tmp_path, tuned.replace("tune_decoder", "picture_frames = -1\ntune_decoder"))


@pytest.mark.parametrize("name", ["autoencoder", "stage1", "stage2", "further1", "further2"])
def test_the_bundled_model_s_runs_go_to_their_folders(name) -> None:
    assert load_run(CONFIGS / "bundled" / f"{name}.toml").output == Path("runs") / name


def test_the_constant_rate_rises_holds_and_falls() -> None:
    settings = Optimisation(steps=100, learning_rate=1.0, warmup=10, decay=20)
    assert [settings.rate(step) for step in (0, 9, 50, 80)] == pytest.approx([0.1, 1, 1, 1])
    assert settings.rate(90) == pytest.approx(0.5)
    assert settings.rate(100) == 0


@pytest.mark.parametrize(("schedule", "middle"), [("cosine", 0.5), ("linear", 0.5)])
def test_other_rates_fall_from_the_warm_up_to_the_end(schedule, middle) -> None:
    settings = Optimisation(steps=110, learning_rate=2.0, warmup=10, schedule=schedule, final_rate=0.1)
    rates = [settings.rate(step) for step in range(111)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == pytest.approx(2.0)
    assert rates[60] == pytest.approx(2 * (0.1 + 0.9 * middle))
    assert rates[110] == pytest.approx(0.2)
    assert all(later <= earlier for earlier, later in pairwise(rates[10:]))


@pytest.mark.parametrize(
    ("name", "stage", "steps", "portraits", "targets"),
    [("stage1", 1, 30_000, 32, 1), ("stage2", 2, 10_000, 32, 16), ("smoke", 1, 10, 2, 1)],
)
def test_the_paper_s_figures_are_in_the_configs(name, stage, steps, portraits, targets) -> None:
    """Sec. 4.1: 30k steps at batch 32 on single frames; 10,000 steps at batch 32 on 16 frames."""
    run = load_run(CONFIGS / "paper" / f"{name}.toml")
    assert isinstance(run, DenoiserRun)
    found = (run.stage, run.optimisation.steps, run.references, run.targets)
    assert found == (stage, steps, portraits, targets)
    assert run.network.qformer is not None
    assert run.network.qformer.layers == 4
    assert run.expression_mask
    assert run.face_mask
    assert run.progressive


def test_the_smoke_config_fits_the_bundled_autoencoder(monkeypatch) -> None:
    monkeypatch.chdir(CONFIGS.parent)
    run = load_run(CONFIGS / "paper" / "smoke.toml")
    assert isinstance(run, DenoiserRun)
    assert load_codec(run).image_encoder is None
