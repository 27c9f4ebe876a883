"""LoRA files: written and read back, merged and taken out, refused where they do not fit."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from followyouremoji.animator import PortraitAnimator
from followyouremoji.checkpoints.lora import FORMAT, Lora, read_lora, with_loras, write_lora
from followyouremoji.errors import WeightsError
from tests.checkpoints.small_models import small_paper_model

QUERY = "denoiser.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
CONVOLUTION = "appearance_net.mid_block.resnets.0.conv1"


def small_lora(rank: int = 2) -> Lora:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    tensors = {
        f"{QUERY}.lora_A.weight": random(rank, 16),
        f"{QUERY}.lora_B.weight": random(16, rank),
        f"{CONVOLUTION}.lora_A.weight": random(rank, 32, 3, 3),
        f"{CONVOLUTION}.lora_B.weight": random(32, rank, 1, 1),
    }
    return Lora(tensors, rank, 4.0, "small paper model", "a test's character")


def test_a_file_holds_what_was_written_in_half_precision(tmp_path) -> None:
    lora = small_lora()
    file = write_lora(lora, tmp_path / "ada.safetensors")
    again = read_lora(file)
    assert (again.rank, again.alpha, again.base, again.about) == (2, 4.0, lora.base, lora.about)
    assert again.targets == sorted([QUERY, CONVOLUTION])
    for name, value in lora.tensors.items():
        assert torch.equal(again.tensors[name], value.half())
    assert file.stat().st_size < 4096
    with pytest.raises(WeightsError, match="exists already"):
        write_lora(lora, file)
    assert [entry.name for entry in tmp_path.iterdir()] == ["ada.safetensors"]


def test_adding_one_adds_scale_alpha_over_rank_times_b_a_and_leaves_the_model_as_it_was() -> None:
    model, lora = small_paper_model(), small_lora()
    changed = with_loras(model, [(lora, 0.5, "ada")])
    before, after = (
        (
            one.networks.denoiser.get_submodule(QUERY.removeprefix("denoiser.")).weight,
            one.networks.appearance_net.get_submodule(CONVOLUTION.removeprefix("appearance_net.")).weight,
        )
        for one in (model, changed)
    )
    a, b = lora.tensors[f"{QUERY}.lora_A.weight"], lora.tensors[f"{QUERY}.lora_B.weight"]
    torch.testing.assert_close(after[0], before[0] + 0.5 * (4.0 / 2) * b @ a)
    a, b = lora.tensors[f"{CONVOLUTION}.lora_A.weight"], lora.tensors[f"{CONVOLUTION}.lora_B.weight"]
    change = torch.einsum("or,rihw->oihw", b[:, :, 0, 0], a)
    torch.testing.assert_close(after[1], before[1] + 0.5 * (4.0 / 2) * change)
    again = small_paper_model()
    assert torch.equal(
        again.networks.denoiser.get_submodule(QUERY.removeprefix("denoiser.")).weight, before[0]
    )


def test_all_other_weights_are_shared() -> None:
    model = small_paper_model()
    changed = with_loras(model, [(small_lora(), 1.0, "ada")])
    own = [
        name
        for name, value in changed.networks.denoiser.named_parameters()
        if value is not model.networks.denoiser.get_parameter(name)
    ]
    assert own == [QUERY.removeprefix("denoiser.") + ".weight"]


def test_several_add_up() -> None:
    model, lora = small_paper_model(), small_lora()
    query = QUERY.removeprefix("denoiser.")
    both = with_loras(model, [(lora, 1.0, "ada"), (lora, -1.0, "ada")])
    torch.testing.assert_close(
        both.networks.denoiser.get_submodule(query).weight,
        model.networks.denoiser.get_submodule(query).weight,
        atol=1e-6,
        rtol=0,
    )


def test_an_animator_keeps_the_models_of_its_last_loras(tmp_path) -> None:
    animator = PortraitAnimator(small_paper_model())
    file = write_lora(small_lora(), tmp_path / "ada.safetensors")
    once = animator.models_with([(file, 1.0)])
    assert animator.models_with([(str(file), 1.0)]) is once
    assert animator.models_with(()) == (animator.model,)
    assert animator.models_with([(file, 0.5)]) is not once
    file.unlink()
    with pytest.raises(WeightsError, match="there is no LoRA file"):
        animator.models_with([(file, 0.5)])


def test_threads_that_ask_for_the_same_loras_share_one_copy(tmp_path) -> None:
    animator = PortraitAnimator(small_paper_model())
    file = write_lora(small_lora(), tmp_path / "ada.safetensors")
    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(animator.models_with, [[(file, 1.0)]] * 4)
    assert all(models is first for models in others)


def test_a_lora_of_another_layout_is_refused_and_changes_nothing() -> None:
    model = small_paper_model()
    before = {name: value.clone() for name, value in model.networks.denoiser.state_dict().items()}
    lora = small_lora()
    names = {name.replace("down_blocks.0", "down_blocks.7"): value for name, value in lora.tensors.items()}
    wide = {
        name: value.repeat(1, 2) if name == f"{QUERY}.lora_A.weight" else value
        for name, value in lora.tensors.items()
    }
    for tensors, there in [(names, "has no such layer"), (wide, r"has one of \(16, 16\)")]:
        with pytest.raises(WeightsError, match=there) as error:
            with_loras(model, [(Lora(tensors, 2, 4.0, "another model"), 1.0, "ada.safetensors")])
        assert "trained on 'another model'" in str(error.value)
    for name, value in model.networks.denoiser.state_dict().items():
        assert torch.equal(value, before[name])


def test_files_that_are_no_loras_are_refused(tmp_path) -> None:
    file = write_lora(small_lora(), tmp_path / "ada.safetensors")
    tensors = load_file(file)
    cases: dict[str, tuple[bytes | None, str]] = {
        "missing": (None, "there is no LoRA file"),
        "cut": (file.read_bytes()[:200], "damaged or not a whole safetensors file"),
        "text": (b"not a LoRA", "damaged or not a whole safetensors file"),
    }
    for name, (contents, message) in cases.items():
        path = tmp_path / f"{name}.safetensors"
        if contents is not None:
            path.write_bytes(contents)
        with pytest.raises(WeightsError, match=message) as error:
            read_lora(path)
        assert str(path) in str(error.value)
    other = tmp_path / "diffusers.safetensors"
    save_file(tensors, other, {"format": "pt"})
    with pytest.raises(WeightsError, match="not a LoRA of this program"):
        read_lora(other)
    lora = small_lora()
    for change, message in [
        ({f"{QUERY}.lora_B.weight": None}, "without its counterpart"),
        ({f"{QUERY}.lora_A.weight": torch.full((2, 16), torch.nan)}, "not finite"),
        ({f"{QUERY}.lora_A.weight": torch.zeros(3, 16)}, "of the shapes"),
    ]:
        changed = {name: value for name, value in {**lora.tensors, **change}.items() if value is not None}
        write_lora(Lora(changed, 2, 4.0, "x"), other, overwrite=True)
        with pytest.raises(WeightsError, match=message):
            read_lora(other)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('{"rank": 2, "alpha": 1e999, "base": "x", "about": ""}', "`alpha` must be a number above 0"),
        (
            '{"rank": 2, "alpha": %s, "base": "x", "about": ""}' % ("9" * 400),
            "`alpha` must be a number above 0",
        ),
        ('{"rank": Infinity, "alpha": 4, "base": "x", "about": ""}', "`rank` must be a whole number"),
        ('{"rank": 2, "alpha": 4, "base": ["x"], "about": ""}', "`base` must be text"),
        ("[" * 5000, "no JSON text"),
        ("", "no JSON text"),
    ],
)
def test_a_header_that_no_lora_has_is_refused(tmp_path, said: str, words: str) -> None:
    file = write_lora(small_lora(), tmp_path / "ada.safetensors")
    save_file(load_file(file), file, {"format": FORMAT, "lora": said})
    with pytest.raises(WeightsError, match=words) as error:
        read_lora(file)
    assert len(str(error.value).replace(str(tmp_path), "")) < 300


def test_a_lora_of_whole_numbers_is_refused(tmp_path) -> None:
    file = write_lora(small_lora(), tmp_path / "ada.safetensors")
    with safe_open(file, "pt") as opened:
        header = opened.metadata()
    save_file({name: value.to(torch.int8) for name, value in load_file(file).items()}, file, header)
    with pytest.raises(WeightsError, match=r"of torch\.int8"):
        read_lora(file)


@pytest.mark.parametrize("scale", [1e9, -11.0, float("nan")])
def test_a_scale_has_bounds(scale: float) -> None:
    with pytest.raises(WeightsError, match="scale must be between"):
        with_loras(small_paper_model(), [(Lora({}, 1, 1.0, "x"), scale, "x")])
