"""List every face of a photo or clip: where and when it is seen, and who is the same person."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..engines.metadata import read_metadata
from ..engines.select import open_network
from ..errors import WeightsError
from ..media.photo import read_photo
from ..media.reader import open_clip
from ..media.sniff import kind_of
from ..options import Options
from ..portrait.five_points import LandmarkedDetect
from ..portrait.landmarks import LandmarkFinder, open_landmarks
from ..portrait.quality import Quality
from ..portrait.source import Portraitist
from ..stages.align import transform, warp
from ..stages.detect import Detect, open_detector
from ..stages.merit import merit_of
from ..stages.parse import Parser
from ..stages.track import Located, Track
from ..stages.watch import Watch
from ..store import models
from ..types import Face
from .age_gender import Guess, open_age_gender
from .clips import PHOTO_VIEWS, thumbnail
from .judges import FaceJudge
from .turn import turn_seen

SAME_PERSON = 0.35  # cosine of two groups' mean views from which they are taken for one person
MOST_VIEWS = 5  # views of a face that its identity is averaged over: the best
VIEW_EVERY = 10  # frames between two that are looked at, beside those better than all before
BETTER_VIEW = 1.15  # so many times better, or larger, must a view be to take the place of another
PATH_EVERY = 0.2  # seconds between two places of a face that are noted
SOURCE_SIDE = 448  # pixels: crop in which it is told how well somebody does as a source, `lite`'s
PICTURE_SIDE, PICTURE_SHARE = 512, 2.2  # of somebody's portrait: most pixels a side, and times the face's longer side


@dataclass(slots=True, eq=False)
class Appearance:
    """One face for as long as it can be followed; in a photo, one face."""

    number: int  # from 1, in the order of appearance, the largest first
    first: float  # seconds after the clip's first picture
    face: Face  # in its largest view
    tile: np.ndarray  # (160, 160, 3): that view
    last: float = 0.0
    frames: int = 0
    beside: set[int] = field(default_factory=set)  # numbers of the faces in a picture with it, its own among them
    pose: np.ndarray | None = None  # (3,) yaw, pitch and roll in degrees, see `turn_of`; None without points
    person: int | None = None  # from 1; None without an encoder
    views: list[tuple[float, np.ndarray]] = field(default_factory=list)  # merit and identity (D,), the best first
    path: list[tuple[float, np.ndarray]] = field(default_factory=list)  # seconds and box (4,), now and then
    merit: float = -1.0  # of the view shown in the picture
    picture: bytes = b""  # JPEG: the face with its surroundings where it is seen best
    best_pose: np.ndarray | None = None  # there, as `pose`
    best_face: Face | None = None  # there
    quality: Quality | None = None  # of that view as a source; None without points or parser
    guess: Guess | None = None  # age and gender by that view; None without a face pack that guesses them

    def as_record(self) -> dict[str, Any]:
        """Return what JSON shows: `box` is x0, y0, x1, y1 in pixels of the upright picture."""
        x0, y0, x1, y1 = (round(float(value), 1) for value in self.face.box)
        angles = None if self.pose is None else [round(float(angle), 1) for angle in self.pose]
        return {
            "number": self.number,
            "person": self.person,
            "box": [x0, y0, x1, y1],
            "size": round(min(x1 - x0, y1 - y0), 1),
            "score": round(self.face.score, 3),
            "age": None if self.guess is None else self.guess.age,
            "gender": None if self.guess is None else self.guess.gender,
            "pose": angles and dict(zip(("yaw", "pitch", "roll"), angles, strict=True)),
            "source_quality": None if self.quality is None else self.quality.as_record(),
            "points": [[round(float(x), 1), round(float(y), 1)] for x, y in self.face.points],
            "seconds": [round(self.first, 3), round(self.last, 3)],
            "frames": self.frames,
        }


def list_faces(path: Path, options: Options) -> tuple[list[Appearance], list[str]]:
    """Return every face of a photo or clip and notes for the user; an empty list where there is none."""
    encoder, points = _open_encoder(options), open_landmarks(options)
    detector = open_detector(options.face_pack, options)
    detector = detector if points is None else LandmarkedDetect(detector, points)
    found: dict[int, Appearance] = {}
    for located in _located(path, detector, options):
        for face in located.faces:
            _add(found, located, face)
            _look(found[face.track], located.frame.rgb, face, encoder, points)
        _note_together([found[face.track] for face in located.faces])
    appearances, parser = list(found.values()), _open_parser(options)
    if points is not None and parser is not None:
        portraitist = Portraitist(points, parser, SOURCE_SIDE)
        for each in appearances:
            each.quality = _quality(each, portraitist)
    guesser = open_age_gender(options)
    if guesser is not None:
        for each in appearances:
            each.guess = guesser.guess(*_pictured(each))
    notes = [] if encoder else ["no identity encoder is installed: faces are not grouped by person"]
    notes += [] if points else ["no network for points is installed: how heads are turned is not told"]
    if encoder:
        _group(appearances)
    return appearances, notes


def space_of(options: Options) -> str:
    """Return the space of the identities faces are listed with; raise WeightsError without an encoder."""
    known = _find_encoder(options)
    if known is None:
        raise WeightsError("no identity encoder is installed: nobody can be told from another")
    return known[1]


def sheet_tiles(appearances: list[Appearance]) -> list[np.ndarray]:
    """Return one numbered picture a face."""
    tiles = []
    for each in appearances:
        tile = each.tile.copy()
        text = f"{each.number}" if each.person is None else f"{each.number} P{each.person}"
        for colour, thickness in (((0, 0, 0), 4), ((255, 255, 255), 1)):
            cv2.putText(tile, text, (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, thickness, cv2.LINE_AA)
        tiles.append(tile)
    return tiles


def _located(path: Path, detector: Detect, options: Options) -> Iterator[Located]:
    """Yield the frames with all their faces, numbered by track, their time counted from the first picture."""
    if kind_of(path) == "photo":
        frame = read_photo(path).frame
        faces = detector.search(frame.rgb) or detector.detect(frame.rgb, PHOTO_VIEWS)
        yield from Track(None).follow([(frame, faces)])
        return
    watch = Watch(detector)
    with open_clip(path) as clip:
        frames = clip.frames(options.start, options.end)
        yield from Track(None).follow((frame, watch.find(frame.rgb)) for frame in frames)


def _add(found: dict[int, Appearance], located: Located, face: Face) -> None:
    """Count a sighting, and note where it is."""
    now = float(located.frame.shown)
    known = found.get(face.track)
    if known is None:
        known = found[face.track] = Appearance(len(found) + 1, now, face, np.empty(0))
    known.last, known.frames = now, known.frames + 1
    if len(known.path) > 1 and now - known.path[-2][0] < PATH_EVERY:
        known.path.pop()
    known.path.append((now, face.box))


def _note_together(seen: list[Appearance]) -> None:
    """Note who is in one picture."""
    here = {each.number for each in seen}
    for each in seen:
        each.beside |= here


def _look(
    known: Appearance, rgb: np.ndarray, face: Face, encoder: FaceJudge | None, points: LandmarkFinder | None
) -> None:
    """Keep a view where it is the largest or the best so far, or one is due."""
    merit = merit_of(rgb, face)
    if known.frames == 1 or face.area > BETTER_VIEW * known.face.area:
        known.face, known.tile = face, thumbnail(rgb, face)
        known.pose = None if points is None else turn_seen(rgb, face, points)
    is_better = merit > BETTER_VIEW * known.merit
    if is_better:
        known.merit, known.picture, known.best_face = merit, _picture(rgb, face), face
        known.best_pose = None if points is None else turn_seen(rgb, face, points)
    if encoder is not None and (is_better or known.frames % VIEW_EVERY == 0):
        known.views.append((merit, encoder.embed(rgb, face)))
        known.views = sorted(known.views, key=lambda view: -view[0])[:MOST_VIEWS]


def _picture(rgb: np.ndarray, face: Face) -> bytes:
    """Return a JPEG of a face with its surroundings, no larger than it is; what lies outside is black."""
    matrix, side = _to_picture(face)
    seen = cv2.cvtColor(warp(rgb, matrix, (side, side), cv2.BORDER_CONSTANT), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def _to_picture(face: Face) -> tuple[np.ndarray, int]:
    """Return the matrix (2, 3) from frame pixels to those of a face's picture, and its side."""
    reach = PICTURE_SHARE * float((face.box[2:] - face.box[:2]).max())
    side = max(1, min(PICTURE_SIDE, round(reach)))
    scale, middle = side / reach, (face.box[:2] + face.box[2:]) / 2
    return np.hstack([scale * np.eye(2), (side / 2 - scale * middle)[:, None]]), side


def _quality(known: Appearance, portraitist: Portraitist) -> Quality:
    """Say how well somebody's picture does as a source."""
    assert known.best_face is not None, "a face that was seen has a best view"
    box = known.best_face.box
    return replace(portraitist.quality(*_pictured(known)), size=float(min(box[2:] - box[:2])))


def _pictured(known: Appearance) -> tuple[np.ndarray, Face]:
    """Return somebody's picture (S, S, 3) uint8, and the face in it."""
    face = known.best_face
    assert face is not None, "a face that was seen has a best view"
    matrix, _ = _to_picture(face)
    box, points = (transform(each.reshape(-1, 2), matrix).astype(np.float32) for each in (face.box, face.points))
    bgr = cv2.imdecode(np.frombuffer(known.picture, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(np.asarray(bgr), cv2.COLOR_BGR2RGB), replace(face, box=box.ravel(), points=points)


def _group(appearances: list[Appearance]) -> None:
    """Number the persons: the two groups whose views agree most are joined, until none agree enough."""
    groups = [[each] for each in appearances]
    views = np.array([np.sum([view for _, view in each.views], axis=0) for each in appearances])
    # two faces in one picture are two persons; a face in the gap of another may be that one
    apart = np.array([[other.number in one.beside for other in appearances] for one in appearances])
    while len(groups) > 1:
        units = views / np.maximum(np.linalg.norm(views, axis=1, keepdims=True), 1e-12)
        likeness = np.where(apart, -1.0, units @ units.T)
        one, other = sorted(np.unravel_index(int(likeness.argmax()), likeness.shape))
        if likeness[one, other] < SAME_PERSON:
            break
        groups[one] += groups.pop(other)
        views[one] += views[other]
        apart[one] |= apart[other]
        apart[:, one] |= apart[:, other]
        views = np.delete(views, other, axis=0)
        apart = np.delete(np.delete(apart, other, axis=0), other, axis=1)
    for number, group in enumerate(sorted(groups, key=lambda members: min(each.number for each in members)), 1):
        for each in group:
            each.person = number


def _open_encoder(options: Options) -> FaceJudge | None:
    known = _find_encoder(options)
    return None if known is None else FaceJudge(known[0], "-1..1", options.threads)


def _find_encoder(options: Options) -> tuple[Path, str] | None:
    """Find the encoder of the face pack if it has one of ours, else the embedded one if it is there; with its space."""
    for path in sorted(options.face_pack.glob("*.onnx")) if options.face_pack is not None else []:
        space = read_metadata(path).get("space")
        if space:
            return path, space
    contract = models.entry("encoder")
    return (models.locate("encoder"), contract.space) if models.is_present(contract) else None


def _open_parser(options: Options) -> Parser | None:
    contract = models.entry("parser")
    if not models.is_present(contract):
        return None
    return Parser(open_network(models.locate("parser"), options.device, options.threads), contract)
