"""List every face of a photo or clip: where and when it is seen, and who is the same person."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..engines.metadata import read_metadata
from ..engines.select import open_network
from ..media.photo import read_photo
from ..media.reader import open_clip
from ..media.sniff import kind_of
from ..options import Options
from ..portrait.landmarks import LandmarkFinder
from ..stages.detect import Detect, Watch, open_detector
from ..stages.track import Located, Track
from ..store import models
from ..types import Face
from .clips import PHOTO_SIDES, thumbnail
from .judges import FaceJudge
from .turn import turn_seen

SAME_PERSON = 0.35  # cosine of two groups' mean views from which they are taken for one person
MOST_VIEWS = 5  # views of a face that its identity is averaged over
BETTER_VIEW = 1.15  # so many times larger must a view be to be taken as a better one


@dataclass(slots=True, eq=False)
class Appearance:
    """One face for as long as it can be followed; in a photo, one face."""

    number: int  # from 1, in the order of appearance, the largest first
    first: float  # seconds after the clip's first picture
    face: Face  # in its largest view
    tile: np.ndarray  # (160, 160, 3): that view
    last: float = 0.0
    frames: int = 0
    pose: np.ndarray | None = None  # (3,) yaw, pitch and roll in degrees, see `turn_of`; None without points
    person: int | None = None  # from 1; None without an encoder
    views: list[np.ndarray] = field(default_factory=list)  # identities (D,)

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
            "pose": angles and dict(zip(("yaw", "pitch", "roll"), angles, strict=True)),
            "points": [[round(float(x), 1), round(float(y), 1)] for x, y in self.face.points],
            "seconds": [round(self.first, 3), round(self.last, 3)],
            "frames": self.frames,
        }


def list_faces(path: Path, options: Options) -> tuple[list[Appearance], list[str]]:
    """Return every face of a photo or clip and notes for the user; an empty list where there is none."""
    detector, encoder, points = open_detector(options.face_pack, options), _open_encoder(options), _open_points(options)
    found: dict[int, Appearance] = {}
    for located in _located(path, detector, options):
        for face in located.faces:
            if _add(found, located, face, encoder) and points is not None:
                found[face.track].pose = turn_seen(located.frame.rgb, face, points)
    appearances = list(found.values())
    notes = [] if encoder else ["no identity encoder is installed: faces are not grouped by person"]
    notes += [] if points else ["no network for points is installed: how heads are turned is not told"]
    if encoder:
        _group(appearances)
    return appearances, notes


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
        faces = detector.search(frame.rgb) or detector.detect(frame.rgb, PHOTO_SIDES)
        yield from Track(None).follow([(frame, faces)])
        return
    watch = Watch(detector)
    with open_clip(path) as clip:
        zero = round(clip.start_time / clip.time_base)  # which --start and --end count from too
        frames = (replace(each, pts=each.pts - zero) for each in clip.frames(options.start, options.end))
        yield from Track(None).follow((frame, watch.look(frame.rgb)) for frame in frames)


def _add(found: dict[int, Appearance], located: Located, face: Face, encoder: FaceJudge | None) -> bool:
    """Count a sighting, and keep it as a view where it is the best so far; tell whether it is the one shown."""
    rgb, now = located.frame.rgb, float(located.frame.time)
    known = found.get(face.track)
    if known is None:
        known = found[face.track] = Appearance(len(found) + 1, now, face, thumbnail(rgb, face))
    elif face.area > BETTER_VIEW * known.face.area:
        known.face, known.tile = face, thumbnail(rgb, face)
    elif len(known.views) and known.frames % 10:
        encoder = None
    known.last, known.frames = now, known.frames + 1
    if encoder is not None:
        known.views = [*known.views, encoder.embed(rgb, face)][-MOST_VIEWS:]
    return known.face is face


def _group(appearances: list[Appearance]) -> None:
    """Number the persons: the two groups whose views agree most are joined, until none agree enough."""
    groups = [[each] for each in appearances]
    views = np.array([np.sum(each.views, axis=0) for each in appearances])
    apart = np.array([[_seen_together(one, other) for other in appearances] for one in appearances])
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


def _seen_together(one: Appearance, other: Appearance) -> bool:
    """Tell whether two faces are in one picture: then they are two persons."""
    return one.first <= other.last and other.first <= one.last


def _open_encoder(options: Options) -> FaceJudge | None:
    """Open the encoder of the face pack if it has one of ours, else the embedded one if it is there."""
    for path in sorted(options.face_pack.glob("*.onnx")) if options.face_pack is not None else []:
        if read_metadata(path).get("space"):
            return FaceJudge(path, "-1..1", options.threads)
    if not models.is_present(models.entry("encoder")):
        return None
    return FaceJudge(models.locate("encoder"), "-1..1", options.threads)


def _open_points(options: Options) -> LandmarkFinder | None:
    contract = models.entry("points")
    if not models.is_present(contract):
        return None
    return LandmarkFinder(open_network(models.locate("points"), options.device, options.threads), contract)
