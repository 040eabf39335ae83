"""Go through a target and its swap side by side and note what the judges see, frame by frame.

The face that counts is the largest of the target's frame; in the swap it is the one found in the same place. A photo is
a clip of one frame. Only numbers are kept, so memory does not depend on the pictures.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path

import av
import cv2
import numpy as np

from ..errors import NoFaceError, UsageError
from ..media.orientation import Orientation
from ..media.photo import read_photo
from ..media.planes import layout_of, samples_of
from ..media.probe import open_container
from ..media.reader import open_clip
from ..media.sniff import kind_of
from ..stages.align import crop_face, inverse, similarity, transform, warp
from ..stages.detect import Detect
from ..stages.doubles import overlap
from ..stages.views import Views
from ..stages.watch import Watch
from ..types import Face, Frame
from .judges import MESH_POINTS, Judges
from .measures import motion, motion_error, pop, squared_error
from .options import Span

CROP_TEMPLATE, CROP_SIZE = "simswap-frontal", 256  # what self-swap PSNR and flicker are measured in
FLICKER_SIZE = 128
POP_FRAMES = 3  # within so many frames what comes, goes or changes pops
THUMBNAIL_SIZE, THUMBNAIL_SHARE = 160, 1.7
PHOTO_VIEWS = Views((640, 320, 128))  # of a source photo: the last one finds tight portraits
SAME_PLACE = 0.3  # overlap (IoU) from which the swap's face is the target's
OUTSIDE_MARGIN = 4  # pixels around a face's rectangle that belong to it: chroma is shared by neighbours


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """What was seen in a photo of one person; NaN from a judge that is not there."""

    embedding: np.ndarray  # (D,)
    descriptor: np.ndarray  # (128,), dlib's
    size: float  # shorter side of the face's box, pixels
    thumbnail: np.ndarray  # (160, 160, 3)


@dataclass(slots=True, eq=False)
class Seen:
    """What was seen in the frames judged; a row of NaN where there was no face."""

    path: Path
    frames: int = 0  # all frames, judged or not
    faces: list[tuple[Face, ...]] = field(default_factory=list)  # the largest first
    embeddings: list[np.ndarray] = field(default_factory=list)  # (D,) each
    descriptors: list[np.ndarray] = field(default_factory=list)  # (128,) each, dlib's
    angles: list[np.ndarray] = field(default_factory=list)  # (3,) each
    meshes: list[np.ndarray] = field(default_factory=list)  # (468, 2) each
    irises: list[np.ndarray] = field(default_factory=list)  # (2, 2) each, in the target's eyes


@dataclass(slots=True, eq=False)
class Compared:
    """What was seen in a swap, beside its target."""

    seen: Seen
    timestamps_equal: bool = True
    crop_errors: list[float] = field(default_factory=list)  # mean squared, in the face's crop
    outside_errors: list[float] = field(default_factory=list)  # mean squared, outside all faces
    flicker: list[tuple[float, float]] = field(default_factory=list)  # motion error of target and swap
    pops: list[float] = field(default_factory=list)  # levels by which a block of the swap changed more than the target
    thumbnails: tuple[np.ndarray, np.ndarray] | None = None  # target and swap at one moment


class Examiner:
    """Shows frames to the judges."""

    def __init__(self, judges: Judges, detector: Detect) -> None:
        self.judges = judges
        self.detector = detector

    def source(self, path: Path) -> Portrait:
        """Look at a photo's largest face; raise UsageError for a clip, NoFaceError where there is none."""
        if kind_of(path) == "clip":
            raise UsageError(f"source {path.name} is a clip: give a photo of the person, or save one of its pictures")
        rgb = read_photo(path).frame.rgb
        faces = self.detector.detect(rgb, PHOTO_VIEWS)
        if not faces:
            raise NoFaceError(f"no face found in source {path.name}: give a sharp, well lit portrait")
        return Portrait(*self._embed(rgb, faces[0]), shorter_side(faces[0]), thumbnail(rgb, faces[0]))

    def target(self, path: Path, span: Span) -> Seen:
        """Look at an unswapped photo or clip."""
        seen, watch = Seen(path), Watch(self.detector)
        for frame in read(path, span):
            seen.frames += 1
            if frame.index % span.every == 0:
                faces = tuple(watch.find(frame.rgb))
                self.note(seen, frame.rgb, faces, faces[0] if faces else None)
        if not any(seen.faces):
            raise NoFaceError(f"no face found in target {path.name}: there is nothing to judge")
        return seen

    def compare(self, target: Seen, result: Path, span: Span) -> Compared:
        """Look at a swap of `target`; raise UsageError when it is not as long."""
        compared = Compared(Seen(result))
        pair = _Pair(self, target, compared, _orientation(target.path))
        for one, other in zip_longest(read(target.path, span), read(result, Span())):
            if one is None or other is None:
                raise UsageError(_other_length(target, result))
            if one.rgb.shape != other.rgb.shape:
                raise UsageError(f"{result.name} is {_size(other)}, its target {target.path.name} {_size(one)}")
            compared.seen.frames += 1
            if one.index % span.every == 0:
                pair.judge(one, other, span.every == 1)
        compared.timestamps_equal = pair.timestamps_equal()
        return compared

    def note(
        self, seen: Seen, rgb: np.ndarray, faces: tuple[Face, ...], square: Face | None, eyes: np.ndarray | None = None
    ) -> None:
        """Note a frame: identity by the face's own points, pose and mesh in the target's square, gaze in its eyes.

        `eyes` is the target's mesh; None where this is the target.
        """
        judges, own = self.judges, faces[0] if faces else square
        seen.faces.append(faces)
        embedding, descriptor = self._embed(rgb, own)
        seen.embeddings.append(embedding)
        seen.descriptors.append(descriptor)
        seen.angles.append(judges.pose.angles(rgb, square) if square and judges.pose else np.full(3, np.nan))
        seen.meshes.append(
            judges.mesh.points(rgb, square) if square and judges.mesh else np.full((MESH_POINTS, 2), np.nan)
        )
        mesh = seen.meshes[-1] if eyes is None else eyes
        seen.irises.append(
            judges.gaze.irises(rgb, mesh) if judges.gaze and np.isfinite(mesh).all() else np.full((2, 2), np.nan)
        )

    def _embed(self, rgb: np.ndarray, face: Face | None) -> tuple[np.ndarray, np.ndarray]:
        """Return what either judge of identity makes of a face, (1,) NaN without it or its judge."""
        judges = self.judges.face, self.judges.dlib
        one, other = (judge.embed(rgb, face) if judge and face else np.full(1, np.nan, np.float32) for judge in judges)
        return one, other


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """A frame of the target and of the swap, and the target's face there."""

    target: np.ndarray  # (H, W, 3)
    swap: np.ndarray
    face: Face

    def crops(self) -> tuple[np.ndarray, np.ndarray]:
        """Cut both to the face, small."""
        to_crop, size = similarity(self.face.points, CROP_TEMPLATE, FLICKER_SIZE), (FLICKER_SIZE,) * 2
        return (
            warp(self.target, to_crop, size, cv2.BORDER_REFLECT_101),
            warp(self.swap, to_crop, size, cv2.BORDER_REFLECT_101),
        )


class _Pair:
    """One target and one swap on their way."""

    def __init__(self, examiner: Examiner, target: Seen, compared: Compared, orientation: Orientation) -> None:
        self._examiner, self._target, self._compared = examiner, target, compared
        self._orientation = orientation
        self._watch = Watch(examiner.detector)
        self._times: list[tuple[Fraction, Fraction]] = []
        self._before = deque[_Moment](maxlen=POP_FRAMES)  # the last that showed the face
        self._middle = sum(map(bool, target.faces)) // 2

    def judge(self, one: Frame, other: Frame, consecutive: bool) -> None:
        """Judge one pair of frames."""
        index = len(self._compared.seen.faces)
        faces, eyes = self._target.faces[index], self._target.meshes[index]
        found = self._watch.find(other.rgb)
        own = in_its_place(found, faces[0]) if faces else ()
        self._times.append((one.time, other.time))
        self._examiner.note(self._compared.seen, other.rgb, own, faces[0] if faces else None, eyes)
        if not faces:
            self._before.clear()
            return
        self._compare_pixels(one, other, faces)
        now = _Moment(one.rgb, other.rgb, faces[0])
        if consecutive and self._before:
            self._compared.flicker.append(_flicker(replace(self._before[-1], face=now.face), now))
        if consecutive and len(self._before) == POP_FRAMES:
            self._compared.pops.append(pop(*_along(self._before[0], now)))
        self._before.append(now)

    def timestamps_equal(self) -> bool:
        """Tell whether every frame lies as far behind the first one as its target's frame does."""
        first = self._times[0]
        return all(one - first[0] == other - first[1] for one, other in self._times)

    def _compare_pixels(self, one: Frame, other: Frame, faces: tuple[Face, ...]) -> None:
        crops = [crop_face(frame.rgb, faces[0], CROP_TEMPLATE, CROP_SIZE).image for frame in (one, other)]
        self._compared.crop_errors.append(squared_error(*crops))
        stored = self._orientation.to_stored(outside(one.rgb.shape, faces))
        self._compared.outside_errors.append(sample_error(one.picture, other.picture, stored))
        if len(self._compared.crop_errors) == self._middle + 1:
            self._compared.thumbnails = (thumbnail(one.rgb, faces[0]), thumbnail(other.rgb, faces[0]))


def read(path: Path, span: Span) -> Iterator[Frame]:
    """Yield the frames of a photo or clip."""
    if kind_of(path) == "photo":
        yield read_photo(path).frame
        return
    with open_clip(path) as clip:
        yield from clip.frames(span.start, span.end)


def sound_equal(target: Path, result: Path, whole: bool = True) -> bool | None:
    """Tell whether the result's sound packets are the target's, byte for byte and in order; None for photos.

    Where only a part was swapped, they must be an unbroken run of the target's packets.
    """
    if "photo" in (kind_of(target), kind_of(result)):
        return None
    given, kept = _sound(target), _sound(result)
    if whole or len(given) != len(kept):
        return given == kept
    return all(_is_run(part, of) for part, of in zip(kept, given, strict=True))


def shorter_side(face: Face) -> float:
    """Return the shorter side of a face's box in pixels."""
    return float((face.box[2:] - face.box[:2]).min())


def in_its_place(found: Iterable[Face], face: Face) -> tuple[Face, ...]:
    """Return the faces of a swap that lie where its target's face does."""
    return tuple(each for each in found if overlap(each, face) >= SAME_PLACE)


def outside(shape: tuple[int, ...], faces: tuple[Face, ...]) -> np.ndarray:
    """Return (H, W) bool: pixels outside the upright rectangles around the faces' boxes and crops."""
    mask = np.ones(shape[:2], bool)
    corners = np.array([[0, 0], [CROP_SIZE, 0], [0, CROP_SIZE], [CROP_SIZE, CROP_SIZE]], float)
    for face in faces:
        to_frame = inverse(similarity(face.points, CROP_TEMPLATE, CROP_SIZE))
        placed = np.vstack([transform(corners, to_frame), face.box.reshape(2, 2)])
        x0, y0 = np.maximum(np.floor(placed.min(axis=0)).astype(int) - OUTSIDE_MARGIN, 0)
        x1, y1 = np.maximum(np.ceil(placed.max(axis=0)).astype(int) + OUTSIDE_MARGIN, 0)
        mask[y0:y1, x0:x1] = False
    return mask


def sample_error(one: av.VideoFrame, other: av.VideoFrame, where: np.ndarray) -> float:
    """Return the mean squared difference, in steps of 255, of two pictures' own samples, all planes alike.

    `where` (H, W) bool is in the stored picture. RGB views would make it about twice the error the file has. Pictures
    of two pixel formats are compared in the first one's.
    """
    if other.format.name != one.format.name:
        other = other.reformat(format=one.format.name)
    layout = layout_of(one.format.name)
    if layout is None:
        raise UsageError(f"pictures of the pixel format {one.format.name} cannot be compared")
    total, count = 0.0, 0
    for number, component in enumerate(layout.components):
        chosen = where[:: 1 << component.halvings_y, :: 1 << component.halvings_x]
        samples = [(samples_of(each, layout, number) >> layout.shift).astype(np.float32) for each in (one, other)]
        total += float(np.square(samples[0] - samples[1])[chosen].sum())
        count += int(chosen.sum())
    return total / count * (255 / ((1 << layout.bits) - 1)) ** 2 if count else float("nan")


def thumbnail(rgb: np.ndarray, face: Face, size: int = THUMBNAIL_SIZE, share: float = THUMBNAIL_SHARE) -> np.ndarray:
    """Cut a loose upright square around a face for a contact sheet: `size` pixels show `share` longer sides of it."""
    scale = size / (share * float((face.box[2:] - face.box[:2]).max()))
    corner = (face.box[:2] + face.box[2:]) / 2 * scale - size / 2
    to_crop = np.array([[scale, 0, -corner[0]], [0, scale, -corner[1]]])
    return warp(rgb, to_crop, (size, size), cv2.BORDER_CONSTANT)


def _flicker(before: _Moment, now: _Moment) -> tuple[float, float]:
    """Return the motion error of target and swap in the face's crop, both along the target's motion."""
    first, second, flow = _along(before, now)
    return motion_error(first[0], second[0], flow), motion_error(first[1], second[1], flow)


def _along(
    before: _Moment, now: _Moment
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return target and swap in the face's crop, before and now, and the target's motion from one to the other.

    Each is cut where its own face lies: a flow alone loses a head that moves by a good part of itself.
    """
    first, second = before.crops(), now.crops()
    return first, second, motion(first[0], second[0])


def _orientation(path: Path) -> Orientation:
    if kind_of(path) == "photo":
        return read_photo(path).orientation
    with open_clip(path) as clip:
        return clip.orientation


def _sound(path: Path) -> list[list[bytes]]:
    """Return the digests of the packets of each sound track."""
    with open_container(path) as container:
        tracks: dict[int, list[bytes]] = {stream.index: [] for stream in container.streams.audio}
        streams = list(container.streams.audio)
        for packet in container.demux(streams) if streams else ():
            if packet.size:
                tracks[packet.stream.index].append(hashlib.sha256(bytes(packet)).digest())
    return list(tracks.values())


def _is_run(part: list[bytes], of: list[bytes]) -> bool:
    starts = [index for index, digest in enumerate(of) if part and digest == part[0]]
    return not part or any(of[start : start + len(part)] == part for start in starts)


def _other_length(target: Seen, result: Path) -> str:
    return (
        f"{result.name} has not the {target.frames} frames of its target {target.path.name}: it is no swap of it "
        f"(for a swap of a part, give the same --start and --end)"
    )


def _size(frame: Frame) -> str:
    return f"{frame.rgb.shape[1]}x{frame.rgb.shape[0]}"
