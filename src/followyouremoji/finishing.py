"""From generated poses to a user's frames: what is held is shown again, and squares go into the portrait."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from threading import Event

import numpy as np

from followyouremoji.decoding import Pose
from followyouremoji.face.timeline import timeline
from followyouremoji.generation import Course, Generating, shown_together, with_those_between
from followyouremoji.numpy_threads import without_numpy_threads
from followyouremoji.prefetch import prefetch
from followyouremoji.prepared import PreparedGroup, Square
from followyouremoji.sampling.sampler import LatentStore, Progress, Tally
from followyouremoji.sampling.settings import SamplingSettings

DECODED_AHEAD = 8  # frames, while one is finished and written


class Abandoned(Exception):
    """Ends the networks' thread at its next step when nobody waits for frames any more: a segment of a large model can
    take long."""


class StepCount:
    """Counts the steps of all faces together, and tells `progress` of them."""

    def __init__(self, totals: Sequence[int], progress: Progress | None) -> None:
        self.stopped = Event()
        self._done, self._total, self._progress = [0] * len(totals), sum(totals), progress

    def __call__(self, face: int, steps: int) -> None:
        """A face has done so many. Raises Abandoned once it is `stopped`."""
        if self.stopped.is_set():
            raise Abandoned
        self._done[face] = steps
        if self._progress is not None:
            self._progress(sum(self._done), self._total)


def finished_frames(
    group: PreparedGroup,
    make: Callable[..., Generating],
    sampling: SamplingSettings,
    every_pose: bool,
    progress: Progress | None,
    stores: Sequence[LatentStore],
    tally: Tally | None,
) -> Generator[np.ndarray, None, None]:
    """Frames of the faces of a portrait, of the poses that `make` generates; several faces advance together.

    `make` is given the courses of all faces, and what `Generation` takes after them. With `every_pose` all poses are
    generated, otherwise some are made of those around them. The rest is that of `PortraitAnimator.frames`.
    """
    courses = [timeline(face.points_in_picture, face.loop) for face in group.faces]
    wanted = [
        np.arange(len(course)) if every_pose else face.generated_poses(course)
        for face, course in zip(group.faces, courses, strict=True)
    ]
    generated = [
        Course(face, course.only(poses), face.loop == "pingpong")
        for face, course, poses in zip(group.faces, courses, wanted, strict=True)
    ]
    totals = [
        sampling.steps_of(len(poses), poses.cuts, poses.circular)
        for poses in (course.poses for course in generated)
    ]
    count = StepCount(totals, progress)
    making = make(generated, count, stores, tally)

    def poses(face: int) -> Generator[Pose, None, None]:
        prepared, some = group.faces[face], making.poses(face)
        if len(wanted[face]) == len(courses[face]):
            return some
        frames = courses[face].frames
        return with_those_between(
            some,
            wanted[face],
            prepared.framing.points[frames],
            lambda pose: prepared.warped_picture(int(frames[pose])),
        )

    squares: dict[int, Square] = {}
    with ExitStack() as stack:
        stack.enter_context(without_numpy_threads())
        shown = shown_together(courses, poses)
        ahead = stack.enter_context(closing(prefetch(shown, DECODED_AHEAD)))
        stack.callback(count.stopped.set)  # before the thread is waited for
        for made in ahead:
            for face, (pose, result, coded_warp) in made.items():
                frame = int(courses[face].frames[pose])
                squares[face] = group.faces[face].square(result, frame, coded_warp)
            if made:
                finished = group.finish([squares[face] for face in range(len(courses))])
            yield finished
