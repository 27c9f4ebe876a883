"""Run files: every entry is read, a mistake is refused in words that name the file."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from followyouremoji.checkpoints import ModelConfig
from followyouremoji.data.drawn import DrawnPart
from followyouremoji.errors import SettingsError
from followyouremoji.training.codec import load_codec
from followyouremoji.training.config import load_run
from followyouremoji.training.settings import AutoencoderRun, DecoderRun, DenoiserRun, Optimisation
from followyouremoji.training.starts import Start

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
    assert drawn.drawn == DrawnPart(size=64, styles=("emoji",))
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
        (
            ('kind = "denoiser"', 'kind = "painter"'),
            "`kind` must be 'autoencoder', 'decoder' or 'denoiser', not 'painter'",
        ),
        (("references = 2", "refrences = 2"), "unknown entry `refrences`; did you mean `references`?"),
        (("heads = 2\nnorm", "heads = 3\nnorm"), "divisible"),
        (("[network]", "[network"), "not a TOML file"),
        (("steps = 4", ""), "the entry `optimisation.steps` is missing"),
        (("stage = 1", "stage = 3"), "`stage` must be 1 or 2, not 3"),
        (("stage = 1", "stage = 2"), "stage 2 needs `initial`"),
        (("targets = 3", "targets = 0"), "`targets` must be a whole number above 0, not 0"),
        (("targets = 3", "targets = 2.5"), "`targets` must be a whole number above 0, not 2.5"),
        (("steps = 4", 'steps = "many"'), "`optimisation.steps` must be a whole number above 0, not 'many'"),
        (("weight = 2", "weight = -2"), "`data[0].weight` must be a number above 0, not -2"),
        (("shards =", "shard ="), "unknown entry `data[0].shard`; did you mean `shards`?"),
        (('{drawn = {size = 64, styles = ["emoji"]}}', "{weight = 1.0}"), "names either `shards` or `drawn`"),
        (("data =", 'drawings = "x"\ndata ='), "one of the two"),
        (
            ('schedule = "cosine"', 'schedule = "cosinus"'),
            "`optimisation.schedule` must be 'constant', 'cosine' or 'linear', not 'cosinus'",
        ),
        (
            ('precision = "bf16"', 'precision = "half"'),
            "`optimisation.precision` must be 'fp32', 'bf16' or 'fp16'",
        ),
        (
            ("reference_dropout = 0.1", "reference_dropout = 10"),
            "`reference_dropout` must be a number from 0 to 1, not 10",
        ),
        (("contour = true", "contour = 1"), "`landmarks.contour` must be true or false, not 1"),
        (('points = "image"', 'points = "3d"'), "`landmarks.points` must be 'metric' or 'image'"),
        (("image_width = 6", "image_width = 7"), "`image_width` must be 6"),
        (('image_source = "latents"', 'image_source = "clip"'), "needs `image_encoder`"),
        (
            ("[validation]\nevery = 2", "[validation]\nevery = 0"),
            "`validation.every` must be a whole number above 0",
        ),
        (('autoencoder = "autoencoder.toml"', "autoencoder = 3"), "`autoencoder` must be a path"),
        (("layers = 4", "layer = 4"), "unknown entry `network.qformer.layer`; did you mean `layers`?"),
        (
            ("layers = 4", "layers = 0"),
            "`network.qformer.layers` must be a whole number from 1 to 32, not 0",
        ),
        (
            ("layers = 4", "width = 30\nheads = 4"),
            "`network.qformer`: `width` must be a multiple of its 4 heads, not 30",
        ),
        (
            ("image_width = 6", "image_width = 6\nlandmark_channels = [4, 4, 4]"),
            "`network.landmark_channels` must be a list of 4 whole numbers",
        ),
        (
            ("image_width = 6", "image_width = 6\nmotion_levels = [2]"),
            "`motion_levels` must be of the 2 levels",
        ),
        (
            ("image_width = 6", "image_width = 6\nresidual_scale = 0"),
            "`network.residual_scale` must be a number above 0",
        ),
        (
            ("[16, 16]\nheads = 2\nnorm_groups = 8", "[15, 15]\nheads = 3\nnorm_groups = 5"),
            "`network`: the block width 15 must be even",
        ),
        (
            ("size = 64", 'size = "128"'),
            "`data[1].drawn.size` must be a whole number from 32 to 2048, a multiple of 8, not '128'",
        ),
        (("size = 64", "size = 100"), "a whole number from 32 to 2048, a multiple of 8, not 100"),
        (
            ("size = 64", "frame_rates = 25"),
            "`data[1].drawn.frame_rates` must be a list of 2 numbers, not 25",
        ),
        (("size = 64", "seed = 0.5"), "`data[1].drawn.seed` must be a whole number of at least 0, not 0.5"),
        (("size = 64", 'speech = "much"'), "`data[1].drawn.speech` must be a number from 0 to 1, not 'much'"),
        (("size = 64", "sise = 64"), "unknown entry `data[1].drawn.sise`; did you mean `size`?"),
        (('["emoji"]', '"emoji"'), "`data[1].drawn.styles` must be a list of texts, not 'emoji'"),
        (('{size = 64, styles = ["emoji"]}', "64"), "`data[1].drawn` must be a table, not 64"),
        (("heads = 2\nnorm", "heads = 0\nnorm"), "`network.heads` must be a whole number from 1 to"),
        (
            ('image_source = "latents"', 'image_source = "words"'),
            "`network.image_source` must be 'clip' or 'latents'",
        ),
        (("[1, 2]", "1"), "`data[0].strides` must be a list of whole numbers, not 1"),
        (
            ("reference_dropout = 0.1", 'reference_dropout = "little"'),
            "`reference_dropout` must be a number from 0 to 1",
        ),
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
    with pytest.raises(
        SettingsError, match=r"run\.toml: `autoencoder.channels` must be a list of 2 whole numbers"
    ):
        load(tmp_path, text + "channels = [64, 64, 128]\n")
    with pytest.raises(
        SettingsError, match=r"`autoencoder.channels` must be a list of 2 whole numbers, not 64"
    ):
        load(tmp_path, text + "channels = 64\n")
    with pytest.raises(SettingsError, match="`autoencoder` must be a table"):
        load(tmp_path, text.replace("[autoencoder]\n", "").replace("[opt", "autoencoder = 3\n[opt"))


def test_several_mistakes_are_named_together(tmp_path) -> None:
    text = DENOISER.replace("references = 2", "refrences = 2").replace("every = 2", "every = 0")
    with pytest.raises(SettingsError, match=r"`validation\.every` must be .*; unknown entry `refrences`"):
        load(tmp_path, text)


@pytest.mark.parametrize("kind", [DenoiserRun, AutoencoderRun, DecoderRun, ModelConfig])
def test_a_config_s_schema_describes_every_entry(kind) -> None:
    schema = TypeAdapter(kind).json_schema()
    for table in (schema, *schema["$defs"].values()):
        assert not table["additionalProperties"]
        for name, entry in table["properties"].items():
            assert entry.get("description"), f"{table['title']}.{name}"


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
    with pytest.raises(SettingsError, match="`picture_frames` must be a whole number of at least 0"):
        load(tmp_path, tuned.replace("tune_decoder", "picture_frames = -1\ntune_decoder"))


@pytest.mark.parametrize("stage", [1, 2])
def test_the_teacher_s_runs_learn_to_do_without_the_portrait(stage) -> None:
    run = load_run(CONFIGS / "distil" / f"teacher{stage}.toml")
    student = load_run(CONFIGS / "distil" / "small4.toml")
    assert isinstance(run, DenoiserRun)
    assert isinstance(student, DenoiserRun)
    assert run.stage == stage
    assert run.reference_dropout > 0
    assert (run.network, run.landmarks, run.window) == (student.network, student.landmarks, student.window)


@pytest.mark.parametrize("name", ["autoencoder", "stage1", "stage2", "further1", "further2"])
def test_the_bundled_model_s_runs_go_to_their_folders(name) -> None:
    assert load_run(CONFIGS / "bundled" / f"{name}.toml").output == Path("runs") / name


@pytest.mark.parametrize(
    ("name", "steps"), [("small4", 4), ("small2", 2), ("small1", 1), ("paper4", 4), ("released4", 4)]
)
def test_the_runs_of_distillation_teach_their_steps(name, steps) -> None:
    run = load_run(CONFIGS / "distil" / f"{name}.toml")
    assert isinstance(run, DenoiserRun)
    assert run.distillation is not None
    assert run.output == Path("runs") / f"distil-{name}"
    assert run.sampling == (steps, run.distillation.shared_noise)
    assert run.start == Start(model=run.distillation.teacher) or str(run.start.run).startswith(
        "runs/distil-small"
    )
    assert run.stage == 2


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('kind = ["denoiser"]', "`kind` must be"),
        (f'kind = "{"x" * 5000}"', "`kind` must be"),
        (f'kind = "denoiser"\nstage = {"[" * 300}{"]" * 300}', "nest deeper"),
        (f'kind = "denoiser"\nstage = {"[" * 9000}{"]" * 9000}', "nest too deep"),
        (f'kind = "denoiser"\nstage = {"9" * 5000}', "is not a TOML file"),
        ('kind = "denoiser"\nstage = inf', "`stage` must be"),
        ('"\\u001b[2J" = 1\n' + DENOISER, r"unknown entry `\x1b[2J`"),
    ],
)
def test_whatever_a_file_holds_it_is_refused_shortly(tmp_path, text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)) as error:
        load(tmp_path, text)
    assert len(str(error.value).replace(str(tmp_path), "")) < 600
