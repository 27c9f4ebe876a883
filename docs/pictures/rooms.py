"""Draws docs/pictures/rooms.svg from the imports: `python docs/pictures/rooms.py`, with the development extras.

Rows are the layers of the contract in pyproject.toml, but for the last one, which every room may use. An arrow leads
from a room to each room that it imports, unless another arrow's way leads there anyway.
"""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PICTURE = Path(__file__).with_name("rooms.svg")
PACKAGE = "followyouremoji"
ROW, GAP, HEIGHT, LETTER = 62, 26, 28, 7.6  # pixels: rows apart, boxes apart, a box, a letter
SWEEPS = 30

Node = tuple[str, ...]  # a room's name, or (from, to, row) where an arrow passes a row
HEAD = """<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0L8 4L0 8z" fill="#8797ab"/></marker></defs>"""
ARROWS = '<g fill="none" stroke="#8797ab" stroke-width="1.3" marker-end="url(#head)">'
BOXES = '<g font-family="system-ui, sans-serif" font-size="13" text-anchor="middle">'
COLOURS = {
    True: 'fill="#e3edf9" stroke="#3a5a80"',
    False: 'fill="#f6f1e7" stroke="#8a7a5a"',
}  # with torch, without


def contract_layers() -> list[list[str]]:
    """The layers of the contract, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return [re.findall(r"\w+", layer) for layer in contracts[0]["layers"]]


def room_imports(graph: grimp.ImportGraph) -> dict[str, set[str]]:
    """For each room those that its modules import."""
    rooms: dict[str, set[str]] = {}
    for module in sorted(graph.modules):
        if module.startswith(f"{PACKAGE}."):
            room = module.split(".")[1]
            others = [name.split(".") for name in graph.find_modules_directly_imported_by(module)]
            imported = {other[1] for other in others if other[0] == PACKAGE and other[1:]}
            rooms.setdefault(room, set()).update(imported - {room})
    return rooms


def without_detours(rooms: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The imports that no way through other rooms amounts to."""

    def reachable(room: str) -> set[str]:
        return rooms[room].union(*map(reachable, rooms[room]))

    return [
        (room, other)
        for room, others in sorted(rooms.items())
        for other in sorted(others - set().union(*map(reachable, others)))
    ]


def width(node: Node) -> float:
    return len(node[0]) * LETTER + 20 if len(node) == 1 else 4


def spread(row: list[Node], wanted: dict[Node, float]) -> dict[Node, float]:
    """Places in a row, in order and without overlap, near those that are wanted."""
    places: dict[Node, float] = {}
    free = -1e9
    for node in row:
        places[node] = max(wanted[node], free + width(node) / 2)
        free = places[node] + width(node) / 2 + GAP
    shift = sum(wanted[node] - places[node] for node in row) / len(row)
    return {node: place + shift for node, place in places.items()}


def arrange(
    layers: list[list[str]], arrows: list[tuple[str, str]]
) -> tuple[dict[Node, float], list[list[Node]]]:
    """x of every node, and of each arrow the nodes along it: barycentres, swept down and up."""
    level = {room: number for number, layer in enumerate(layers) for room in layer}
    rows: list[list[Node]] = [[(room,) for room in layer] for layer in layers]
    ways: list[list[Node]] = []
    for start, end in arrows:
        passed = range(level[start] + 1, level[end])
        between: list[Node] = [(start, end, str(number)) for number in passed]
        for number, node in zip(passed, between, strict=True):
            rows[number].append(node)
        ways.append([(start,), *between, (end,)])
    x = {node: place for row in rows for node, place in spread(row, dict.fromkeys(row, 0.0)).items()}
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 else rows[::-1]:
            wanted = {}
            for node in row:
                pairs = [pair for way in ways for pair in pairwise(way) if node in pair]
                near = [x[other] for pair in pairs for other in pair if other != node]
                wanted[node] = sum(near) / len(near) if near else x[node]
            row.sort(key=wanted.__getitem__)
            x.update(spread(row, wanted))
    return x, ways


def drawing() -> str:
    """The picture as SVG."""
    graph = grimp.build_graph(
        PACKAGE, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )
    layers = contract_layers()[:-1]
    level = {room: number for number, layer in enumerate(layers) for room in layer}
    arrows = [arrow for arrow in without_detours(room_imports(graph)) if arrow[1] in level]
    x, ways = arrange(layers, arrows)
    left = min(place - width(node) / 2 for node, place in x.items()) - 10
    right = max(place + width(node) / 2 for node, place in x.items()) + 10

    def y(node: Node) -> float:
        return ROW * (level[node[0]] if len(node) == 1 else int(node[2])) + ROW / 2

    parts = [HEAD, ARROWS]
    for way in ways:
        line = f"M{x[way[0]]:.0f} {y(way[0]) + HEIGHT / 2:.0f}"
        slopes = [
            0.0,
            *((x[after] - x[before]) / 6 for before, after in zip(way, way[2:], strict=False)),
            0.0,
        ]
        for (upper, lower), (leaving, arriving) in zip(pairwise(way), pairwise(slopes), strict=True):
            end = y(lower) - (HEIGHT / 2 + 2 if len(lower) == 1 else 0)
            line += f" C{x[upper] + leaving:.0f} {y(upper) + ROW / 2:.0f}"
            line += f" {x[lower] - arriving:.0f} {y(lower) - ROW / 2:.0f} {x[lower]:.0f} {end:.0f}"
        parts.append(f'<path d="{line}"/>')
    parts += ["</g>", BOXES]
    for room in level:
        corner = f'x="{x[room,] - width((room,)) / 2:.0f}" y="{y((room,)) - HEIGHT / 2:.0f}"'
        colour = COLOURS[graph.chain_exists(f"{PACKAGE}.{room}", "torch", as_packages=True)]
        parts.append(f'<rect {corner} width="{width((room,)):.0f}" height="{HEIGHT}" rx="6" {colour}/>')
        parts.append(f'<text x="{x[room,]:.0f}" y="{y((room,)) + 4.5:.0f}">{room}</text>')
    box = f"{left:.0f} 0 {right - left:.0f} {ROW * len(layers)}"
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="{right - left:.0f}">'
    return "\n".join([svg, *parts, "</g>", "</svg>\n"])


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf-8")
