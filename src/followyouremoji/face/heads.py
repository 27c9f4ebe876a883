"""Where the portrait's head goes (Sec. 3.1): the driving head's motion on the portrait's own pose, and no further than
its picture has room for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import angles_of, frustum_at_one, project, rotations_and_scales

NEAREST = 0.35
"""Share of the portrait's own distance to the camera that head motion leaves at least."""

FREE = 0.5
"""Share of the room in which travel is left as it is; beyond, more and more of it is taken off."""

MARGIN = 0.01
"""What stays between the face and the border of the picture, in sizes of the face: the warp lies between both."""

MOST_TURNED, TURNED_LESS = 40.0, 0.6
"""Degrees that a picture turns a portrait from its own pose at most, and how much less for each degree that it is
turned aside itself: turned by more, of six paintings and drawings each showed eyes, mouth or cheeks twice."""

LEAST = 0.01
"""Least room to any side, in sizes of the face."""

PIVOT = np.array([0.0, -1.5, -3.0])
"""The middle of the head, about which drawn heads and poses turn, canonical centimetres; placed by eye for drawn
ones."""

Room = tuple[float, float, float, float]
"""Left, top, right and bottom border, pixels."""


@dataclass(frozen=True)
class Eased:
    """How far a head would go to a `side`, and how far it goes, in sizes of the face; `turned`, in degrees."""

    side: str
    wanted: float
    given: float


def turned_by(angles: np.ndarray) -> np.ndarray:
    """Rotations ``(..., 3, 3)`` of angles ``(..., 3)``, yaw, pitch and roll in degrees: positive turns the face to the
    picture's right, up, and tilts it clockwise."""
    yaw, pitch, roll = np.moveaxis(np.radians(angles), -1, 0)
    none, one = np.zeros_like(yaw), np.ones_like(yaw)

    def matrix(*rows: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    about_y = matrix((np.cos(yaw), none, np.sin(yaw)), (none, one, none), (-np.sin(yaw), none, np.cos(yaw)))
    about_x = matrix(
        (one, none, none), (none, np.cos(pitch), np.sin(pitch)), (none, -np.sin(pitch), np.cos(pitch))
    )
    about_z = matrix(
        (np.cos(roll), np.sin(roll), none), (-np.sin(roll), np.cos(roll), none), (none, none, one)
    )
    turn: np.ndarray = about_z @ about_y @ about_x
    return turn


def turned_further(poses: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Poses ``(T, 4, 4)`` of heads that turn about their middle by `angles` ``(3,)`` or ``(T, 3)`` of `turned_by`, in
    the heads' own frame: a tilted head nods along its own nose."""
    turns = np.zeros((*angles.shape[:-1], 4, 4))
    turns[..., :3, :3] = turned_by(angles)
    turns[..., :3, 3] = PIVOT - turns[..., :3, :3] @ PIVOT
    turns[..., 3, 3] = 1.0
    further: np.ndarray = poses @ turns
    return further


def relative_poses(driving: np.ndarray, rests: np.ndarray, own: np.ndarray, strength: float) -> np.ndarray:
    """The portrait's poses ``(T, 4, 4)``: its `own` ``(4, 4)``, turned and moved as far as the driving heads ``(T, 4,
    4)`` are from where they rest ``(T, 4, 4)``.

    Depth goes by ratios: a driving face that comes a tenth nearer brings the portrait a tenth nearer, however far from
    the camera each of them is.
    """
    _, own_scale = rotations_and_scales(own[None])
    turn = rotations_and_scales(driving)[0] @ rotations_and_scales(rests)[0].transpose(0, 2, 1)
    shift = own[:3, 3] + driving[:, :3, 3] - rests[:, :3, 3]
    shift[:, 2] = own[2, 3] * driving[:, 2, 3] / rests[:, 2, 3]
    return _posed(own, turn, shift, np.broadcast_to(own_scale, len(driving)), strength)


def turned_from_rest(driving: np.ndarray, rest: np.ndarray, own: np.ndarray, strength: float) -> np.ndarray:
    """The portrait's poses ``(T, 4, 4)``: its `own` ``(4, 4)``, turned about the middle of the head as far as the
    driving heads ``(T, 4, 4)`` are from a known `rest` ``(4, 4)``, in the head's own frame as `turned_further` does it.

    The middle moves aside as far as the driver's, and nearer by the same ratio, along its own line of sight: a cheek
    that puffs out makes the fitted head a little larger at a little larger a distance, which must not show.
    """
    rotation, scale = rotations_and_scales(own)
    turn = rotations_and_scales(rest)[0].T @ rotations_and_scales(driving)[0]
    places, rested, middle = (one[..., :3, :3] @ PIVOT + one[..., :3, 3] for one in (driving, rest, own))
    nearer = places[:, 2:] / rested[2]
    aside = places / nearer - rested  # as far as it would be at the rest's distance
    travel = nearer * (middle + aside) - middle
    poses = np.zeros_like(driving)
    poses[:, :3, :3] = scale * rotation @ _powered(turn, strength)
    poses[:, :3, 3] = middle + strength * travel - poses[:, :3, :3] @ PIVOT
    poses[:, 2, 3] = np.minimum(poses[:, 2, 3], NEAREST * own[2, 3])
    poses[:, 3, 3] = 1.0
    return poses


def released_poses(driving: np.ndarray, own: np.ndarray, strength: float) -> np.ndarray:
    """As the released code has it: rotation and scale of the driving head, and its movement since the first frame."""
    rotation, scale = rotations_and_scales(driving)
    own_rotation, _ = rotations_and_scales(own[None])
    shift = driving[:, :3, 3] - driving[0, :3, 3] + own[:3, 3]
    return _posed(own, rotation @ own_rotation[0].T, shift, scale, strength)


def turned_as(driving: np.ndarray, own: np.ndarray, strength: float) -> tuple[np.ndarray, tuple[Eased, ...]]:
    """The portrait in its own place and size with the rotation of a driving head, both ``(4, 4)``: ``(1, 4, 4)``, and
    whether the turn had to be eased, in degrees.

    A portrait that is turned itself shows one side of the face, and what is hidden cannot be turned into sight: it
    turns by `MOST_TURNED` less `TURNED_LESS` of its own angle at most.
    """
    rotation, _ = rotations_and_scales(driving[None])
    own_rotation, own_scale = rotations_and_scales(own[None])
    turn = rotation @ own_rotation[0].T
    wanted = strength * float(np.degrees(angles_of(turn[0])))
    aside = float(np.degrees(np.arccos(np.clip(own_rotation[0, 2, 2], -1.0, 1.0))))
    given = min(wanted, max(MOST_TURNED - TURNED_LESS * aside, 0.0))
    if given < wanted:
        strength *= given / wanted
    poses = _posed(own, turn, own[None, :3, 3], own_scale, strength)
    return poses, () if given == wanted else (Eased("turned", wanted, given),)


def _posed(
    own: np.ndarray, turn: np.ndarray, shift: np.ndarray, scale: np.ndarray, strength: float
) -> np.ndarray:
    own_rotation, own_scale = rotations_and_scales(own[None])
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
    own_outline: np.ndarray,
    outlines: np.ndarray,
    room: Room | None,
    size: tuple[int, int],
    *,
    foreseen: bool = True,
) -> tuple[np.ndarray, tuple[Eased, ...]]:
    """The same poses with a travel that keeps the face in the picture, and what had to be eased.

    First how near the head comes, where the portrait has it, then how far it moves aside, as near as it is. Travel to a
    side that goes further than there is room is eased for the whole clip by one smooth, rising function, so that small
    movements and the order of places stay: see `_eased`. Turns are left as they are.

    With the head's origin in the direction X at the distance D, a point x, z of the face, turned as it is, is seen in
    the direction (X D + x) / (D - z); that this lies within a border bounds D for a known X, and X for a known D.

    Parameters
    ----------
    poses : ``(T, 4, 4)``
    own : ``(4, 4)``, the portrait's
    own_outline, outlines : ``(N, 3)`` and ``(T, N, 3)`` vertices at the rim of the portrait's face and of each frame's
    room : what the face has to stay in, None is the picture; where the portrait's own face is nearer to the border,
        that
    size : (width, height) of the picture in pixels
    foreseen : the poses are the whole clip. Else each of them is eased for itself, as in a clip whose furthest travel
        has no bounds, and nothing is told of it
    """
    room = room or (0, 0, *size)
    face = project(own_outline[None], own[None], size)[0]
    extent = float(np.ptp(face, axis=0).max())
    left, top = np.minimum(np.array(room[:2]) + MARGIN * extent, face.min(axis=0))
    right, bottom = np.maximum(np.array(room[2:]) - MARGIN * extent, face.max(axis=0))
    pixel = frustum_at_one(size)[1] / size[1]
    low = np.array([left - size[0] / 2, size[1] / 2 - bottom]) * pixel  # directions (x, y), y up
    high = np.array([right - size[0] / 2, size[1] / 2 - top]) * pixel
    extent *= pixel
    rim = outlines @ poses[:, :3, :3].transpose(0, 2, 1)  # (T, N, 3) about the head's origin
    aside, ahead = rim[..., :2], rim[..., 2:]
    own_place, own_distance = own[:2, 3] / -own[2, 3], -own[2, 3]

    nearest = np.maximum(
        (aside + high * ahead) / np.maximum(high - own_place, LEAST * extent),
        -(aside + low * ahead) / np.maximum(own_place - low, LEAST * extent),
    ).max(axis=(1, 2))
    fitting = np.log(np.maximum(own_distance / np.maximum(nearest, 1e-6), 1.0 + LEAST))
    towards = np.log(own_distance / -poses[:, 2, 3])
    nearer, *changes = _eased_to_both(towards, np.inf, fitting, ("", "nearer"), foreseen)
    eased = [Eased(one.side, np.expm1(one.wanted), np.expm1(one.given)) for one in changes if one]
    distance = (own_distance * np.exp(-nearer))[:, None]

    moved = poses[:, :2, 3] / -poses[:, 2:3, 3] - own_place
    depth = distance[:, None] - ahead
    room_before = own_place - ((low * depth - aside) / distance[:, None]).max(axis=1)
    room_after = ((high * depth - aside) / distance[:, None]).min(axis=1) - own_place
    for axis, sides in enumerate((("to the left", "to the right"), ("down", "up"))):
        before, after = (np.maximum(one[:, axis], LEAST * extent) for one in (room_before, room_after))
        moved[:, axis], *changes = _eased_to_both(moved[:, axis], before, after, sides, foreseen)
        eased += [Eased(one.side, one.wanted / extent, one.given / extent) for one in changes if one]
    if foreseen and not eased:
        return poses, ()
    bounded = poses.copy()
    bounded[:, :2, 3] = (own_place + moved) * distance
    bounded[:, 2, 3] = -distance[:, 0]
    return bounded, tuple(eased)


def _eased_to_both(
    travel: np.ndarray,
    before: np.ndarray | float,
    after: np.ndarray | float,
    sides: tuple[str, str],
    foreseen: bool,
) -> tuple[np.ndarray, Eased | None, Eased | None]:
    """Travel (T,) eased to rooms of its own to both sides; what was done to either."""
    down, first = _eased(np.maximum(-travel, 0.0), before, sides[0], foreseen)
    up, second = _eased(np.maximum(travel, 0.0), after, sides[1], foreseen)
    return up - down, first, second


def _eased(
    travel: np.ndarray, room: np.ndarray | float, side: str, foreseen: bool
) -> tuple[np.ndarray, Eased | None]:
    """Travel (T,), not negative, so that the furthest comes to the end of its `room`; unchanged where all have room.

    Up to `FREE` of the room nothing changes; beyond it, ``x`` in units of the room becomes ``FREE + d / (1 + c d)``
    with ``d = x - FREE``, which begins with slope 1, and `c` such that the furthest comes to 1. Where it is not
    `foreseen`, only what is infinitely far comes there.
    """
    share = travel / room
    furthest = int(share.argmax())
    if foreseen and not share[furthest] > 1.0:
        return travel, None
    beyond = np.maximum(share - FREE, 0.0)
    curve = 1.0 / (1.0 - FREE) - (1.0 / beyond[furthest] if foreseen else 0.0)
    eased = np.where(share > FREE, (FREE + beyond / (1.0 + curve * beyond)) * room, travel)
    return eased, Eased(side, float(travel[furthest]), float(eased[furthest])) if foreseen else None


def _powered(rotations: np.ndarray, power: float) -> np.ndarray:
    """Rotations about the same axes by ``power`` times their angles (Rodrigues' formula)."""
    if power == 1.0:
        return rotations
    angle = angles_of(rotations)
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
