"""What a preparation reports, in a folder `report/` beside the shards: `report.json` for programs, `report.md` for
people, a contact sheet and histograms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from PIL import Image

from followyouremoji.data.preparation.pictures import clip_sheet, histogram_plots
from followyouremoji.data.preparation.records import Workspace
from followyouremoji.data.preparation.run import PreparedClips
from followyouremoji.data.preparation.selection import Reason
from followyouremoji.data.preparation.settings import PrepareSettings
from followyouremoji.data.preparation.statistics import QUANTITIES, summed
from followyouremoji.data.shards import Shards
from followyouremoji.files import atomic, write_json

SHEET, PLOTS = "contact_sheet.png", "histograms.png"
LISTED = 200
"""Files named one by one in the readable report; `report.json` has them all."""


def summary(prepared: PreparedClips, settings: PrepareSettings) -> dict[str, Any]:
    """The counts of a preparation, as `report.json` has them. Frames and pieces by filter are those that it took
    away."""
    records = [record for record in prepared.records if record.failure is None]
    frames: Counter[str] = Counter()
    pieces: Counter[str] = Counter()
    for record in records:
        frames.update(record.dropped_frames)
        pieces.update(record.dropped_pieces)
    counts = summed([record.histograms for record in records])
    return {
        "sources": {
            "found": len(prepared.records),
            "failed": len(prepared.failures),
            "without_clip": sum(not record.clips for record in records),
            "frames": sum(record.frames for record in records),
            "seconds": round(sum(record.seconds for record in records), 2),
        },
        "kept": {
            "shards": len(prepared.shards),
            "clips": prepared.clips,
            "frames": prepared.frames,
            "seconds": round(sum(clip.seconds for record in records for clip in record.clips), 2),
        },
        "frames_by_filter": {reason: frames[reason] for reason in Reason if frames[reason]},
        "pieces_by_filter": {reason: pieces[reason] for reason in Reason if pieces[reason]},
        "failures": [{"source": record.source, "reason": record.failure} for record in prepared.failures],
        "damaged": [
            {"source": record.source, "reason": record.damage, "frames_read": record.frames}
            for record in records
            if record.damage
        ],
        "changed_since": list(prepared.changed),
        "settings": settings.as_dict(),
        "histograms": {
            name: {
                "label": quantity.label,
                "edges": quantity.edges.round(6).tolist(),
                "with_a_face": counts[name]["all"].tolist(),
                "kept": counts[name]["kept"].tolist(),
            }
            for name, quantity in QUANTITIES.items()
        },
        "clips_by_source": {record.source: len(record.clips) for record in records},
    }


def write_report(prepared: PreparedClips, settings: PrepareSettings) -> dict[str, Any]:
    """Write the report's four files, each whole or not at all, in place of an earlier run's; returns the summary."""
    folder = Workspace(prepared.out).report
    counts = summary(prepared, settings)
    write_json(folder / "report.json", counts)
    records = [record for record in prepared.records if record.failure is None]
    pictures = {
        PLOTS: histogram_plots(records, settings.filters),
        SHEET: clip_sheet(Shards(prepared.out)) if prepared.clips else None,
    }
    shown = [name for name, picture in pictures.items() if picture is not None]
    for name, picture in pictures.items():
        if picture is None:
            (folder / name).unlink(missing_ok=True)
        else:
            with atomic(folder / name) as temporary:  # real frames do not bear the mark of generated pictures
                Image.fromarray(picture).save(temporary, optimize=True)
    with atomic(folder / "report.md") as temporary:
        temporary.write_text(readable(counts, shown), encoding="utf-8")
    return counts


def readable(counts: dict[str, Any], pictures: Sequence[str]) -> str:
    """The report in Markdown; `pictures` are the names of those that lie beside it."""
    sources, kept = counts["sources"], counts["kept"]
    share = kept["frames"] / max(sources["frames"], 1)
    lines = [
        "# Training clips",
        "",
        f"{kept['clips']} clips ({kept['frames']} frames, {_duration(kept['seconds'])}) in {kept['shards']} shards, of {sources['found']} "
        f"source clips ({sources['frames']} frames, {_duration(sources['seconds'])}): {share:.1%} of the frames were kept.",
        f"{sources['without_clip']} source clips gave none, {sources['failed']} could not be read.",
        "",
        "## What the filters took",
        "",
        "Each frame counts once, for the first reason that applies. Pieces are unbroken runs of frames that passed so far.",
        "",
        "| reason | frames | share | pieces |",
        "|---|---:|---:|---:|",
    ]
    for reason in Reason:
        frames, pieces = counts["frames_by_filter"].get(reason), counts["pieces_by_filter"].get(reason, "")
        if frames:
            lines.append(f"| {reason} | {frames} | {frames / sources['frames']:.1%} | {pieces} |")
    lines.append(f"| *kept* | {kept['frames']} | {share:.1%} | {kept['clips']} |")
    for picture in pictures:
        lines += ["", f"![{picture}]({picture})"]
    lines += _listed("Could not be read", [(one["source"], one["reason"]) for one in counts["failures"]])
    damaged = [(one["source"], one["reason"]) for one in counts["damaged"]]
    lines += _listed("Damaged: used up to the damage", damaged)
    changed = [(source, "") for source in counts["changed_since"]]
    lines += _listed("Changed after they were packed: the shards hold the older clips", changed)
    none = [(source, "") for source, clips in counts["clips_by_source"].items() if not clips]
    lines += _listed("Gave no clip", none)
    return "\n".join(lines) + "\n"


def _listed(title: str, entries: Sequence[tuple[str, str]]) -> list[str]:
    """A section that names sources and reasons; none where there is no entry."""
    if not entries:
        return []
    lines = ["", f"## {title}", ""]
    for source, reason in entries[:LISTED]:
        lines.append(f"- `{source}`" + (f": {' '.join(reason.split())}" if reason else ""))
    if len(entries) > LISTED:
        lines.append(f"- ... and {len(entries) - LISTED} more, see report.json")
    return lines


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))
