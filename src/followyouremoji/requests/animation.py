"""An animation from a request to a written result. torch is imported when all files are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from followyouremoji.errors import ClipError, advice_on_memory
from followyouremoji.executors import Executor
from followyouremoji.face.face_graphs import IMPORTING
from followyouremoji.face.motion import Motion
from followyouremoji.files import clear_stale, is_taken
from followyouremoji.media.pictures import BACKGROUND, resize_picture
from followyouremoji.media.writing import check_sides
from followyouremoji.prepared import PreparedGroup
from followyouremoji.requests.events import Event, Note, OnEvent, Outcome, Progress, Stage, ignore
from followyouremoji.requests.finding import Finder
from followyouremoji.requests.marking import record_of
from followyouremoji.requests.memory import FittingModel, Load
from followyouremoji.requests.request import AnimationRequest, BatchRequest, ModelChoice
from followyouremoji.requests.result import row_size, rows_beside
from followyouremoji.requests.resume import Recipe, ResumeFolder, recipe
from followyouremoji.requests.whole_paths import with_whole_paths
from followyouremoji.requests.work import Work
from followyouremoji.settings import AnimationSettings
from followyouremoji.storage import address_of, deliver, fetch, is_address, is_there

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.sampling.sampler import LatentStore

GPU_MEMORY = "hold only the networks that are at work, make fewer parts or frames at once or smaller ones, or end what else uses that memory"
GPU_SETTINGS = ("offload", "batch", "window", "size")
LARGE_PICTURE = 256  # pixels; above it a CPU is slow
DRAWN_MODEL = Note(
    "drawn_model",
    "The bundled model is trained on drawn portraits only; photographs and paintings follow the motion, but their mouths "
    "and eyes that open come out soft and drawn-like. The released weights are made for photographs.",
    ("weights",),
)


def load_animator(choice: ModelChoice, on_workers: bool = False) -> PortraitAnimator:
    """A model as it is asked for, whose weights only workers hold where that is said. Raises UserError where there is
    none or it cannot be used."""
    with IMPORTING:
        import torch

        from followyouremoji.animator import PortraitAnimator

    types = {None: None, "fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    load = PortraitAnimator.on_workers if on_workers else PortraitAnimator.from_pretrained
    return load(
        choice.weights,
        choice.device,
        types[choice.dtype],
        offload=choice.offload,
        compile=choice.compiled,
        decoder=choice.decoder,
    )


def loader(executor: Executor | None) -> Load:
    """What loads a model for work in this process or on workers."""
    return partial(load_animator, on_workers=executor is not None)


def animate(
    request: AnimationRequest,
    on_event: OnEvent = ignore,
    load: Load | None = None,
    finder: Finder | None = None,
    executor: Executor | None = None,
) -> Outcome:
    """Animate a portrait as a request says, telling what happens.

    `load` gives the model and `finder` finds the faces; a front end that keeps these between calls gives its own.
    `load` is asked for another model where memory does not suffice, see `FittingModel`. The workers of an `executor`
    make the segments of a long clip beside each other (`PortraitAnimator.frames`); they read weights and LoRAs, all
    else is done here. Raises UserError for whatever cannot be used, and what `on_event` raises.
    """
    if executor is not None:
        request = with_whole_paths(request)
    request = fetched(request)
    if (address := address_of(request.output.path)) is not None:
        return animate_elsewhere(request, address, on_event, load, finder, executor)
    model = FittingModel(request.model, load or loader(executor))
    with (
        advice_on_memory(GPU_MEMORY, *GPU_SETTINGS),
        ExitStack() as stack,
    ):
        work = Work.open(request, on_event)
        described = work.destination.described()
        made_of = cache(partial(recipe_of, work))
        kept = None
        if request.resume is not None:
            kept = stack.enter_context(ResumeFolder(request.resume, made_of()))
            clear_stale(work.destination.path.parent, work.destination.path.name)
            earlier = kept.outcome(described)
            if earlier is not None and is_taken(work.destination.path) and not request.output.overwrite:
                return earlier
        check_destination(work)
        recorded = made_of()  # before a driving is read, which may change meanwhile
        prepared = prepare(work, kept, model, finder)
        note_made = None if kept is None else partial(kept.finish, described)
        stores = [] if kept is None else [kept.latents(face.number) for face in prepared.faces]
        return write_frames(work, model, prepared, recorded, note_made, stores, executor)


def fetched(request: AnimationRequest) -> AnimationRequest:
    """A request whose portrait and drivings are on this machine. Raises StorageError."""

    def here(given: str | None) -> str | None:
        return str(fetch(given)) if given is not None and is_address(given) else given

    faces = tuple(replace(face, driving=here(face.driving)) for face in request.faces)
    portrait, driving = here(request.portrait) or "", here(request.driving)
    return replace(request, portrait=portrait, driving=driving, faces=faces)


def animate_elsewhere(
    request: AnimationRequest,
    address: str,
    on_event: OnEvent,
    load: Load | None,
    finder: Finder | None,
    executor: Executor | None,
) -> Outcome:
    """As `animate`, with a result that is written here and then delivered to an address."""
    path = Path(address)
    if not request.output.overwrite and is_there(address):
        raise ClipError(
            f"{address} exists already; give another name, or have it replaced", settings=("overwrite",)
        )
    with TemporaryDirectory(prefix="fye-") as folder:
        written = Path(folder) / path.name
        made = animate(
            replace(request, output=replace(request.output, path=written)), on_event, load, finder, executor
        )
        deliver(written, address)
    return made.model_copy(update={"path": path})


def recipe_of(work: Work) -> Recipe:
    """What the frames of a request depend on."""
    from followyouremoji.checkpoints.sources import find_checkpoint

    weights = find_checkpoint(work.request.model.weights)
    return recipe(work.request, work.portrait, work.drivings.sources, weights, work.scaled)


def check_destination(work: Work) -> None:
    """Raise ClipError where the result could not be written in the end."""
    settings, destination = work.request.settings, work.destination
    destination.check()
    pasted = settings.crop is not False and settings.paste_back is not False
    if pasted and not work.request.output.side_by_side:
        height, width = work.picture.shape[:2]
        check_sides(destination.path, (width, height))  # the result is as large as the portrait
    destination.check_room(work.picture)
    if work.scaled is not None:
        work.tell(destination.note_on_bound(work.portrait, work.scaled))


def prepare(
    work: Work, kept: ResumeFolder | None, model: FittingModel, finder: Finder | None = None
) -> PreparedGroup:
    """Find the faces while the model is loaded, and prepare the one for the other."""
    request = work.request
    settings = request.settings
    loader = ThreadPoolExecutor(1, "loading")
    try:
        with Finder(settings.detector_bundle) if finder is None else nullcontext(finder) as looking:
            found = looking.portrait(work)
            loading = loader.submit(ready_animator, request, model, work.tell)

            def tell_beside_loading(event: Event) -> None:
                work.tell(event)
                if loading.done():
                    loading.result()  # what cannot be loaded ends the tracking

            motions: list[Motion] = []
            tracked: list[int] = []
            for number, driving in enumerate(work.drivings.files, 1):
                motion = kept.motion(number) if kept is not None else None
                if motion is None:
                    face, smooth = settings.driving_face, request.clip.smooth
                    motion = looking.motion(driving, face, smooth, tell_beside_loading)
                    tracked.append(number)
                else:
                    for note in driving.notes:
                        work.tell(note)
                motions.append(motion)
        if not loading.done():
            work.tell(Stage("loading", "Loading the model"))
        animator = loading.result()
    finally:
        loader.shutdown(wait=False)  # who stops need not wait for torch
    if kept is not None:  # now that nothing can be refused any more
        for number in tracked:
            motions[number - 1] = kept.keep_motion(motions[number - 1], number)
    for note in notes_on_model(animator, request):
        work.tell(note)
    prepared = animator.prepare_faces(
        found, work.drivings.motions(motions), alignment=request.alignment, settings=settings
    )
    work.tell_notes(found, prepared)
    return prepared


def ready_animator(request: AnimationRequest, model: FittingModel, tell: OnEvent) -> PortraitAnimator:
    """The model of a request. Raises UserError where its settings or LoRAs do not fit it."""
    animator = model.loaded(tell)
    animator.check(request.settings, loras_of(request))
    return animator


def loras_of(request: AnimationRequest | BatchRequest) -> list[tuple[Path, float]]:
    """The LoRAs as an animator takes them."""
    return [(lora.file, lora.scale) for lora in request.loras]


def write_frames(
    work: Work,
    model: FittingModel,
    prepared: PreparedGroup,
    made_of: Recipe,
    note_made: Callable[[Outcome], None] | None = None,
    stores: Sequence[LatentStore] = (),
    executor: Executor | None = None,
) -> Outcome:
    """Generate the frames, on an `executor`'s workers where there is one, and write them as they come, from the first
    again where memory runs out; `made_of` is what they depend on, and `stores` keep what is finished of each face.

    `note_made` is called with the outcome to note it down. Where nothing is replaced, that is just before the result
    gets its name: after a kill between the two, a note without a file is written again, while a file without a note
    would be taken for somebody else's.
    """

    def attempt(animator: PortraitAnimator, settings: AnimationSettings) -> Outcome:
        return _write_frames(work, animator, settings, prepared, made_of, note_made, stores, executor)

    return model.make(work.request.settings, work.tell, attempt)


def _write_frames(
    work: Work,
    animator: PortraitAnimator,
    settings: AnimationSettings,
    prepared: PreparedGroup,
    made_of: Recipe,
    note_made: Callable[[Outcome], None] | None,
    stores: Sequence[LatentStore],
    executor: Executor | None,
) -> Outcome:
    from followyouremoji.sampling.sampler import Tally

    destination, output, tally = work.destination, work.request.output, Tally()
    work.tell(Stage("animating", "Animating"))

    def advance(done: int, total: int) -> None:
        work.tell(Progress(done, total))

    making = animator.frames(
        prepared,
        settings,
        loras=loras_of(work.request),
        progress=advance,
        stores=stores,
        tally=tally,
        executor=executor,
    )
    with closing(making) as frames:
        rows: Iterator[np.ndarray] = frames
        size = prepared.output_size
        if output.side_by_side:
            size = row_size(work.drivings, prepared)
            rows = rows_beside(work.drivings, prepared, rows, destination.background or BACKGROUND)
        fitting = destination.fitting(size)
        if fitting != size:  # rows, and squares that are not put back, may be larger than the portrait
            rows = (resize_picture(row, fitting) for row in rows)

        replaces = False

        def made(sound: bool) -> Outcome:
            nonlocal replaces
            replaces = is_taken(destination.path)
            outcome = work.outcome(prepared, fitting, sound, computed=tally.computed, forecast=tally.forecast)
            if note_made is not None and not replaces:
                note_made(outcome)
            return outcome

        record = record_of(made_of, animator.model.config.name)
        outcome = work.write(rows, prepared, fitting, made, record)
        if note_made is not None and replaces:
            note_made(outcome)
        return outcome


def is_slow(animator: PortraitAnimator) -> bool:
    """Whether a model is large for the CPU that it runs on."""
    return animator.model.device.type == "cpu" and animator.model.config.picture_size > LARGE_PICTURE


def notes_on_model(animator: PortraitAnimator, request: AnimationRequest) -> Iterator[Note]:
    """What a user should know of a model, and of the settings with it."""
    settings, bundled = request.settings, request.model.weights == "bundled"
    if bundled:
        yield DRAWN_MODEL
    if is_slow(animator):
        yield Note(
            "slow_on_cpu",
            "This model is large for a CPU and will take long; fewer steps, a smaller size or a shorter part of the driving make "
            "it quicker.",
            ("steps", "size", "stop"),
        )
    sampling = animator.sampling(settings)
    if sampling.scenes_at_once and (
        len(animator.models) > 1 or request.resume is not None or (settings.batch or 1) > 1
    ):
        yield Note(
            "scenes_at_once",
            f"With long clips as {sampling.strategy} all windows of a scene advance together. Several devices share scenes, there is "
            "no batch to join, and what is kept to resume is kept scene by scene.",
            ("long_clips",),
        )
    if not bundled and sampling.forecasts:
        yield Note(
            "speed_unmeasured",
            f"What the speed {settings.speed} loses was measured on the bundled model alone; exact is sure to lose nothing.",
            ("speed",),
        )
