"""Draws docs/pictures/rooms.png from the imports: `.venv/bin/python docs/pictures/rooms.py`.

Rows are the layers of the contract in pyproject.toml, but for the last one, which every room uses. A line goes down
from each room to what it imports, but not where it reaches that through another room anyway.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import grimp
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[2]
PACKAGE = "followyouremoji"


def room_imports() -> dict[str, set[str]]:
    """Which room imports which, from every module of the package."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
    rooms: dict[str, set[str]] = {}
    for module in graph.modules - {PACKAGE}:
        room = module.split(".")[1]
        imported = graph.find_modules_directly_imported_by(module) - {PACKAGE}
        rooms.setdefault(room, set()).update({other.split(".")[1] for other in imported} - {room})
    return rooms


def reaches(rooms: dict[str, set[str]], start: str, end: str) -> bool:
    return end in rooms[start] or any(reaches(rooms, room, end) for room in rooms[start])


def lines_of_code(room: str) -> int:
    place = ROOT / "src" / PACKAGE / room
    files = place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def main() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [[room.strip() for room in layer.split("|")] for layer in contracts[0]["layers"][:-1]]
    rooms = room_imports()
    places = {
        room: (0.5 if len(layer) == 1 else column / (len(layer) - 1), -row)
        for row, layer in enumerate(layers)
        for column, room in enumerate(layer)
    }
    chain = [layer[0] for layer in layers if len(layer) == 1]
    places.update(
        {room: (0.15, places[room][1]) for room in chain}
    )  # what imports past it passes on the right

    figure, axes = plt.subplots(figsize=(7.5, 7.5), dpi=110)
    for room, others in rooms.items():
        for other in others:
            if other in places and not any(reaches(rooms, between, other) for between in others - {other}):
                (x, y), (x2, y2) = places[room], places[other]
                arrow = {"arrowstyle": "-|>", "color": "#8797ab", "shrinkA": 11, "shrinkB": 11}
                axes.annotate("", (x2, y2), (x, y), arrowprops=arrow)
    for room, (x, y) in places.items():
        box = {"boxstyle": "round", "facecolor": "#eef3fa", "edgecolor": "#3a5a80"}
        axes.text(x, y, f"{room}  {lines_of_code(room)}", ha="center", va="center", fontsize=9.5, bbox=box)
    axes.set(xlim=(-0.12, 1.12), ylim=(0.5 - len(layers), 0.5))
    axes.axis("off")
    figure.savefig(ROOT / "docs/pictures/rooms.png", bbox_inches="tight", metadata={"Software": None})


if __name__ == "__main__":
    main()
