"""Made clips with known truth: people who cross, turn over, are covered, cut away from, leave, come back and come late.

Each is a real portrait of somebody no training saw, moved over a wall by a script; 25 frames a second, 4 seconds. A
face's share in sight is that of the ellipse it fills. In a dissolve a face may be of either shot.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from faceswap_cli.evaluation.splits import photos_by_person
from faceswap_cli.options import Options
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.stages.track import Located
from faceswap_cli.types import Face

from .scenes import portrait

RATE, FRAMES = 25, 100
TALL = 104  # pixels of a portrait: its face is 40 to 55 wide
SEEN, HIDDEN = 0.9, 0.3  # shares of a face in sight from which it is to be found, and below which it need not be
NEAR = 0.5  # of a face's width that a box may be beside it and still be of it
WHITE = 255  # levels brighter, by which nothing is to be seen

Way = list[tuple[int, float, float]]  # frame and place of the left and upper edge; straight between


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """Who does what, and what the camera does."""

    ways: Mapping[str, Sequence[Way]]  # one for each stay; those named later stand in front
    first: int  # of the people there are, the one who plays the first of them
    cut: int  # first frame of the second shot
    dissolve: int = 0  # frames before the cut in which the first shot fades into the second one
    board: tuple[int, int, int, int] = (0, 0, 0, 0)  # frames from and to, and x from and to: stands before all
    lit: Mapping[int, int] = field(default_factory=dict)  # levels by which a frame is brighter
    turns: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # frames in which somebody turns over once
    size: tuple[int, int] = (320, 180)


@dataclass(frozen=True, slots=True, eq=False)
class There:
    """Where somebody's face is in a frame."""

    name: str
    middle: np.ndarray  # (2,) x, y
    width: float
    share: float  # of it that is in sight
    shot: int
    weight: float  # of that shot's picture: less than 1 in a dissolve


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A portrait and where the face is in it."""

    picture: np.ndarray
    box: np.ndarray  # (4,)

    def face(self) -> np.ndarray:
        """Return the ellipse the face fills, (H, W), 0 or 1."""
        middle, half = (self.box[:2] + self.box[2:]) / 2, (self.box[2:] - self.box[:2]) / 2
        rows, columns = np.mgrid[: self.picture.shape[0], : self.picture.shape[1]]
        away = ((columns - middle[0]) / half[0]) ** 2 + ((rows - middle[1]) / half[1]) ** 2
        return (away <= 1).astype(np.uint8)

    def middle(self) -> np.ndarray:
        """Return the middle of the face, (3,) for a matrix."""
        return np.array([*(self.box[:2] + self.box[2:]) / 2, 1.0])


USUAL = Script(
    {
        "ben": [
            [(0, 214, 40), (30, 8, 40), (54, 14, 40)],
            [(55, 40, 44), (64, 40, 44), (72, -90, 44)],
            [(82, -90, 44), (90, 36, 44)],
        ],
        "anna": [[(0, 4, 34), (30, 196, 34), (54, 206, 38)], [(76, 330, 50), (88, 222, 50), (99, 222, 46)]],
        "cleo": [[(55, 330, 36), (62, 226, 36), (74, 130, 36), (99, 122, 36)]],
    },
    first=0,
    cut=55,
    board=(37, 49, 0, 96),
)
FAST = Script(
    {  # two pairs cross at once, by a third of a face in a frame; elsewhere behind a dissolve, two cross again
        "dora": [[(0, 6, 10), (12, 6, 10), (32, 366, 14), (54, 360, 14)], [(46, 200, 150), (99, 210, 150)]],
        "emil": [
            [(0, 372, 16), (12, 372, 16), (32, 10, 12), (54, 10, 12)],
            [(66, 490, 12), (74, 380, 12), (99, 372, 12)],
        ],
        "fay": [[(0, 372, 152), (12, 372, 152), (32, 10, 150), (54, 10, 150)], [(46, 10, 14), (99, 14, 18)]],
        "gus": [
            [(0, 6, 150), (12, 6, 150), (32, 368, 150), (54, 368, 150)],
            [(46, 370, 152), (70, 370, 152), (92, 6, 152), (99, 6, 152)],
        ],
    },
    first=2,
    cut=55,
    dissolve=9,
    lit={38: 90, 39: 90, 80: 255, 81: 60},
    size=(480, 270),
)
TURNING = Script(
    {  # two change places behind a board, are cut while they cross, and turn over, one of them on the way
        "hal": [
            [(0, 20, 40), (16, 70, 40), (27, 160, 40), (40, 206, 40), (49, 110, 40)],
            [(50, 104, 44), (60, 220, 44), (99, 200, 44)],
        ],
        "ina": [
            [(0, 206, 34), (16, 160, 34), (27, 70, 34), (40, 20, 34), (49, 100, 34)],
            [(50, 116, 38), (60, 6, 38), (86, 6, 38), (99, 60, 38)],
        ],
    },
    first=4,
    cut=50,
    board=(15, 28, 30, 270),
    turns={"hal": (62, 97), "ina": (54, 99)},
)


@cache
def people(data: Path, script: Script = USUAL) -> dict[str, list[Path]]:
    """Return two photos of each of a script's people, in the order of their names: nobody was trained on them."""
    found = photos_by_person(data / "faces" / "congress", ".", ("tuning",))
    several = [sorted(photos) for _, photos in sorted(found.items()) if len(photos) > 1]
    names = sorted(script.ways)
    return dict(zip(names, several[script.first :: len(several) // len(names)], strict=False))


def crowd(data: Path, script: Script = USUAL) -> tuple[list[np.ndarray], list[list[There]]]:
    """Return the clip's pictures and, for each, who is where."""
    detector = open_detector(None, Options(device="cpu", threads=1))
    pictures = {name: portrait(photos[0], TALL) for name, photos in people(data, script).items()}
    actors = {name: Actor(picture, detector.search(picture)[0].box) for name, picture in pictures.items()}
    frames = [_frame(t, script, actors) for t in range(FRAMES)]
    return [rgb for rgb, _ in frames], [truth for _, truth in frames]


def _frame(t: int, script: Script, actors: Mapping[str, Actor]) -> tuple[np.ndarray, list[There]]:
    """Show a moment: one shot, or two of which one fades into the other, as bright as the light is."""
    second = float(np.clip((t - script.cut + script.dissolve + 1) / (script.dissolve + 1), 0, 1))
    shots = [_shot(t, shot, weight, script, actors) for shot, weight in ((0, 1 - second), (1, second)) if weight > 0]
    canvas, light = np.sum([shown for shown, _ in shots], axis=0), script.lit.get(t, 0)
    truth = [there for _, all_there in shots for there in all_there if light < WHITE]
    return np.clip(np.rint(canvas) + light, 0, 255).astype(np.uint8), truth


def _shot(
    t: int, shot: int, weight: float, script: Script, actors: Mapping[str, Actor]
) -> tuple[np.ndarray, list[There]]:
    rows, columns = np.mgrid[: script.size[1], : script.size[0]]
    wall = (columns // 40 + rows // 30) % 2 * 18 + (150 if shot else 60)
    canvas = np.dstack([wall, wall + 15, wall + 30 * (not shot)]).astype(np.uint8)
    owners = np.full(wall.shape, "", object)
    matrices = {name: matrix for name in script.ways if (matrix := _matrix(name, t, shot, script, actors)) is not None}
    for name, matrix in matrices.items():
        there = _laid(np.ones_like(actors[name].picture[..., 0]), matrix, script).astype(bool)
        canvas[there] = _laid(actors[name].picture, matrix, script)[there]
        owners[there] = name
    begun, ended, x0, x1 = script.board
    if begun <= t < ended:
        canvas[:, x0:x1], owners[:, x0:x1] = (95, 75, 60), "board"
    truth = []
    for name, matrix in matrices.items():
        seen = _seen(owners == name, actors[name], matrix, script)
        width = float(actors[name].box[2] - actors[name].box[0])
        truth.append(There(name, matrix @ actors[name].middle(), width, seen, shot, weight))
    return weight * canvas, truth


def _matrix(name: str, t: int, shot: int, script: Script, actors: Mapping[str, Actor]) -> np.ndarray | None:
    """Return where a portrait is laid, (2, 3), as it is turned, None where they are away."""
    place = _place(script.ways[name], t, shot, script)
    if place is None:
        return None
    begun, ended = script.turns.get(name, (0, 0))
    degrees = 360 * (t - begun) / (ended - begun) if begun <= t < ended else 0.0
    x, y = actors[name].middle()[:2]
    matrix = cv2.getRotationMatrix2D((float(x), float(y)), degrees, 1.0)
    matrix[:, 2] += place
    return matrix


def _place(ways: Sequence[Way], t: int, shot: int, script: Script) -> tuple[int, int] | None:
    in_shot = [way for way in ways if (way[-1][0] >= script.cut) == bool(shot)]
    for way in in_shot:
        if way[0][0] <= t <= way[-1][0] or (way is ways[-1] and t >= way[0][0]):
            times, xs, ys = zip(*way, strict=True)
            return round(float(np.interp(t, times, xs))), round(float(np.interp(t, times, ys)))
    return None


def _laid(picture: np.ndarray, matrix: np.ndarray, script: Script) -> np.ndarray:
    straight = np.array_equal(matrix[:, :2], np.eye(2))
    flags = cv2.INTER_NEAREST if straight or picture.ndim == 2 else cv2.INTER_LINEAR
    return cv2.warpAffine(picture, matrix, script.size, flags=flags, borderMode=cv2.BORDER_CONSTANT)


def _seen(own: np.ndarray, actor: Actor, matrix: np.ndarray, script: Script) -> float:
    """Return the share of somebody's face that is in sight, by the pixels (H, W) that show them."""
    face = actor.face()
    return float((_laid(face, matrix, script).astype(bool) & own).sum() / face.sum())


def lies_on(face: Face, truth: list[There]) -> list[str]:
    """Return whose face one is: of whoever is in sight nearest to it in each shot shown, the clearest first."""
    middle = (face.box[:2] + face.box[2:]) / 2
    whose = []
    for _, shot in sorted({(-there.weight, there.shot) for there in truth}):
        shown = [there for there in truth if there.shot == shot and there.share > HIDDEN]
        away = {there.name: float(np.linalg.norm(there.middle - middle)) / there.width for there in shown}
        nearest = min(away, key=lambda name: away[name], default="")
        whose += [nearest] if nearest and away[nearest] < NEAR else []
    return whose


def right_share(located: Iterable[Located], truth: list[list[There]], roles: list[str]) -> float:
    """Return the share of faces in sight of those in `roles` that get the face of their role, and no other."""
    right = [_is_right(each, truth[each.frame.index], name, roles) for each, name in _wanted(located, truth, roles)]
    return float(np.mean(right))


def _wanted(located: Iterable[Located], truth: list[list[There]], roles: list[str]) -> Iterator[tuple[Located, str]]:
    for each in located:
        for there in truth[each.frame.index]:
            if there.name in roles and there.share * there.weight >= SEEN:
                yield each, there.name


def _is_right(located: Located, truth: list[There], name: str, roles: list[str]) -> bool:
    given = [roles[face.role] for face in located.faces if lies_on(face, truth)[:1] == [name]]
    return given == [name]


def wrong_faces(located: Iterable[Located], truth: list[list[There]], roles: list[str]) -> int:
    """Count the faces that are given a face meant for somebody else, or are nobody's."""
    return sum(
        roles[face.role] not in lies_on(face, truth[each.frame.index]) for each in located for face in each.faces
    )


def switches(located: Iterable[Located], truth: list[list[There]]) -> int:
    """Count how often a track goes over from one person to another, seen outside of dissolves."""
    ways: dict[int, list[str]] = {}
    for each in located:
        for face in each.faces:
            whose = lies_on(face, truth[each.frame.index])
            if len(whose) == 1:
                ways.setdefault(face.track, []).append(whose[0])
    return sum(one != other for way in ways.values() for one, other in pairwise(way))
