"""From a portrait and landmarks to generated pictures: read the portrait, plan, sample, decode (Sec. 3).

The animator, training's validation and the benchmarks generate in this one way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from followyouremoji.checkpoints.codec import to_tensor
from followyouremoji.checkpoints.model import Model
from followyouremoji.checkpoints.offloading import READING_NETWORKS
from followyouremoji.decoding import Pose, decoded
from followyouremoji.face.between import GeneratedPose, pose_between
from followyouremoji.face.timeline import Timeline
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.networks.finite import finite
from followyouremoji.sampling.denoising import denoise
from followyouremoji.sampling.guidance import ClipConditioning, condition_clip
from followyouremoji.sampling.sampler import Denoise, LatentStore, Progress, Tally, sample
from followyouremoji.sampling.settings import SamplingSettings

READ_AT_ONCE = 16  # frames
REGION_REACH = 1 / 16  # of a picture's side, from a line of the landmarks


class Clip(Protocol):
    """A portrait and the landmarks of a clip's frames, as pictures for the networks: uint8 (size, size, 3)."""

    @property
    def picture(self) -> np.ndarray:
        """The portrait."""

    def reference_landmark_picture(self) -> np.ndarray:
        """The landmark picture of its own face."""

    def landmark_picture(self, frame: int) -> np.ndarray:
        """The landmark picture of a frame."""

    def warped_picture(self, frame: int) -> np.ndarray:
        """The portrait warped by the landmarks of a frame."""


@torch.inference_mode()
def read_portrait(model: Model, clip: Clip, guidance_scale: float) -> ClipConditioning:
    """What the frames of a clip attend to of its portrait, which takes all networks but the denoiser.

    Where networks take turns in memory, these have left when the denoiser comes. Raises WeightsError where values are
    not finite.
    """
    networks, codec = model.networks, model.codec
    portrait, landmarks = to_tensor(clip.picture[None]), None
    if networks.config.reference_landmarks:
        landmarks = to_tensor(clip.reference_landmark_picture()[None])
    with model.using(*READING_NETWORKS):
        latents = finite(codec.encode(portrait), "autoencoder")
        tokens = finite(codec.image_tokens(portrait, latents), "image encoder")
        prompt, appearance = networks.read_portrait(latents, tokens, landmarks)
        for tokens in appearance:
            finite(tokens, "appearance net")
    with model.using("denoiser"):
        return condition_clip(networks.denoiser, prompt, appearance, guidance_scale)


class ModelReader:
    """What a model on one device reads of a clip, for the sampler (`sampling.sampler.ClipReader`).

    `conditioning` is what `read_portrait` gave. Frames are the poses of a timeline, read when a segment needs them.
    """

    def __init__(self, model: Model, clip: Clip, course: Timeline, conditioning: ClipConditioning) -> None:
        self.device, self.denoiser = model.device, model.networks.denoiser
        self.conditioning = conditioning
        self._model, self._clip, self._course = model, clip, course

    def warped(self, frames: Sequence[int]) -> Tensor | None:
        if not self._model.networks.config.warped_reference:
            return None
        latents = []
        for start in range(0, len(frames), READ_AT_ONCE):
            some = self._course.frames[list(frames[start : start + READ_AT_ONCE])]
            pictures = np.stack([self._clip.warped_picture(int(frame)) for frame in some])
            latents.append(self._model.codec.encode(to_tensor(pictures)))
        return torch.cat(latents)

    def features(self, frames: Sequence[int], warped: Tensor | None) -> Tensor:
        pictures = self._landmark_pictures(frames)
        latents = None if warped is None else warped.transpose(0, 1)[None]
        features = self._model.networks.features(pictures.transpose(0, 1)[None], latents)
        return finite(features, "landmark encoder")

    def region(self, frames: Sequence[int]) -> Tensor:
        return around_lines(self._landmark_pictures(frames)).transpose(0, 1)[None].to(self.device)

    def _landmark_pictures(self, frames: Sequence[int]) -> Tensor:
        shown = self._course.frames[list(frames)]
        return to_tensor(np.stack([self._clip.landmark_picture(int(frame)) for frame in shown]))


def around_lines(pictures: Tensor) -> Tensor:
    """The region of the landmarks: where landmark pictures are drawn on, dilated by `REGION_REACH` of their side.

    `pictures` uint8 (n, 3, height, width), lines on black. Returns float32 (n, 1, height, width) of their latents, 1 in
    the region and 0 elsewhere.
    """
    drawn = (pictures > 0).any(dim=1, keepdim=True).float()
    drawn = F.max_pool2d(drawn, LATENT_STRIDE)
    reach = max(1, round(REGION_REACH * drawn.shape[-1]))
    return F.max_pool2d(drawn, 2 * reach + 1, stride=1, padding=reach)


def generate(
    models: Sequence[Model],
    clip: Clip,
    course: Timeline,
    sampling: SamplingSettings,
    guidance_scale: float = 1.0,
    progress: Progress | None = None,
    store: LatentStore | None = None,
    tally: Tally | None = None,
    *,
    back: bool = False,
    code_warps: bool = False,
    known: ClipConditioning | None = None,
    denoise: Denoise = denoise,
) -> Generator[Pose, None, None]:
    """Generate each pose of a timeline, in order, as soon as the plan allows.

    The portrait is read before this returns. So clips of several portraits can be begun one after the other and
    advance together, in one thread.

    Parameters
    ----------
    models : the same model on one device or several.
    progress, store, tally, denoise : see `sampling.sampler.sample`.
    back : all poses come once more, in reverse order.
    code_warps : what the autoencoder makes of the warped portraits comes too, see `Decoder`.
    known : what the model, which is then a single one, read of the portrait (`read_portrait`); it is not read again.

    Yields
    ------
    A pose, its picture uint8 (size, size, 3), and with `code_warps` its warped portrait decoded, of the same shape.

    Raises
    ------
    WeightsError : values of a network are not finite.
    """
    side = clip.picture.shape[0] // LATENT_STRIDE
    shape = (models[0].networks.config.latent_channels, side, side)
    read = [known or read_portrait(one, clip, guidance_scale) for one in models]
    readers = [ModelReader(one, clip, course, what) for one, what in zip(models, read, strict=True)]
    sampled = sample(
        readers,
        len(course),
        shape,
        sampling,
        progress,
        cuts=course.cuts,
        loop=course.circular,
        store=store,
        tally=tally,
        denoise=denoise,
    )

    def warped_picture(pose: int) -> np.ndarray:
        return clip.warped_picture(int(course.frames[pose]))

    return decoded(models, sampled, back=back, warped_picture=warped_picture if code_warps else None)


class PosedClip(Clip, Protocol):
    """A clip whose results may be blended into its warped portrait."""

    @property
    def reads_coded_warp(self) -> bool:
        """Whether that needs the warped portrait once through the autoencoder."""


@dataclass(frozen=True)
class Course:
    """A clip, the poses of it that are generated, and whether these come once more in reverse order."""

    clip: PosedClip
    poses: Timeline
    back: bool = False


Steps = Callable[[int, int], None]
"""Called with a course's number and the denoising steps of it that are done."""


class Generating(Protocol):
    """What generates several courses beside each other."""

    def poses(self, number: int) -> Generator[Pose, None, None]:
        """The poses of a course, as `generate` yields them; with its coded warps where the clip reads them."""


class Generation:
    """Generates courses in this process, with `generate`; `stores` are none or one for each."""

    def __init__(
        self,
        models: Sequence[Model],
        sampling: SamplingSettings,
        guidance_scale: float,
        courses: Sequence[Course],
        steps: Steps,
        stores: Sequence[LatentStore],
        tally: Tally | None,
    ) -> None:
        self._courses, self._steps, self._stores = courses, steps, stores
        self._generate = partial(
            generate, models, sampling=sampling, guidance_scale=guidance_scale, tally=tally
        )

    def poses(self, number: int) -> Generator[Pose, None, None]:
        course = self._courses[number]
        return self._generate(
            clip=course.clip,
            course=course.poses,
            progress=lambda done, _: self._steps(number, done),
            store=self._stores[number] if self._stores else None,
            back=course.back,
            code_warps=course.clip.reads_coded_warp,
        )


def with_those_between(
    generated: Generator[Pose, None, None],
    poses: np.ndarray,
    points: np.ndarray,
    warped_picture: Callable[[int], np.ndarray],
) -> Generator[Pose, None, None]:
    """All poses of a clip, of those that were generated: the first and the last of each scene, and some between.

    `generated` as `generate` yields them with `code_warps`, of which number `n` is number `poses[n]` of all; `points`
    (P, 478, 2) are the landmarks of all poses, pixels of their pictures, and `warped_picture` gives the portrait warped
    by those of one.
    """
    before: tuple[int, GeneratedPose] | None = None
    with closing(generated):
        for number, picture, coded in generated:
            assert coded is not None
            pose = int(poses[number])
            made = GeneratedPose.of(picture, coded, warped_picture(pose), points[pose])
            if before is not None:
                start, earlier = before
                for between in range(start + 1, pose) if pose > start else range(start - 1, pose, -1):
                    share = (between - start) / (pose - start)
                    warp = warped_picture(between)
                    yield between, *pose_between(earlier, made, share, points[between], warp)
            yield pose, picture, coded
            before = pose, made


def shown_together(
    courses: Sequence[Timeline], poses: Callable[[int], Generator[Pose, None, None]]
) -> Iterator[dict[int, Pose]]:
    """For each frame of the longest of several clips, the new pose of each clip that shows one there.

    Every clip is begun before the first frame, so that networks that take turns in memory have read all portraits.
    """
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(poses(clip))) for clip in range(len(courses))]
        for frame in range(max(len(course.shown) for course in courses)):
            yield {
                clip: next(
                    pose for pose in streams[clip] if pose[0] == course.shown[frame]
                )  # a ping-pong turns
                for clip, course in enumerate(courses)
                if frame == 0
                or (frame < len(course.shown) and course.shown[frame] != course.shown[frame - 1])
            }
