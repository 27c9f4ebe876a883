"""Where the portrait's head goes (Sec. 3.1): the driving head's motion on the portrait's own pose, and no further than
its picture has room for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import frustum_at_one, project

NEAREST = 0.35
"""Share of the portrait's own distance to the camera that head motion leaves at least."""

FREE = 0.5
"""Share of the room in which travel is left as it is; beyond, more and more of it is taken off."""

MARGIN = 0.05
"""What stays between the face and the border of the picture, in sizes of the face: a picture is bent between both."""

MOST_TURNED, TURNED_LESS = 40.0, 0.6
"""Degrees that a picture turns a portrait from its own pose at most, and how much less for each degree that it is
turned aside itself: bent by more, of six paintings and drawings each showed eyes, mouth or cheeks twice."""

LEAST = 0.01
"""Least room to any side, in sizes of the face."""

Room = tuple[float, float, float, float]
"""Left, top, right and bottom border, pixels."""


@dataclass(frozen=True)
class Eased:
    """How far a head would go to a `side`, and how far it goes, in sizes of the face; `turned`, in degrees."""

    side: str
    wanted: float
    given: float


def relative_poses(driving: np.ndarray, rests: np.ndarray, own: np.ndarray, strength: float) -> np.ndarray:
    """The portrait's poses ``(T, 4, 4)``: its `own` ``(4, 4)``, turned and moved as far as the driving heads ``(T, 4,
    4)`` are from where they rest ``(T, 4, 4)``.

    Depth goes by ratios: a driving face that comes a tenth nearer brings the portrait a tenth nearer, however far from
    the camera each of them is.
    """
    _, own_scale = _rotation_and_scale(own[None])
    turn = _rotation_and_scale(driving)[0] @ _rotation_and_scale(rests)[0].transpose(0, 2, 1)
    shift = own[:3, 3] + driving[:, :3, 3] - rests[:, :3, 3]
    shift[:, 2] = own[2, 3] * driving[:, 2, 3] / rests[:, 2, 3]
    return _posed(own, turn, shift, np.broadcast_to(own_scale, len(driving)), strength)


def released_poses(driving: np.ndarray, own: np.ndarray, strength: float) -> np.ndarray:
    """As the released code has it: rotation and scale of the driving head, and its movement since the first frame."""
    rotation, scale = _rotation_and_scale(driving)
    own_rotation, _ = _rotation_and_scale(own[None])
    shift = driving[:, :3, 3] - driving[0, :3, 3] + own[:3, 3]
    return _posed(own, rotation @ own_rotation[0].T, shift, scale, strength)


def turned_as(driving: np.ndarray, own: np.ndarray, strength: float) -> tuple[np.ndarray, tuple[Eased, ...]]:
    """The portrait in its own place and size with the rotation of a driving head, both ``(4, 4)``: ``(1, 4, 4)``, and
    whether the turn had to be eased, in degrees.

    A portrait that is turned itself shows one side of the face, and what is hidden cannot be turned into sight: it
    turns by `MOST_TURNED` less `TURNED_LESS` of its own angle at most.
    """
    rotation, _ = _rotation_and_scale(driving[None])
    own_rotation, own_scale = _rotation_and_scale(own[None])
    turn = rotation @ own_rotation[0].T
    wanted = strength * float(np.degrees(np.arccos(np.clip((np.trace(turn[0]) - 1) / 2, -1.0, 1.0))))
    aside = float(np.degrees(np.arccos(np.clip(own_rotation[0, 2, 2], -1.0, 1.0))))
    given = min(wanted, max(MOST_TURNED - TURNED_LESS * aside, 0.0))
    if given < wanted:
        strength *= given / wanted
    poses = _posed(own, turn, own[None, :3, 3], own_scale, strength)
    return poses, () if given == wanted else (Eased("turned", wanted, given),)


def _posed(
    own: np.ndarray, turn: np.ndarray, shift: np.ndarray, scale: np.ndarray, strength: float
) -> np.ndarray:
    own_rotation, own_scale = _rotation_and_scale(own[None])
    poses = np.zeros((len(turn), 4, 4))
    turned = _powered(turn, strength) @ own_rotation[0]
    poses[:, :3, :3] = (own_scale + strength * (scale - own_scale))[:, None, None] * turned
    poses[:, :3, 3] = own[:3, 3] + strength * (shift - own[:3, 3])
    poses[:, 2, 3] = np.minimum(poses[:, 2, 3], NEAREST * own[2, 3])
    poses[:, 3, 3] = 1.0
    return poses


def within_room(
    poses: np.ndarray,
    own: np.ndarray,
    outline: np.ndarray,
    room: Room,
    size: tuple[int, int],
) -> tuple[np.ndarray, tuple[Eased, ...]]:
    """The same poses with a travel that keeps the face in the picture, and what had to be eased.

    What travels is the projected origin of canonical space, and the face's box with it, which grows as it comes nearer.
    Travel to a side that goes further than there is room is eased for the whole clip by one smooth, rising function, so
    that small movements and the order of places stay: see `_eased`. Turns are left as they are.

    Parameters
    ----------
    poses : ``(T, 4, 4)``
    own : ``(4, 4)``, the portrait's
    outline : ``(N, 3)`` vertices of the portrait's face at its rim
    room : what the face has to stay in; where the portrait's own face is nearer to the border, it is that
    size : (width, height) of the picture in pixels
    """
    in_place = np.repeat(own[None], len(poses), axis=0)
    in_place[:, :3, :3] = poses[:, :3, :3]
    turned = project(np.broadcast_to(outline, (len(poses), *outline.shape)), in_place, size)
    face = project(outline[None], own[None], size)[0]
    extent = float(np.ptp(face, axis=0).max())
    low = np.minimum(np.array(room[:2]) + MARGIN * extent, face.min(axis=0))
    high = np.maximum(np.array(room[2:]) - MARGIN * extent, face.max(axis=0))
    (own_place,), places = _places(own[None], size), _places(poses, size)
    before, after = (
        own_place - turned.min(axis=1),
        turned.max(axis=1) - own_place,
    )  # (T, 2) of the box about its place

    # How many times as large the face becomes: at most as large as fits where the portrait has it.
    sides = np.concatenate([(own_place - low) / before, (high - own_place) / after], axis=1)
    fitting = np.log(np.maximum(sides.min(axis=1), 1.0 + LEAST))
    nearer, *changes = _eased_to_both(np.log(own[2, 3] / poses[:, 2, 3]), np.inf, fitting, ("", "nearer"))
    eased = [Eased(one.side, np.expm1(one.wanted), np.expm1(one.given)) for one in changes if one]
    grown = np.exp(nearer)[:, None]

    moved = places - own_place
    room_before = np.maximum(own_place - grown * before - low, LEAST * extent)
    room_after = np.maximum(high - own_place - grown * after, LEAST * extent)
    for axis, names in enumerate((("to the left", "to the right"), ("up", "down"))):
        moved[:, axis], *changes = _eased_to_both(
            moved[:, axis], room_before[:, axis], room_after[:, axis], names
        )
        eased += [Eased(one.side, one.wanted / extent, one.given / extent) for one in changes if one]
    if not eased:
        return poses, ()
    bounded = poses.copy()
    bounded[:, 2, 3] = own[2, 3] / grown[:, 0]
    shares = (own_place + moved) / size - 0.5
    bounded[:, :2, 3] = shares * (1, -1) * frustum_at_one(size) * -bounded[:, 2:3, 3]
    return bounded, tuple(eased)


def _places(poses: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Where the origin of canonical space lies in the picture, ``(T, 2)`` pixels."""
    shift = poses[:, :3, 3]
    places: np.ndarray = (0.5 + shift[:, :2] * (1, -1) / (-shift[:, 2:] * frustum_at_one(size))) * size
    return places


def _eased_to_both(
    travel: np.ndarray, before: np.ndarray | float, after: np.ndarray | float, sides: tuple[str, str]
) -> tuple[np.ndarray, Eased | None, Eased | None]:
    """Travel (T,) eased to rooms of its own to both sides; what was done to either."""
    down, first = _eased(np.maximum(-travel, 0.0), before, sides[0])
    up, second = _eased(np.maximum(travel, 0.0), after, sides[1])
    return up - down, first, second


def _eased(travel: np.ndarray, room: np.ndarray | float, side: str) -> tuple[np.ndarray, Eased | None]:
    """Travel (T,), not negative, so that the furthest comes to the end of its `room`; unchanged where all have room.

    Up to `FREE` of the room nothing changes; beyond it, ``x`` in units of the room becomes ``FREE + d / (1 + c d)``
    with ``d = x - FREE``, which begins with slope 1, and `c` such that the furthest comes to 1.
    """
    share = travel / room
    furthest = int(share.argmax())
    if not share[furthest] > 1.0:
        return travel, None
    beyond = np.maximum(share - FREE, 0.0)
    curve = 1.0 / (1.0 - FREE) - 1.0 / beyond[furthest]
    eased = np.where(share > FREE, FREE + beyond / (1.0 + curve * beyond), share) * room
    return eased, Eased(side, float(travel[furthest]), float(eased[furthest]))


def _rotation_and_scale(poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = np.cbrt(np.linalg.det(poses[:, :3, :3]))
    return poses[:, :3, :3] / scale[:, None, None], scale


def _powered(rotations: np.ndarray, power: float) -> np.ndarray:
    """Rotations about the same axes by ``power`` times their angles (Rodrigues' formula)."""
    if power == 1.0:
        return rotations
    cosine = np.clip((np.trace(rotations, axis1=1, axis2=2) - 1) / 2, -1.0, 1.0)
    angle = np.arccos(cosine)
    skew = (rotations - rotations.transpose(0, 2, 1)) / 2
    axis = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=1)
    length = np.linalg.norm(axis, axis=1)
    turning = length > 1e-9  # a head never turns by half a circle, the other place where the axis vanishes
    axis = np.where(turning[:, None], axis / np.maximum(length, 1e-9)[:, None], 0.0)
    cross = np.zeros_like(rotations)
    cross[:, 2, 1], cross[:, 0, 2], cross[:, 1, 0] = axis.T
    cross -= cross.transpose(0, 2, 1)
    sine, versine = np.sin(power * angle), 1 - np.cos(power * angle)
    return np.eye(3) + sine[:, None, None] * cross + versine[:, None, None] * (cross @ cross)
