"""What a small decoder loses and saves against the autoencoder's own.

    python -m benchmarks.decoder DECODER... --drawings FOLDER [--weights bundled] [--pictures 48] [--sheet PNG]
    python -m benchmarks.decoder [--size 256] [--rounds 2]

Each DECODER is a file of `fye train export-decoder`, or "small". Two kinds of latents are decoded: *encoded*, of drawn
portraits (a folder of `fye train draw` that no decoder learnt from; for a model of faces alone, in their windows), and
*generated*, all that are decoded while the model animates the bundled portraits by the bundled motion "talk". Prints
the PSNR of pictures to the full decoder's, and of encoded ones to the drawing, the latter for the full decoder too; of
the finished frames of the clips, which are what a user sees, PSNR and SSIM to those of the full decoder; and the
processor's time of decoding a frame, one thread, the least of the rounds, in which decoders take turns, with its ratio
to the full one's. `--sheet` shows a finished frame of each portrait by each decoder, and eight times the difference.

Without a DECODER, the time alone, of Stable Diffusion's decoder and of TAESD, with random weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.faces import alternated
from followyouremoji.animator import PortraitAnimator
from followyouremoji.benchmark.tables import markdown
from followyouremoji.checkpoints import Model, load_model
from followyouremoji.checkpoints.codec import Codec, to_pictures, to_tensor
from followyouremoji.face.detection import Landmarks
from followyouremoji.fidelity import psnr, ssim
from followyouremoji.media.pictures import read_picture, resize_picture, write_picture
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.networks.decoder import TAESD, build_decoder
from followyouremoji.requests.bundled import (
    PORTRAIT_ENDING,
    bundled_motion,
    example_names,
    portrait_landmarks,
    portrait_path,
)
from followyouremoji.training.picks import open_picks

EVERY = 8  # frames of the motion, one of which is made
AT_ONCE = 4  # frames decoded at once, as in an animation
SIDE = 256  # pixels of the bundled portraits


@dataclass(frozen=True)
class Decoded:
    """What one decoder makes: pictures uint8 (n, size, size, 3) of all latents, and finished frames of the clips."""

    encoded: np.ndarray
    generated: np.ndarray
    finished: np.ndarray


class Recorder(nn.Module):
    """A codec's own decoder, in the place of a small one, that keeps the latents it is given."""

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self.decode = codec.autoencoder.decode
        self.latents: list[Tensor] = []

    def forward(self, latents: Tensor) -> Tensor:
        self.latents.append(latents)
        return self.decode(latents)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("decoders", nargs="*", metavar="DECODER")
    parser.add_argument("--weights", default="bundled")
    parser.add_argument("--drawings", type=Path, default=Path("data/held_out"))
    parser.add_argument("--pictures", type=int, default=48)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.decoders:
        print(markdown(stable_diffusion_rows(options.size, options.rounds)))
        return
    names = ["full", *options.decoders]
    models = {name: load_model(options.weights, "cpu", decoder=name) for name in names}
    full = models["full"]
    drawn = drawn_pictures(full, options.drawings, options.pictures)
    latents = full.codec.encode(to_tensor(drawn))
    generated = generated_latents(full)
    made = {
        name: Decoded(decode(model, latents), decode(model, generated), finished_frames(model))
        for name, model in models.items()
    }
    costs = alternated(
        {name: partial(timed, model, latents[:AT_ONCE]) for name, model in models.items()}, options.rounds
    )
    whole, taught = costs["full"].processor, made["full"]
    rows = []
    for name, one in made.items():
        time = costs[name].processor
        rows.append(
            [
                Path(name).stem,
                f"{mean(psnr, one.encoded, drawn):.2f}",
                *(
                    ["", "", "", ""]
                    if name == "full"
                    else [
                        f"{mean(psnr, one.encoded, taught.encoded):.2f}",
                        f"{mean(psnr, one.generated, taught.generated):.2f}",
                        f"{mean(psnr, one.finished, taught.finished):.2f}",
                        f"{mean(ssim, one.finished, taught.finished):.4f}",
                    ]
                ),
                f"{time:.2f}",
                f"{time / whole:.2f}",
            ]
        )
    head = ["decoder", "to the drawing", "encoded", "generated", "finished", "SSIM", "ms a frame", "ratio"]
    if options.sheet is not None:
        write_picture(options.sheet, sheet([one.finished for one in made.values()]))
    print(f"{len(drawn)} encoded, {len(generated)} generated pictures; PSNR in dB\n")
    print(markdown([head, *rows]))


@torch.inference_mode()
def stable_diffusion_rows(size: int, rounds: int) -> list[list[str]]:
    """The table of Stable Diffusion's decoder and TAESD."""
    from diffusers import AutoencoderKL

    # The sizes of stabilityai/sd-vae-ft-mse.
    blocks, latents = 4, torch.randn(1, TAESD.latent_channels, size // LATENT_STRIDE, size // LATENT_STRIDE)
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        layers_per_block=2,
        latent_channels=TAESD.latent_channels,
    )
    decoders = {"Stable Diffusion's": vae.decode, "TAESD": build_decoder(TAESD)}

    def timed(decoder: Callable[[Tensor], object]) -> int:
        decoder(latents)
        return 1

    costs = alternated({name: partial(timed, decoder) for name, decoder in decoders.items()}, rounds)
    whole = costs["Stable Diffusion's"].processor
    rows = [[name, f"{cost.processor:.0f}", f"{cost.processor / whole:.3f}"] for name, cost in costs.items()]
    return [[f"decoder, {size}x{size}", "ms a frame", "ratio"], *rows]


def drawn_pictures(model: Model, folder: Path, number: int) -> np.ndarray:
    """Drawn portraits as the model sees them: uint8 (n, size, size, 3)."""
    config = model.config
    window = config.picture_size if config.framing == "window" else None
    source, rng = open_picks(folder, (), 2, 0, window), np.random.default_rng(0)
    pictures = [source.pick(position, rng, 1, successive=False).targets[0] for position in range(number)]
    return np.stack(pictures)


def generated_latents(model: Model) -> Tensor:
    """All latents that are decoded for the clips of `finished_frames`."""
    recorder = Recorder(model.codec)
    codec = Codec(model.codec.autoencoder, model.codec.image_encoder, recorder)
    finished_frames(replace(model, codec=codec))
    return torch.cat(recorder.latents)


def finished_frames(model: Model) -> np.ndarray:
    """The bundled portraits animated: uint8 (n, height, width, 3)."""
    animator, motion = PortraitAnimator(model), bundled_motion("talk")[::EVERY]
    frames: list[np.ndarray] = []
    for name in example_names(PORTRAIT_ENDING):
        picture = resize_picture(read_picture(portrait_path(f"bundled:{name}")), (SIDE, SIDE))
        known = portrait_landmarks(portrait_path(f"bundled:{name}"))
        assert known is not None
        frames += animator(picture[..., :3], motion, portrait_landmarks=Landmarks(known, (SIDE, SIDE)))
    return np.stack(frames)


def sheet(finished: Sequence[np.ndarray]) -> np.ndarray:
    """A row a portrait: the middle frame by the full decoder, then by each small one, with the difference."""
    each = len(finished[0]) // len(example_names(PORTRAIT_ENDING))
    rows = []
    for middle in range(each // 2, len(finished[0]), each):
        full = finished[0][middle]
        row = [full]
        for frames in finished[1:]:
            row += [frames[middle], cv2.convertScaleAbs(cv2.absdiff(frames[middle], full), alpha=8)]
        rows.append(np.hstack(row))
    return np.vstack(rows)


def decode(model: Model, latents: Tensor) -> np.ndarray:
    return np.concatenate([to_pictures(model.codec.decode(part)) for part in latents.split(AT_ONCE)])


def timed(model: Model, latents: Tensor) -> int:
    model.codec.decode(latents)
    return len(latents)


def mean(
    figure: Callable[[np.ndarray, np.ndarray], float], pictures: np.ndarray, others: np.ndarray
) -> float:
    """A figure's mean over pairs of pictures."""
    return float(np.mean([figure(one, other) for one, other in zip(pictures, others, strict=True)]))


if __name__ == "__main__":
    main()
