"""The commands that are killed, each with the smallest input that goes through all of its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.kills.killing import Ended, Kill, run

TRAINING = """
kind = "denoiser"
stage = 1
output = "run"
autoencoder = "bundled"
drawings = "../inputs/drawings"
references = 2
targets = 1
log_every = 2
save_every = 3
keep = 9
tensorboard = false

[optimisation]
steps = 7
warmup = 2
decay = 0

[network]
layout = "paper"
latent_channels = 32
block_channels = [16, 32]
layers_per_block = 1
heads = 2
norm_groups = 8
context_width = 8
image_source = "latents"
image_width = 34
landmark_channels = [4, 4, 4, 4]

[network.qformer]
layers = 1
queries = 2
width = 8
heads = 2
"""


@dataclass(frozen=True)
class Command:
    """A command and what its results are.

    Attributes
    ----------
    run : runs it in a folder, until it ends or is killed; a stopped one goes on where it is given again
    make_inputs : makes what it reads in a folder beside that, if it reads anything
    results : patterns of files that a user takes for finished; each has its name only when it is whole, and holds what
        that of an unbroken run does
    remade : of those, patterns of files that may be made again as they were
    growing : patterns of files that are written line by line, and right in the end
    """

    name: str
    run: Callable[[Path, Kill | None], Ended]
    results: Sequence[str]
    remade: Sequence[str] = ()
    growing: Sequence[str] = ()
    make_inputs: Callable[[Path], None] = lambda folder: None


def fye(*arguments: object) -> Callable[[Path, Kill | None], Ended]:
    return partial(run, arguments)


def write_lists(folder: Path) -> None:
    (folder / "portraits.txt").write_text("bundled:ada\nbundled:max\n")
    (folder / "motions.txt").write_text("bundled:hello\nbundled:talk\n")


def write_training(folder: Path) -> None:
    from followyouremoji.executors import Local
    from followyouremoji.training.drawings import DrawingSettings, draw_folder

    settings = DrawingSettings(identities=4, pictures=3, size=64, seed=0, clips=False)
    draw_folder(folder / "drawings", settings, Local())
    (folder / "training.toml").write_text(TRAINING)


def write_clips(folder: Path) -> None:
    from tests.data.samples import write_talk

    (folder / "clips").mkdir()
    for person in range(3):
        write_talk(folder / "clips" / f"person{person}.mp4", 8, people=(person,))


def write_suite(folder: Path) -> None:
    from tests.benchmark.small_suite import write_small_suite

    write_small_suite(folder / "suite")


SMALL = ("--steps", 1, "--device", "cpu")
ANIMATE = ("animate", "bundled:ada", "bundled:hello", "--output", "ada.mp4", *SMALL, "--size", 64)

COMMANDS = (
    Command("animate", fye(*ANIMATE, "--stop", 5), results=["ada.mp4"]),
    Command(
        "animate --job",
        fye(*ANIMATE, "--stop", 12, "--window", 4, "--long-clips", "chain", "--job", "job"),
        results=["ada.mp4", "job/latents/*.safetensors", "job/*.fyemotion"],
    ),
    Command(
        "batch",
        fye(
            "batch", "../inputs/portraits.txt", "../inputs/motions.txt", "-o", "out", "--stop", 3, *SMALL,
            "--size", 64,
        ),
        results=["out/*.mp4"],
        make_inputs=write_lists,
    ),
    Command(
        "train",
        fye("train", "run", "../inputs/training.toml"),
        results=["run/checkpoints/*.pt"],
        growing=["run/log.csv"],
        make_inputs=write_training,
    ),
    Command(
        "data prepare",
        fye(
            "data", "prepare", "../inputs/clips", "out", "--size", 64, "--shard-megabytes", 0.03,
            "--face-size", 60, "--min-frames", 6, "--processes", 2,
        ),
        results=["out/*.tar"],
        make_inputs=write_clips,
    ),
    Command(
        "bench run",
        fye("bench", "run", "../inputs/suite", "--system", "copy", "--size", 96, "-o", "results"),
        results=["results/rows/*/*.parquet", "results/clips/*/*.mp4"],
        remade=["results/clips/*/*.mp4"],  # of a pair whose rows are not there yet
        make_inputs=write_suite,
    ),
    Command(
        "sticker pack",
        fye(
            "sticker", "pack", "bundled:ada", "--for", "discord-emoji", "--fps", 3, *SMALL, "--only", "kiss",
            "--only", "sad", "-o", "pack",
        ),
        results=["pack/*.zip", "pack/*/*"],
    ),
)  # fmt: skip
