"""`fye data`: training clips out of folders of video, and what a folder of training clips holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from followyouremoji.apps import choices
from followyouremoji.apps.help import examples
from followyouremoji.executors.settings import ClusterChoice

FILTERS = "Filters"

data_app = typer.Typer(
    no_args_is_help=True,
    help="Training clips: prepare them from video, look at what was prepared.",
    epilog=examples(
        "fye data prepare videos/ clips/ --processes 8", "fye data inspect clips/ --sheet clips.png"
    ),
)


@data_app.callback()
def data() -> None:
    pass


@data_app.command(
    epilog=examples(
        "fye data prepare videos/ clips/ --processes 8 --min-frames 34",
        "fye data prepare videos/ clips/ --size 256 --face-size 100  # small faces too",
        "fye data prepare videos/ clips/ --cluster auto  # on many machines",
    )
)
@choices.expanded
def prepare(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SRC", help="A folder of clips, at any depth: videos, or folders of numbered pictures."
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="Folder for the training clips, packed in files (shards); a stopped run goes on there.",
        ),
    ],
    processes: Annotated[int, typer.Option(help="Clips worked on at once.", min=1, max=1024)] = 1,
    cluster: Annotated[ClusterChoice, ("cluster",)] = ClusterChoice(),  # noqa: B008
    size: Annotated[int, typer.Option(help="Side of the training pictures, pixels; a multiple of 8.")] = 512,
    frame_rate: Annotated[
        float | None,
        typer.Option(help="Frames a second of the training clips.", show_default="each clip's own"),
    ] = None,
    margin: Annotated[
        float, typer.Option(help="Side of the square crop over the size of the face.", min=1.25, max=10.0)
    ] = 2.0,
    face_size: Annotated[
        float, typer.Option(help="Least size of a face, pixels of the clip.", rich_help_panel=FILTERS)
    ] = 160.0,
    yaw: Annotated[
        float, typer.Option(help="Furthest turn to a side, degrees.", rich_help_panel=FILTERS)
    ] = 60.0,
    pitch: Annotated[
        float, typer.Option(help="Furthest nod up or down, degrees.", rich_help_panel=FILTERS)
    ] = 40.0,
    roll: Annotated[
        float, typer.Option(help="Furthest tilt to a shoulder, degrees.", rich_help_panel=FILTERS)
    ] = 45.0,
    sharpness: Annotated[
        float,
        typer.Option(
            help="Least sharpness of the face, a number without a unit: the report shows how it is spread.",
            rich_help_panel=FILTERS,
        ),
    ] = 0.06,
    confidence: Annotated[
        float,
        typer.Option(
            help="Least confidence of the detector that a tracked face is one, 0 to 1.",
            rich_help_panel=FILTERS,
        ),
    ] = 0.5,
    duplicate: Annotated[
        float,
        typer.Option(
            help="Least mean change of the face between frames, of 255 levels; a frame that changes less is a repetition.",
            rich_help_panel=FILTERS,
        ),
    ] = 0.05,
    min_frames: Annotated[
        int, typer.Option(help="Fewest frames of a training clip.", rich_help_panel=FILTERS)
    ] = 32,
    max_frames: Annotated[
        int, typer.Option(help="Most frames of a training clip; longer ones are divided.")
    ] = 256,
    quality: Annotated[
        int, typer.Option(help="JPEG quality of the pictures, 1 to 100.", rich_help_panel="Advanced")
    ] = 95,
    shard_megabytes: Annotated[
        float,
        typer.Option(
            help="Size at which a file of clips (shard) is full, megabytes.", rich_help_panel="Advanced"
        ),
    ] = 512.0,
) -> None:
    """Make training clips of videos, with a report.

    Videos are cut at scene changes; in each part one face is tracked and cropped, and what the filters refuse is left
    out. A run that was stopped goes on with the same command. A file that cannot be read is listed in the report and
    stops nothing.
    """
    from followyouremoji.apps.output import note, progress_bar, say
    from followyouremoji.data.preparation.report import write_report
    from followyouremoji.data.preparation.run import prepare_clips
    from followyouremoji.data.preparation.settings import Cutting, Filters, PrepareSettings
    from followyouremoji.executors import Processes, RayCluster

    settings = PrepareSettings(
        size=size,
        frame_rate=frame_rate,
        margin=margin,
        quality=quality,
        shard_megabytes=shard_megabytes,
        cutting=Cutting(max_frames=max_frames),
        filters=Filters(
            face_size=face_size,
            yaw=yaw,
            pitch=pitch,
            roll=roll,
            sharpness=sharpness,
            confidence=confidence,
            duplicate=duplicate,
            min_frames=min_frames,
        ),
    )
    workers = Processes(processes) if cluster.cluster is None else RayCluster(cluster.cluster)
    with workers as executor, progress_bar("clips") as advance:
        prepared = prepare_clips(source, out, settings, executor, advance)
    counts = write_report(prepared, settings)
    sources, kept = counts["sources"], counts["kept"]
    for failure in counts["failures"][:10]:
        note(f"{failure['source']}: {failure['reason']}")
    if len(counts["failures"]) > 10:
        note(f"... and {len(counts['failures']) - 10} more that could not be read, see the report")
    if not kept["clips"]:
        note("No clip passed the filters; the report says what each of them took.")
    say(
        f"{out}: {kept['clips']} clips, {kept['frames']} frames in {kept['shards']} shards, from {sources['found']} files "
        f"({sources['frames']} frames). Report: {out / 'report' / 'report.md'}"
    )


@data_app.command(
    epilog=examples(
        "fye data inspect clips/",
        "fye data inspect clips/ --sheet clips.png --rows 40",
        "fye data inspect clips/ --check  # reads everything",
    )
)
def inspect(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that fye data prepare made.")],
    sheet: Annotated[
        Path | None,
        typer.Option(
            help="Write a contact sheet, .png: some clips with landmarks, metric faces and masks.",
            show_default="none",
        ),
    ] = None,
    rows: Annotated[int, typer.Option(help="Clips on the sheet.", min=1, max=200)] = 24,
    check: Annotated[
        bool, typer.Option("--check", help="Read every clip whole, and name the first that is damaged.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the sheet if it exists.")] = False,
) -> None:
    """Show what prepared training clips hold: how many there are, their lengths and sizes."""
    import numpy as np
    from PIL import Image

    from followyouremoji.apps.output import progress_bar, say
    from followyouremoji.data.preparation.pictures import clip_sheet
    from followyouremoji.data.shards import Shards
    from followyouremoji.errors import PictureError
    from followyouremoji.files import atomic_output
    from followyouremoji.requests.result import check_output

    if sheet is not None:
        check_output(sheet, (".png",), overwrite, PictureError, "the contact sheet")
    shards = Shards(folder)
    lengths = shards.lengths
    say(
        f"{folder}: {len(shards)} clips of {shards.size}x{shards.size} pixels in {len(shards.paths)} shards, {int(lengths.sum())} frames; "
        f"clips have {lengths.min()} to {lengths.max()} frames, {int(np.median(lengths))} in the middle."
    )
    if check:
        with progress_bar("clips") as advance:
            for number in range(len(shards)):
                shards.facts(number), shards.stored(number)
                advance(number + 1, len(shards))
        say("Every clip can be read.")
    if sheet is not None:
        with atomic_output(sheet, overwrite, PictureError) as temporary:
            Image.fromarray(clip_sheet(shards, rows)).save(temporary, optimize=True)
        say(f"{sheet}: written.")
