"""A made clip with known truth: three people who cross, are covered, cut away from, leave, come back and come late.

Each is a real portrait of somebody no training saw, moved over a wall; 320 x 180, 25 frames a second, 4 seconds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from faceswap_cli.evaluation.splits import photos_by_person
from faceswap_cli.options import Options
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.stages.track import Located
from faceswap_cli.types import Face

from .scenes import portrait

WIDTH, HEIGHT, RATE, FRAMES = 320, 180, 25, 100
TALL = 104  # pixels of a portrait: its face is 40 to 55 wide
CUT = 55  # first frame of the second shot
SEEN, HIDDEN = 0.9, 0.3  # shares of a face in sight from which it is to be found, and below which it need not be
NAMES = ("anna", "ben", "cleo")

Way = list[tuple[int, float, float]]  # frame and place of the left and upper edge; straight between


@dataclass(frozen=True, slots=True, eq=False)
class There:
    """Where somebody's face is in a frame."""

    middle: np.ndarray  # (2,) x, y
    width: float
    share: float  # of it that is in sight


WAYS: dict[str, list[Way]] = {
    "ben": [
        [(0, 214, 40), (30, 8, 40), (54, 14, 40)],
        [(55, 40, 44), (64, 40, 44), (72, -90, 44)],
        [(82, -90, 44), (90, 36, 44)],
    ],
    "anna": [[(0, 4, 34), (30, 196, 34), (54, 206, 38)], [(76, 330, 50), (88, 222, 50), (99, 222, 46)]],
    "cleo": [[(55, 330, 36), (62, 226, 36), (74, 130, 36), (99, 122, 36)]],
}  # those named later stand in front
COVERED = (37, 49)  # frames in which a board stands before ben


@cache
def people(data: Path) -> dict[str, list[Path]]:
    """Return two photos each of three people nobody was trained on."""
    found = photos_by_person(data / "faces" / "congress", ".", ("tuning",))
    several = [sorted(photos) for _, photos in sorted(found.items()) if len(photos) > 1]
    return dict(zip(NAMES, several[:: len(several) // 3], strict=False))


def crowd(data: Path) -> tuple[list[np.ndarray], list[dict[str, There]]]:
    """Return the clip's pictures and, for each, who is where."""
    pictures = {name: portrait(photos[0], TALL) for name, photos in people(data).items()}
    detector = open_detector(None, Options(device="cpu", threads=1))
    boxes = {name: detector.search(picture)[0].box for name, picture in pictures.items()}
    frames = [_frame(t, pictures, boxes) for t in range(FRAMES)]
    return [rgb for rgb, _ in frames], [truth for _, truth in frames]


def _frame(
    t: int, pictures: dict[str, np.ndarray], boxes: dict[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, There]]:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    wall = (columns // 40 + rows // 30) % 2 * 18 + (60 if t < CUT else 150)
    canvas = np.dstack([wall, wall + 15, wall + 30 * (t < CUT)]).astype(np.uint8)
    owners = np.full((HEIGHT, WIDTH), "", object)
    places = {name: place for name in WAYS if (place := _place(name, t)) is not None}
    for name, (x, y) in places.items():
        _lay(canvas, owners, pictures[name], x, y, name)
    if COVERED[0] <= t < COVERED[1]:
        _lay(canvas, owners, np.full((HEIGHT, 96, 3), (95, 75, 60), np.uint8), 0, 0, "board")
    return canvas, {name: _there(owners, boxes[name], place, name) for name, place in places.items()}


def _place(name: str, t: int) -> tuple[int, int] | None:
    for way in WAYS[name]:
        if way[0][0] <= t <= way[-1][0] or (way is WAYS[name][-1] and t >= way[0][0]):
            times, xs, ys = zip(*way, strict=True)
            return round(float(np.interp(t, times, xs))), round(float(np.interp(t, times, ys)))
    return None


def _lay(canvas: np.ndarray, owners: np.ndarray, picture: np.ndarray, x: int, y: int, name: str) -> None:
    x0, y0, x1, y1 = max(0, x), max(0, y), min(WIDTH, x + picture.shape[1]), min(HEIGHT, y + picture.shape[0])
    if x1 > x0 and y1 > y0:
        canvas[y0:y1, x0:x1] = picture[y0 - y : y1 - y, x0 - x : x1 - x]
        owners[y0:y1, x0:x1] = name


def _there(owners: np.ndarray, box: np.ndarray, place: tuple[int, int], name: str) -> There:
    x0, y0, x1, y1 = np.rint(box + np.array([*place, *place])).astype(int)
    seen = owners[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] == name
    return There(np.array([x0 + x1, y0 + y1]) / 2, float(x1 - x0), float(seen.sum() / ((x1 - x0) * (y1 - y0))))


def lies_on(face: Face, truth: dict[str, There]) -> str | None:
    """Return whose face one is: of whoever is in sight nearest to it."""
    middle = (face.box[:2] + face.box[2:]) / 2
    away = {
        name: float(np.linalg.norm(there.middle - middle)) / there.width
        for name, there in truth.items()
        if there.share > HIDDEN
    }
    nearest = min(away, key=lambda name: away[name], default=None)
    return nearest if nearest is not None and away[nearest] < 0.5 else None


def right_share(located: Iterable[Located], truth: list[dict[str, There]], roles: list[str]) -> float:
    """Return the share of faces in sight of those in `roles` that get the face of their role, and no other."""
    right = [_is_right(each, truth[each.frame.index], name, roles) for each, name in _wanted(located, truth, roles)]
    return float(np.mean(right))


def _wanted(
    located: Iterable[Located], truth: list[dict[str, There]], roles: list[str]
) -> Iterator[tuple[Located, str]]:
    for each in located:
        for name, there in truth[each.frame.index].items():
            if name in roles and there.share >= SEEN:
                yield each, name


def _is_right(located: Located, truth: dict[str, There], name: str, roles: list[str]) -> bool:
    given = [roles[face.role] for face in located.faces if lies_on(face, truth) == name]
    return given == [name]


def wrong_faces(located: Iterable[Located], truth: list[dict[str, There]], roles: list[str]) -> int:
    """Count the faces that are given a face meant for somebody else, or are nobody's."""
    return sum(lies_on(face, truth[each.frame.index]) != roles[face.role] for each in located for face in each.faces)


def switches(located: Iterable[Located], truth: list[dict[str, There]]) -> int:
    """Count how often a track goes over from one person to another."""
    ways: dict[int, list[str]] = {}
    for each in located:
        for face in each.faces:
            name = lies_on(face, truth[each.frame.index])
            if name is not None:
                ways.setdefault(face.track, []).append(name)
    return sum(one != other for way in ways.values() for one, other in pairwise(way))
