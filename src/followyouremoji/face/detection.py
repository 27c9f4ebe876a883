"""Faces in pictures and clips: the 478 landmarks of one chosen face.

A picture is looked at hard: when nothing is found in the whole picture, it is searched again in padded and enlarged
crops, and a face found that way counts only if several crops around it agree. A clip is looked at fast: a tracker
follows the chosen face, and the detector runs again only where the face was lost.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from types import TracebackType

import numpy as np

from ..errors import FaceNotFound, SettingsError, WeightsError
from .face_graphs import FaceGraph, FullRangeDetector, GraphFace, TaskGraph, has_mesh, quickest_graph
from .orientation import FURTHEST_TILT, STEADY, disagreement, tilt
from .search import Region, confirmed, is_known, nearest, place, search_levels, size_of

MOST_FACES = 10
"""Faces that are looked for in one picture."""

LEAST_OF_LARGEST = 0.2
"""The smallest of several faces that counts, over the largest: what is smaller hangs on the wall behind."""

ROWS_APART = 16
"""Of the rows by which most frames are distinguished before whole pictures are compared."""


@dataclass(frozen=True, eq=False)
class Landmarks:
    """One face in one picture.

    Attributes
    ----------
    normalised : ``(478, 3)`` float32
        x / width, y / height, z on the scale of x (smaller is nearer). Points may lie outside the picture.
    size : (width, height) of the picture in pixels
    blendshapes : ``(52,)`` float32 scores in [0, 1] in MediaPipe's order (first `_neutral`), or None without a bundle
    quarter_turns : of the picture, counter-clockwise, before the face was looked for; all else is of the turned picture
    doubtful : they were checked, and cannot be trusted: what was found may be no face, or an unusual one
    """

    normalised: np.ndarray
    size: tuple[int, int]
    blendshapes: np.ndarray | None = None
    quarter_turns: int = 0
    doubtful: bool = False

    @property
    def points(self) -> np.ndarray:
        """``(478, 2)`` float32 pixels."""
        return self.normalised[:, :2] * np.array(self.size, np.float32)


class FaceDetector:
    """Finds and follows faces; a context manager.

    Parameters
    ----------
    bundle : Path, optional
        Google's face-landmarker task bundle (``face_landmarker.task``). With it, every face has 52 blendshape scores;
        without it, the face mesh is used, about twice as fast.

    Raises
    ------
    WeightsError
        The bundle is missing or is none; with the first picture, too, where mediapipe cannot be used.

    Nothing is loaded before the first picture. One detector must not be used by two threads at once.
    """

    def __init__(self, bundle: Path | None = None) -> None:
        if bundle is not None and not Path(bundle).is_file():
            raise WeightsError(
                f"There is no face-landmarker bundle at {bundle}. Give its path, or leave it out."
            )
        self._bundle = None if bundle is None else Path(bundle)
        self._picture_graph: FaceGraph | None = None
        self._search_graphs: dict[float, FaceGraph] = {}
        self._far: FullRangeDetector | None = None

    def __enter__(self) -> "FaceDetector":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the graphs. The detector can be used again; it then loads them anew."""
        for graph in (self._picture_graph, self._far, *self._search_graphs.values()):
            if graph is not None:
                graph.close()
        self._picture_graph = self._far = None
        self._search_graphs.clear()

    def detect(self, picture: np.ndarray, face: int | None = None, any_turn: bool = False) -> Landmarks:
        """The landmarks of one face in a picture.

        Parameters
        ----------
        picture : ``uint8 (height, width, 3)`` RGB
        face : 1 for the face furthest to the left, 2 for the next; None for the largest
        any_turn : the picture may lie on its side or stand on its head: where its face is not found, is doubtful or is
            rolled too far, the other quarter turns are tried too

        A face that only the search in crops finds has no blendshape scores.

        Raises
        ------
        FaceNotFound
            No face, or fewer than `face`.
        """
        if any_turn:
            return self._detect_upright(picture, face)
        wanted = _checked_number(face)
        faces = self._in_picture(picture)
        if len(faces) < wanted:
            faces = self._searched(picture, faces, wanted)
        if not faces:
            raise FaceNotFound(
                "No face was found in the picture. Use a picture in which the face is larger, nearly frontal and "
                "uncovered, or crop it closer to the face."
            )
        return _chosen_landmarks(picture, faces, face)

    def detect_all(self, picture: np.ndarray, any_turn: bool = False, search: bool = True) -> list[Landmarks]:
        """The landmarks of every face in a picture uint8 (height, width, 3), from left to right.

        A face counts if it can be trusted and is at least `LEAST_OF_LARGEST` of the largest; where there is none, what
        `detect` finds is all. `any_turn` is as there; one turn, by the face that `detect` finds, holds for all. All of
        the picture is searched, which takes a second; without `search` small and unusual faces beside another one may
        be missing. Raises FaceNotFound where there is no face.
        """
        first = self.detect(picture, any_turn=any_turn)
        upright = _turn(picture, first.quarter_turns)
        size = size_of(upright)
        seen = self._in_picture(upright)
        if search:
            seen = self._searched(upright, seen, MOST_FACES)
        places = [place(face, size) for face in seen]
        steady = [
            (left, side, landmarks)
            for face, (left, _, side) in zip(seen, places, strict=True)
            if not (landmarks := self._checked(upright, _landmarks(face, size))).doubtful
        ]
        if not steady:
            return [first]
        least = LEAST_OF_LARGEST * max(side for _, side, _ in steady)
        kept = sorted((one for one in steady if one[1] >= least), key=lambda one: one[0])
        return [replace(landmarks, quarter_turns=first.quarter_turns) for *_, landmarks in kept]

    def count(self, picture: np.ndarray) -> int:
        """How many faces a picture uint8 (height, width, 3) shows at first sight: small and unusual ones are not
        searched for."""
        return len(self._in_picture(picture))

    def _detect_upright(self, picture: np.ndarray, face: int | None) -> Landmarks:
        try:
            found = self._checked(picture, self.detect(picture, face))
        except FaceNotFound:
            turned = self._turned(picture, face)
            if turned is None:
                raise
            return turned
        if _stands(found):
            return found
        return self._turned(picture, face) or found

    def _turned(self, picture: np.ndarray, face: int | None) -> Landmarks | None:
        """The landmarks in the quarter turn of a picture that brings its face upright, None where there is none."""
        for turns in (2, 1, 3):
            upright = _turn(picture, turns)
            faces = self._in_picture(upright)
            if len(faces) >= (face or 1):
                found = self._checked(upright, _chosen_landmarks(upright, faces, face))
                if _stands(found):
                    return replace(found, quarter_turns=turns)
        return None

    def _checked(self, picture: np.ndarray, found: Landmarks) -> Landmarks:
        """Landmarks with what is thought of them."""
        apart = disagreement(self._search_graph(0.2).faces, picture, found.points)
        return replace(found, doubtful=apart > STEADY)

    def track(
        self, frames: Iterable[np.ndarray], face: int | None = None, any_turn: bool = False
    ) -> Iterator[Landmarks | None]:
        """Follow one face through the frames of a clip: one result a frame, None where the face is not seen.

        Parameters
        ----------
        frames : RGB pictures of one size, read one at a time; one that is byte for byte the picture before it, as in a
            clip of a doubled frame rate or with a held picture, has the same landmarks and costs no detection
        face : which face of the first frame that has one, as in `detect`; afterwards the same face is followed, and
            a lost one is taken up again where a face is nearest to the last place
        any_turn : as in `detect`; what its first face shows holds for the whole clip

        Raises
        ------
        FaceNotFound
            The first frame with faces has fewer than `face`.
        """
        _checked_number(face)
        return self._tracked(frames, face, any_turn)

    def _tracked(
        self, frames: Iterable[np.ndarray], face: int | None, any_turn: bool
    ) -> Iterator[Landmarks | None]:
        turns: int | None = None if any_turn else 0
        doubtful = False
        follower: _Follower | None = None
        last: GraphFace | None = None
        before: np.ndarray | None = None
        seen: Landmarks | None = None
        try:
            for number, frame in enumerate(frames):
                if before is not None and _is_held(frame, before):
                    yield seen
                    continue
                before = frame
                if turns is None:
                    turns, doubtful = self._first_look(frame, face, number)
                picture = _turn(frame, turns or 0)
                size = size_of(picture)
                current = follower.follow(picture) if follower else None
                if current is None:
                    if follower:
                        follower.close()
                        follower = None
                    current, follower = self._taken_up(picture, last, face)
                last = current or last
                if current is None:
                    seen = None
                else:
                    turns = turns or 0
                    seen = replace(_landmarks(current, size), quarter_turns=turns, doubtful=doubtful)
                yield seen
        finally:
            if follower:
                follower.close()

    def _first_look(self, picture: np.ndarray, face: int | None, number: int) -> tuple[int | None, bool]:
        """The quarter turns that bring a clip's first face upright, and whether it is doubtful; (None, False) while
        none is seen.

        Without a face the turned frame is looked at ever more rarely: it costs three detections.
        """
        faces = self._in_picture(picture)
        if not faces and number & (number - 1):
            return None, False
        found = None
        if len(faces) >= (face or 1):
            found = self._checked(picture, _chosen_landmarks(picture, faces, face))
            if _stands(found):
                return 0, False
        turned = self._turned(picture, face)
        if turned is not None:
            return turned.quarter_turns, False
        return (0, found is not None and found.doubtful) if faces else (None, False)

    def _taken_up(
        self, picture: np.ndarray, last: GraphFace | None, face: int | None
    ) -> tuple[GraphFace | None, "_Follower | None"]:
        """Find the face to follow in a frame, and a follower that has seen the frame."""
        size = size_of(picture)
        region: Region | None = None
        faces = self._in_picture(picture)
        if not faces:
            # A face too small for the mesh graph's detector: follow it within an enlarged crop.
            for x, y, box in self._far_boxes(picture):
                region = Region.around(x, y, 3 * box)
                faces = region.faces(self._in_picture, picture)
                if faces:
                    break
        if not faces:
            return None, None
        current = _chosen(faces, size, face) if last is None else nearest(faces, last, size)
        follower = _Follower(self._graph(True, len(faces)), region, current)
        return follower.follow(picture) or current, follower

    def _searched(self, picture: np.ndarray, known: list[GraphFace], wanted: int) -> list[GraphFace]:
        """Faces in padded and enlarged crops besides the known ones, from coarse to fine until there are enough.

        The mesh graph searches where there is one, with a bundle too: it is faster and finds more unusual faces.
        """
        size = size_of(picture)
        for regions in search_levels(size, self._far_boxes(picture)):
            for confidence in (0.5, 0.2):
                graph = self._search_graph(confidence)
                for region in regions:
                    for candidate in region.faces(graph.faces, picture):
                        if is_known(candidate, known, size):
                            continue
                        agreed = confirmed(self._search_graph(0.2).faces, picture, candidate)
                        if agreed and not is_known(agreed, known, size):
                            known = [*known, agreed]
                if len(known) >= wanted:
                    return known
        return known

    def _graph(self, tracking: bool, faces: int) -> FaceGraph:
        if self._bundle is not None:
            return TaskGraph(self._bundle, tracking, faces)
        return quickest_graph(tracking, faces)

    def _in_picture(self, picture: np.ndarray) -> list[GraphFace]:
        if self._picture_graph is None:
            self._picture_graph = self._graph(False, MOST_FACES)
        return self._picture_graph.faces(picture)

    def _search_graph(self, confidence: float) -> FaceGraph:
        if confidence not in self._search_graphs:
            self._search_graphs[confidence] = quickest_graph(False, MOST_FACES, confidence)
        return self._search_graphs[confidence]

    def _far_boxes(self, picture: np.ndarray) -> list[tuple[float, float, float]]:
        """Centre x, centre y and longer side, in pixels, of faces too small for a look at the whole picture.

        Without the mesh there is no detector for them, and larger parts of the picture are looked at: 13 detections.
        """
        if has_mesh():
            if self._far is None:
                self._far = FullRangeDetector(0.3)
            return self._far.boxes(picture)
        size = size_of(picture)
        graph = self._search_graph(0.5)
        parts = chain.from_iterable(islice(search_levels(size, []), 1, 3))
        return [place(found, size) for region in parts for found in region.faces(graph.faces, picture)]


class _Follower:
    """A tracking graph and the face of it that is followed."""

    def __init__(self, graph: FaceGraph, region: Region | None, start: GraphFace) -> None:
        self._graph = graph
        self._region = region
        self._last = start

    def follow(self, picture: np.ndarray) -> GraphFace | None:
        look, size = self._graph.faces, size_of(picture)
        faces = self._region.faces(look, picture) if self._region else look(picture)
        same = [face for face in faces if is_known(face, [self._last], size)]
        if not same:
            return None
        self._last = nearest(same, self._last, size)
        return self._last

    def close(self) -> None:
        self._graph.close()


def _is_held(picture: np.ndarray, before: np.ndarray) -> bool:
    """Whether a frame shows what the frame before it showed. False, too, where it lies in the same memory: read over
    it, nothing tells."""
    return (
        picture.shape == before.shape
        and not np.may_share_memory(picture, before)
        and np.array_equal(picture[::ROWS_APART], before[::ROWS_APART])
        and np.array_equal(picture, before)
    )


def _chosen(faces: list[GraphFace], size: tuple[int, int], face: int | None) -> GraphFace:
    if face is None:
        return max(faces, key=lambda one: place(one, size)[2])
    if face > len(faces):
        found = "1 face was" if len(faces) == 1 else f"{len(faces)} faces were"
        raise FaceNotFound(
            f"Face {face} was asked for, but only {found} found; they count from left to right, from 1."
        )
    return sorted(faces, key=lambda one: place(one, size)[0])[face - 1]


def _checked_number(face: int | None) -> int:
    if face is not None and face < 1:
        raise SettingsError(f"Faces count from 1 (left) to the right; {face} is not one.")
    return face or 1


def _turn(picture: np.ndarray, turns: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def _stands(found: Landmarks) -> bool:
    """Whether checked landmarks are of an upright face that can be trusted."""
    return not found.doubtful and abs(tilt(found.normalised, found.size)) <= FURTHEST_TILT


def _chosen_landmarks(picture: np.ndarray, faces: list[GraphFace], face: int | None) -> Landmarks:
    size = size_of(picture)
    return _landmarks(_chosen(faces, size, face), size)


def _landmarks(face: GraphFace, size: tuple[int, int]) -> Landmarks:
    return Landmarks(face.normalised.astype(np.float32), size, face.blendshapes)
