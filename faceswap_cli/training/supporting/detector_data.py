"""Pictures and clip frames with the faces a teacher sees in them, found once and kept.

Every picture below a data folder is read, labelled by YuNet at its own resolution, shrunk until its shorter side is at
most PICTURE pixels and kept as uint8. Clips give one frame in FRAME_STEP. Weak finds are kept too: they are neither
learnt as faces nor as background. OpenSeeFace's network, where it is given, puts the points of larger faces right:
judged by eye, YuNet's are 0.091 of the eyes' distance off, its 0.067.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...errors import UsageError
from ...evaluation.splits import read_identities
from ...media.reader import open_clip
from ...stages.align import crop_face, inverse, transform
from ...types import Face
from ..teachers.openseeface import SIZE, PointsTeacher, five_points
from ..teachers.yunet import YuNet

PICTURE = 400
FRAME_STEP = 10
IMAGES, CLIPS = (".jpg", ".jpeg", ".png"), (".mp4", ".mkv", ".mov", ".webm")
SURE, WEAK = 0.6, 0.35  # teacher's scores: from the first it is a face, from the second perhaps
SAME_FACE = 0.4  # overlap (IoU) from which two finds show one face
SMALLER_SIDE_FOR_SECOND_LOOK = 320
LEAST_CORRECTED = 48.0  # pixels of a face's side from which its points are put right
MOST_CORRECTED = 0.12  # share of that side by which points may move in the mean: beyond, the network lost the face


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures of many sizes with their faces."""

    people: np.ndarray  # (N,) text: the person, or the clip, that decides what is held out
    images: list[np.ndarray]  # N of (H, W, 3), or (H, W) where the picture is grey, uint8 RGB
    faces: list[np.ndarray]  # N of (F, 15) float32: box x0 y0 x1 y1, five points x y, score; pixels of the image

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> "Pictures":
        """Return the given rows."""
        return Pictures(self.people[rows], [self.images[row] for row in rows], [self.faces[row] for row in rows])


def load_pictures(folders: tuple[Path, ...], teacher: Path, cache: Path, landmarks: Path | None = None) -> Pictures:
    """Read and label all pictures and clips below the folders, from `cache` (.npz) where it was made of just these.

    `teacher` is a YuNet, `landmarks` OpenSeeFace's network.
    """
    files = [(folder, path) for folder in folders for path in sorted(folder.rglob("*")) if _is_wanted(path)]
    if not files:
        raise UsageError(f"no pictures and no clips in {', '.join(map(str, folders))}: see --data")
    names = np.array([str(path.relative_to(folder)) for folder, path in files])
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as kept:
            if np.array_equal(kept["files"], names) and kept["corrected"] == (landmarks is not None):
                return _unpack(kept)
    points = None if landmarks is None else PointsTeacher(landmarks)
    pictures = _label_all(files, YuNet(teacher, threshold=WEAK), points)
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_name(f"{cache.stem}.part.npz")
    arrays: dict[str, Any] = {"files": names, "corrected": np.array(landmarks is not None)} | _pack(pictures)
    np.savez(partial, **arrays)
    partial.replace(cache)
    return pictures


def find_all(rgb: np.ndarray, teacher: YuNet) -> np.ndarray:
    """Return (F, 15) of all faces, best first: a coarse look with a border for large ones, a fine one for the rest."""
    found = teacher.find(rgb, min(256, 2 * max(rgb.shape[:2])), border=1 / 6)
    if min(rgb.shape[:2]) >= SMALLER_SIDE_FOR_SECOND_LOOK:
        found = np.concatenate([found, teacher.find(rgb, 640)])
    kept: list[np.ndarray] = []
    for face in found[np.argsort(-found[:, 14], kind="stable")]:
        if not kept or overlaps(face[None, :4], np.stack(kept)[:, :4]).max() < SAME_FACE:
            kept.append(face)
    return np.stack(kept) if kept else np.zeros((0, 15), np.float32)


def correct_points(rgb: np.ndarray, faces: np.ndarray, teacher: PointsTeacher) -> np.ndarray:
    """Return faces (F, 15) with the five points of the large ones where OpenSeeFace's network sees them."""
    faces = faces.copy()
    for face in faces:
        side = float(np.sqrt(np.prod(face[2:4] - face[:2])))
        if side < LEAST_CORRECTED:
            continue
        crop = crop_face(rgb, Face(face[:4], face[4:14].reshape(5, 2), float(face[14])), teacher.template, SIZE)
        points = transform(five_points(teacher.points(crop.image)) * SIZE - 0.5, inverse(crop.to_crop))
        if np.linalg.norm(points - face[4:14].reshape(5, 2), axis=1).mean() <= MOST_CORRECTED * side:
            face[4:14] = points.ravel()
    return faces


def overlaps(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the intersection over union (N, M) of boxes (N, 4) with boxes (M, 4)."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(2)
    areas = [np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(1) for boxes in (one, other)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-6)


def _is_wanted(path: Path) -> bool:
    return path.suffix.lower() in (*IMAGES, *CLIPS) and path.parent.name != "masks" and path.is_file()


def _label_all(files: list[tuple[Path, Path]], teacher: YuNet, points: PointsTeacher | None) -> Pictures:
    """Label what is not grey throughout in colour, and drop pictures that cannot be read or are empty."""
    people, images, faces = [], [], []
    tables = {folder: read_identities(folder) for folder, _ in files}
    for folder, path in files:
        person = _person(path.relative_to(folder), tables[folder])
        for rgb in _read(path):
            faces_here = find_all(rgb, teacher)
            if points is not None:
                faces_here = correct_points(rgb, faces_here, points)
            image, found = _shrink(rgb, faces_here)
            if len(found) and found[0, 14] >= SURE:
                people.append(person)
                images.append(image)
                faces.append(found)
    if not images:
        raise UsageError(f"the teacher finds no face in {len(files)} files: is it a YuNet?")
    return Pictures(np.array(people), images, faces)


def _read(path: Path) -> Iterator[np.ndarray]:
    """Yield a picture, or some frames of a clip, as RGB (H, W, 3)."""
    if path.suffix.lower() in IMAGES:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is not None:
            yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return
    with open_clip(path) as clip:
        for number, frame in enumerate(clip.frames()):
            if number % FRAME_STEP == 0:
                yield frame.rgb


def _shrink(rgb: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = min(1.0, PICTURE / min(rgb.shape[:2]))
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if np.abs(small[::4, ::4].astype(np.int16) - small[::4, ::4, :1]).max() < 12:
        small = small[..., 1]
    faces = faces.copy()
    faces[:, :14] *= scale
    return np.ascontiguousarray(small), faces


def _person(path: Path, table: dict[str, str]) -> str:
    """Name who is shown: by the table, else by the folder, else by the file."""
    within = path.relative_to("images") if path.parts[0] == "images" else path
    own = path.stem if len(within.parts) == 1 else within.parts[0]
    return table.get(within.as_posix(), own)


def _pack(pictures: Pictures) -> dict[str, np.ndarray]:
    """Lay pictures of many sizes into a few flat arrays."""
    shapes = [(*image.shape, 1)[:3] for image in pictures.images]
    return {
        "people": pictures.people,
        "shapes": np.array(shapes, np.int64),
        "pixels": np.concatenate([image.ravel() for image in pictures.images]),
        "counts": np.array([len(faces) for faces in pictures.faces], np.int64),
        "faces": np.concatenate(pictures.faces),
    }


def _unpack(kept: np.lib.npyio.NpzFile) -> Pictures:
    shapes, pixels = kept["shapes"], kept["pixels"]
    ends = np.cumsum(shapes.prod(1))
    images = [
        pixels[end - shape.prod() : end].reshape(shape if shape[2] == 3 else shape[:2])
        for end, shape in zip(ends, shapes, strict=True)
    ]
    return Pictures(kept["people"], images, np.split(kept["faces"], np.cumsum(kept["counts"])[:-1]))
