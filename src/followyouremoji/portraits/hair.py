"""Hair and hats: surfaces around the skull and their unlit colours, fixed for an identity."""

from functools import lru_cache

import numpy as np

from .anatomy import face_at_rest
from .head import HAIR_COLUMNS, HAIR_ROWS, Surface, brim_surface, hair_angles, hair_surface, skull_behind
from .palettes import toned
from .styles import Identity

_NONE = np.zeros(HAIR_COLUMNS)


def _profile(
    front: float, side: float, back: float, temples: float = 62.0, sweep: float = 0.0, locks: float = 0.0
) -> np.ndarray:
    """Height of a hair edge in degrees by column: over the forehead, at the sides, at the nape."""
    angles = np.degrees(hair_angles())
    around = np.abs(angles)
    known = [0.0, 0.6 * temples, temples, temples + 22.0, 115.0, 180.0]
    heights = [front, front - 2.0, 0.5 * (front + side), side, 0.5 * (side + back), back]
    edge = np.interp(around, known, heights)
    edge += sweep * 7.0 * np.sin(np.radians(angles) * 1.5) * np.exp(-((angles / 50.0) ** 2))
    # Rounded corners: an average over three neighbours, twice.
    for _ in range(2):
        edge = (np.roll(edge, 1) + 2.0 * edge + np.roll(edge, -1)) / 4.0
    # Locks: the edge ends in points that lean with the sweep.
    teeth = (np.radians(angles) * 3.2 + 0.4 * np.sign(sweep)) % 1.0
    lean = 0.72 if sweep > 0 else 0.28
    edge -= locks * np.where(teeth < lean, teeth / lean, (1.0 - teeth) / (1.0 - lean)) * (around < 75.0)
    return edge


@lru_cache(maxsize=64)
def hair_of(identity: Identity) -> Surface | None:
    """The hair surface of an identity in canonical space; None for bald heads and under a headscarf."""
    if identity.hair_style == "bald" or identity.hat == "scarf":
        return None
    skull = skull_behind(face_at_rest(identity.shape))
    around = np.abs(np.degrees(hair_angles()))
    volume, sweep = identity.hair_volume, identity.sweep
    lean = 2.2 * float(np.sign(sweep))
    hang = identity.hair_length * np.clip((around - 56.0) / 10.0, 0.0, 1.0) ** 0.5
    profiles = {
        "crop": (_profile(36, 6, -32), _NONE, 1.2 * volume, 0.35, 0.0, 0.0),
        "receding": (_profile(62, 6, -32, temples=50.0), _NONE, 1.0 * volume, 0.4, 0.0, 0.0),
        "side_part": (_profile(33, 4, -34, sweep=lean), _NONE, 2.6 * volume, 0.7, 0.0, 1.8 * volume),
        "quiff": (_profile(37, 6, -34, sweep=0.5 * lean), _NONE, 2.2 * volume, 0.5, 0.0, 4.2 * volume),
        "pixie": (_profile(25, -2, -34, sweep=0.8 * lean, locks=7.0), _NONE, 2.0 * volume, 0.6, 0.0, 0.0),
        "curly": (_profile(35, 2, -34), _NONE, 1.8 * volume, 0.8, 0.0, 0.0),
        "afro": (_profile(37, -6, -34), _NONE, 3.4 * volume, 1.2, 0.0, 0.0),
        "bob": (
            _profile(27, -5, -5, sweep=sweep, locks=3.0), np.minimum(hang, 7.5), 2.3 * volume, 1.2, 0.10, 0.0
        ),
        "fringe_long": (
            _profile(24, -5, -5, temples=64.0, sweep=0.1, locks=5.0), hang, 2.3 * volume, 1.2, 0.12, 0.0
        ),
        "long": (_profile(35, -4, -5, temples=52.0, sweep=1.6 * sweep), hang, 2.3 * volume, 1.1, 0.15, 0.0),
        "wavy": (_profile(34, -4, -5, temples=54.0, sweep=2.0 * sweep), 0.9 * hang, 2.6 * volume, 1.3, 0.22, 0.0),
        "short": (
            _profile(35, 3, -34, sweep=1.3 * sweep, locks=8.0), _NONE, 2.4 * volume, 0.8, 0.0, 0.8 * volume
        ),
    }  # fmt: skip
    gathered = (_profile(34, 4, -28, sweep=sweep), _NONE, 1.7 * volume, 0.5, 0.0, 0.0)
    edge, drop, thick, thin, flare, quiff = profiles.get(identity.hair_style, gathered)
    surface = hair_surface(skull, edge, drop, thick, thin, flare, quiff)
    return _waved(surface, identity) if identity.hair_style == "wavy" else surface


def _waved(surface: Surface, identity: Identity) -> Surface:
    """Hanging hair in waves: its lower part swings in and out along its length."""
    vertices = surface.vertices.copy()
    phase = np.random.default_rng(identity.seed).uniform(0.0, 2.0 * np.pi)
    angle = np.tile(hair_angles(), HAIR_ROWS)
    fraction = np.repeat(np.linspace(0.0, 1.0, HAIR_ROWS), HAIR_COLUMNS)
    swing = 0.55 * fraction * np.sin(9.0 * fraction + 5.0 * np.abs(angle) + phase) + 0.3 * fraction * np.sin(
        14.0 * angle
    )
    vertices[:, [0, 2]] += swing[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return Surface(vertices, surface.triangles)


@lru_cache(maxsize=64)
def hair_paint(identity: Identity) -> np.ndarray:
    """Unlit colour of the hair surface, ``(N, 3)``: broad locks and a band of shine."""
    angles = np.tile(hair_angles(), HAIR_ROWS)
    fraction = np.repeat(np.linspace(0.0, 1.0, HAIR_ROWS), HAIR_COLUMNS)
    rng = np.random.default_rng(identity.seed)
    phases = rng.uniform(0.0, 2.0 * np.pi, 2)
    locks = np.cos(9.0 * angles + phases[0]) + 0.7 * np.cos(14.0 * angles + phases[1])
    base = np.array(identity.hair)
    if identity.finish != "soft":
        return np.tile(base, (len(angles), 1))
    if identity.material != "none":
        return base * (1.0 + 0.13 * (locks * np.minimum(1.0, 3.0 * fraction))[:, None])
    paint = base * (1.0 + 0.07 * (locks * np.minimum(1.0, 3.0 * fraction))[:, None])
    roots = np.clip(1.0 - 5.0 * fraction, 0.0, 1.0)[:, None]
    paint = paint * (1.0 - 0.12 * roots)
    shine = np.exp(-0.5 * ((fraction - 0.36) / 0.11) ** 2) * (0.75 + 0.25 * locks / 1.7)
    gloss = (0.10 + 0.5 * identity.shine) * shine
    return paint + gloss[:, None] * (np.array([1.0, 0.97, 0.92]) - paint) * (0.4 + 0.6 * base.mean())


@lru_cache(maxsize=64)
def hat_of(identity: Identity) -> tuple[Surface, np.ndarray] | None:
    """The head's covering as a surface, and its unlit colours; None for a bare head."""
    if identity.hat == "none":
        return None
    skull = skull_behind(face_at_rest(identity.shape))
    around = np.abs(np.degrees(hair_angles()))
    rows = np.repeat(np.arange(HAIR_ROWS), HAIR_COLUMNS)[:, None]
    angles = np.tile(hair_angles(), HAIR_ROWS)
    over = 0.5 + 0.5 * identity.hair_volume if identity.hair_style != "bald" else 0.6
    colour = np.array(identity.hat_colour)
    rim = np.clip(rows - (HAIR_ROWS - 4), 0, 1)
    if identity.hat in ("scarf", "veil"):
        hang = 12.0 * np.clip((around - 58.0) / 14.0, 0.0, 1.0) ** 0.5
        edge = _profile(34 if identity.hat == "scarf" else 44, -5, -5, temples=64.0)
        loose = 1.6 if identity.hat == "scarf" else 2.9 * over
        surface = hair_surface(skull, edge, hang, loose, 0.7 if identity.hat == "scarf" else 1.9, 0.2)
        folds = 1.0 + 0.09 * np.sin(7.0 * angles + identity.seed % 7 + 0.4 * rows[:, 0])[:, None]
        return surface, colour * folds
    if identity.hat == "headband":
        surface = hair_surface(skull, _profile(33, 12, -8), _NONE, 2.75 * over, 1.6 * over, 0.0)
        band = np.arange(HAIR_ROWS)[-3:]
        keep = (surface.triangles // HAIR_COLUMNS).min(axis=1) >= band[0]
        return Surface(surface.vertices, surface.triangles[keep]), np.tile(colour, (len(angles), 1))
    if identity.hat == "brim":
        crown = hair_surface(skull, _profile(33, 22, 16), _NONE, 3.6 * over, 1.2, 0.0)
        paint = np.tile(colour, (len(angles), 1)) + rim * (np.array(identity.accent) - colour)
        return crown, paint
    thick = {"beanie": 3.2 * over, "bandana": 2.3 * over}[identity.hat]
    surface = hair_surface(skull, _profile(30, 14, 4), _NONE, thick, 1.0, 0.0)
    ribs = 1.0 + (0.05 if identity.hat == "beanie" else 0.0) * np.cos(32.0 * angles)[:, None]
    if identity.hat == "bandana":
        folds = 1.0 + 0.08 * np.sin(5.0 * angles + 1.3 * rows[:, 0])[:, None]
        return surface, colour * folds
    paint = colour * ribs
    return surface, paint + rim * (np.array(toned(identity.hat_colour, 0.10)) - paint)


@lru_cache(maxsize=64)
def brim_of(identity: Identity) -> tuple[Surface, np.ndarray] | None:
    """The brim of a hat as a ring around the head, and its unlit colours."""
    if identity.hat != "brim":
        return None
    skull = skull_behind(face_at_rest(identity.shape))
    width = 3.0 + 2.6 * (identity.seed % 5) / 4.0
    surface = brim_surface(skull, _profile(33, 22, 16), 1.0, width)
    shade = np.linspace(0.92, 1.04, len(surface.vertices) // HAIR_COLUMNS).repeat(HAIR_COLUMNS)[:, None]
    return surface, np.array(identity.hat_colour) * shade
