"""Tiles the detector learns from: faces of every size, pasted into each other's pictures and onto face-free ones.

A tile is composed anew each time from a seed. Every face of a pasted picture is labelled by how much of it can be seen:
a face, something to leave alone, or nothing. Boxes are x0, y0, x1, y1; points left eye, right eye, nose, mouth corners
as seen in the tile; all in pixels of the tile.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from ..data.degrade import degrade, through_jpeg
from ..data.occluders import occlude
from .detector_data import SURE, Pictures

MIRRORED = (1, 0, 2, 4, 3)
VISIBLE, PERHAPS = 0.5, 0.2  # share of the box: from the first it is a face, from the second it is left alone
SMALLEST = 12.0  # pixels: a smaller face is left alone
SMALLEST_DEGRADED = 40.0  # pixels: blur of the whole tile would wipe out a smaller face
COUNTS = (0.2, 0.32, 0.19, 0.13, 0.09, 0.07)  # probability of 0, 1 ... 5 pasted pictures
COVERED = 0.4  # probability that the first of them fills the tile
CLEAR = 0.15  # share of a face's side kept between it and what counts as beside it
TEXTURE_SCALES = 0.6, 2.2  # size of what is no face against that of its picture
LEAST_CUT = 72  # pixels: a shorter side shows too little


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A picture to learn from and what is in it."""

    image: np.ndarray  # (S, S, 3) uint8 RGB
    boxes: np.ndarray  # (F, 4) float32
    points: np.ndarray  # (F, 5, 2) float32
    certain: np.ndarray  # (F,) bool; False: neither a face nor background


@dataclass(slots=True, eq=False)
class _Canvas:
    """A tile being painted."""

    image: np.ndarray
    owner: np.ndarray  # (S, S) int16: number of the paste that shows at a pixel, -1 background
    faces: list[tuple[int, np.ndarray]]  # number of the paste, and (15,) as in Pictures.faces


def training_tile(pictures: Pictures, size: int, rng: Generator, textures: list[np.ndarray]) -> Tile:
    """Compose a tile of `size` pixels a side."""
    canvas = _Canvas(_background(size, rng, textures), np.full((size, size), -1, np.int16), [])
    count = int(rng.choice(len(COUNTS), p=COUNTS))
    covered = count > 0 and rng.random() < COVERED
    if covered:
        _cover_with_picture(canvas, 0, pictures, rng)
    for number in range(covered, count):
        _paste(canvas, number, pictures, rng, largest=(0.95, 0.6, 0.45, 0.4, 0.35)[count - 1])
    _cover_some(canvas, rng, textures)
    tile = _label(canvas)
    return Tile(_film(tile, rng), tile.boxes, tile.points, tile.certain)


def cuts_beside_faces(pictures: Pictures) -> list[np.ndarray]:
    """Return the parts of pictures in colour left of, right of and below all faces: clothes, hair, hands, rooms."""
    cuts = []
    for picture, faces in zip(pictures.images, pictures.faces, strict=True):
        if picture.ndim < 3:
            continue
        clear = CLEAR * float(np.sqrt(np.prod(faces[:, 2:4] - faces[:, :2], axis=1)).max())
        x0, x1, y1 = (float(edge) for edge in (faces[:, 0].min(), faces[:, 2].max(), faces[:, 3].max()))
        left, right, bottom = max(0, int(x0 - clear)), int(x1 + clear), int(y1 + 2 * clear)  # the chin reaches out
        parts = picture[:, :left], picture[:, right:], picture[bottom:]
        cuts += [np.ascontiguousarray(part) for part in parts if min(part.shape[:2]) >= LEAST_CUT]
    return cuts


def _background(size: int, rng: Generator, textures: list[np.ndarray]) -> np.ndarray:
    if not textures or rng.random() < 0.15:
        coarse = rng.uniform(0, 255, (int(rng.integers(1, 5)), int(rng.integers(1, 5)), 3)).astype(np.float32)
        return np.clip(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
    texture = np.rot90(textures[rng.integers(len(textures))], int(rng.integers(4)))
    scale = float(np.exp(rng.uniform(*np.log(TEXTURE_SCALES))))
    spare = np.array(texture.shape[1::-1]) * scale - size
    place = rng.uniform(np.minimum(-spare, 0), np.maximum(-spare, 0))  # what is too small is mirrored at its edges
    matrix = np.column_stack([np.eye(2) * scale, place])
    return cv2.warpAffine(np.ascontiguousarray(texture), matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)


def _paste(canvas: _Canvas, number: int, pictures: Pictures, rng: Generator, largest: float) -> None:
    """Put one picture, or the surroundings of one of its faces, anywhere into the tile at any size."""
    row = int(rng.integers(len(pictures)))
    picture, faces = pictures.images[row], pictures.faces[row]
    chosen = faces[0] if rng.random() < 0.8 else faces[rng.integers(len(faces))]
    size = canvas.image.shape[0]
    wanted = float(np.exp(rng.uniform(np.log(14), np.log(largest * size))))
    scale = min(wanted / _side(chosen), 3.0)
    place = rng.uniform(-0.02, 1.02, 2) * size
    if canvas.faces and _crowded(canvas, place, _side(chosen) * scale):
        return
    to_tile, mirror = _matrix(chosen, scale, place, rng)
    corners = _extent(chosen, picture.shape, rng)
    soft = _side(chosen) * scale * rng.uniform(0.05, 0.35) if rng.random() < 0.5 else 0.0
    if _lay(canvas, number, (picture, corners, to_tile), (rng, soft)):
        canvas.faces += [(number, _move(face, to_tile, mirror)) for face in faces]


def _cover_with_picture(canvas: _Canvas, number: int, pictures: Pictures, rng: Generator) -> None:
    """Let one picture fill the tile: a face where a camera saw it."""
    row, size = int(rng.integers(len(pictures))), canvas.image.shape[0]
    picture, faces = pictures.images[row], pictures.faces[row]
    extent = np.array([picture.shape[1], picture.shape[0]], np.float64)
    scale = size / extent.min() * rng.uniform(0.95, 1.6)
    spare = extent * scale - size
    place = (faces[0][:2] + faces[0][2:4]) / 2 * scale - spare * rng.uniform(0, 1, 2)
    to_tile, mirror = _matrix(faces[0], scale, place, rng)
    corners = np.array([(0, 0), (extent[0], 0), extent, (0, extent[1])])
    if _lay(canvas, number, (picture, corners, to_tile), (rng, 0.0)):
        canvas.faces += [(number, _move(face, to_tile, mirror)) for face in faces]


def _lay(
    canvas: _Canvas,
    number: int,
    what: tuple[np.ndarray, np.ndarray, np.ndarray],
    how: tuple[Generator, float],
) -> bool:
    """Blend a picture, within its corners, by its matrix, with a border so soft (pixels); tell whether it shows."""
    (picture, corners, to_tile), (rng, soft) = what, how
    region = _region(corners, to_tile, canvas.image.shape[0])
    if region is None:
        return False
    x0, y0, x1, y1 = region
    patch, weight = _warped(picture, corners, to_tile, region)
    if soft:
        weight = _feather(weight, soft)
    if rng.random() < 0.25:
        patch = degrade(patch, rng, 0.6)
    below = canvas.image[y0:y1, x0:x1]
    below[:] = cv2.blendLinear(patch, np.ascontiguousarray(below), weight, 1 - weight)
    canvas.owner[y0:y1, x0:x1][weight > 0.5] = number
    return True


def _matrix(face: np.ndarray, scale: float, place: np.ndarray, rng: Generator) -> tuple[np.ndarray, bool]:
    """Return the matrix (2, 3) that brings the face's middle to `place`, turned, and whether it mirrors."""
    angle = np.radians(rng.uniform(-60, 60) if rng.random() < 0.12 else rng.normal(0, 12))
    mirror = bool(rng.random() < 0.5)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirror:
        turn = turn @ np.diag([-1.0, 1.0])
    middle = (face[:2] + face[2:4]) / 2
    return np.column_stack([turn, place - turn @ middle]), mirror


def _extent(face: np.ndarray, shape: tuple[int, ...], rng: Generator) -> np.ndarray:
    """Return the corner points (4, 2) of what is pasted: all of the picture, or some of it around the face."""
    low, high = np.zeros(2), np.array([shape[1], shape[0]], np.float64)
    if rng.random() < 0.45:
        margin = (face[2:4] - face[:2]) * rng.uniform(0.15, 0.9, 2)
        low, high = np.maximum(low, face[:2] - margin), np.minimum(high, face[2:4] + margin)
    return np.array([low, (high[0], low[1]), high, (low[0], high[1])])


def _region(corners: np.ndarray, to_tile: np.ndarray, size: int) -> tuple[int, int, int, int] | None:
    """Return the rectangle of the tile that the corners reach, None if it is next to nothing."""
    moved = corners @ to_tile[:, :2].T + to_tile[:, 2]
    x0, y0 = np.clip(np.floor(moved.min(0)), 0, size).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(moved.max(0)), 0, size).astype(int).tolist()
    return (x0, y0, x1, y1) if x1 - x0 >= 4 and y1 - y0 >= 4 else None


def _warped(
    picture: np.ndarray, corners: np.ndarray, to_tile: np.ndarray, region: tuple[int, int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Resample the picture into the region; return it and where it lies, float32 in [0, 1]."""
    x0, y0, x1, y1 = region
    matrix = to_tile.copy()
    matrix[:, 2] -= (x0, y0)
    outline = (corners @ matrix[:, :2].T + matrix[:, 2]).round().astype(np.int32)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.6:  # average first: a bilinear warp would skip pixels
        shrink = max(scale * 1.3, 4 / min(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        ratio = np.array([picture.shape[1] / small.shape[1], picture.shape[0] / small.shape[0]])
        matrix[:, 2] += matrix[:, :2] @ (ratio / 2 - 0.5)  # the centre of a pixel is the centre of those it averages
        matrix[:, :2] *= ratio
        picture = small
    patch = cv2.warpAffine(picture, matrix, (x1 - x0, y1 - y0), borderMode=cv2.BORDER_REPLICATE)
    weight = np.zeros((y1 - y0, x1 - x0), np.float32)
    cv2.fillConvexPoly(weight, outline, 1.0)
    return patch if patch.ndim == 3 else cv2.merge([patch] * 3), weight


def _feather(weight: np.ndarray, pixels: float) -> np.ndarray:
    """Soften the border inwards, so that a pasted picture is not known by its edge."""
    reach = max(3, int(pixels)) | 1
    inner = cv2.copyMakeBorder(weight, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    inner = cv2.blur(cv2.erode(inner, np.ones((reach // 2 | 1,) * 2, np.uint8)), (reach, reach))
    return np.minimum(weight, inner[reach:-reach, reach:-reach])


def _move(face: np.ndarray, to_tile: np.ndarray, mirror: bool) -> np.ndarray:
    """Return the face where it lies in the tile; its turned box bounds the ellipse in the old one."""
    points = face[4:14].reshape(5, 2) @ to_tile[:, :2].T + to_tile[:, 2]
    if mirror:
        points = points[list(MIRRORED)]
    half = np.sqrt((to_tile[:, :2] ** 2) @ ((face[2:4] - face[:2]) / 2) ** 2)
    middle = to_tile[:, :2] @ ((face[:2] + face[2:4]) / 2) + to_tile[:, 2]
    return np.concatenate([middle - half, middle + half, points.ravel(), face[14:]]).astype(np.float32)


def _crowded(canvas: _Canvas, place: np.ndarray, side: float) -> bool:
    """Tell whether a face there would hide another."""
    for _, face in canvas.faces:
        middle = (face[:2] + face[2:4]) / 2
        if np.abs(middle - place).max() < 0.6 * (side + _side(face)) / 2 + 2:
            return True
    return False


def _cover_some(canvas: _Canvas, rng: Generator, textures: list[np.ndarray]) -> None:
    """Hold a hand, an object, a stick or words before some of the larger faces: they stay faces."""
    size = canvas.image.shape[0]
    for _, face in canvas.faces:
        if _side(face) < 28 or rng.random() > 0.2:
            continue
        x0, y0 = np.clip(face[:2], 0, size).astype(int).tolist()
        x1, y1 = np.clip(face[2:4], 0, size).astype(int).tolist()
        if min(x1 - x0, y1 - y0) < 20:
            continue
        part = np.ascontiguousarray(canvas.image[y0:y1, x0:x1])
        covered, hidden = occlude(part, rng, part.reshape(-1, 3).mean(0), textures)
        if (hidden > 127).mean() < 0.4:
            canvas.image[y0:y1, x0:x1] = covered


def _label(canvas: _Canvas) -> Tile:
    """Keep the faces that can be seen, leave alone those that hardly can."""
    kept, certain = [], []
    for number, face in canvas.faces:
        seen = _visible(canvas.owner, number, face)
        if seen < PERHAPS:
            continue
        kept.append(face)
        certain.append(seen >= VISIBLE and face[14] >= SURE and _side(face) >= SMALLEST)
    rows = np.stack(kept) if kept else np.zeros((0, 15), np.float32)
    return Tile(canvas.image, rows[:, :4], rows[:, 4:14].reshape(-1, 5, 2), np.array(certain, bool))


def _visible(owner: np.ndarray, number: int, face: np.ndarray) -> float:
    """Return the share of a face's box that lies in the tile and was not pasted over."""
    x0, y0 = np.maximum(face[:2].round(), 0).astype(int).tolist()
    x1, y1 = np.maximum(face[2:4].round(), 0).astype(int).tolist()
    area = max(float(np.prod(face[2:4] - face[:2])), 1.0)
    return float((owner[y0:y1, x0:x1] == number).sum()) / area


def _film(tile: Tile, rng: Generator) -> np.ndarray:
    """Give the whole tile one light and one camera."""
    if all(min(box[2:] - box[:2]) >= SMALLEST_DEGRADED for box in tile.boxes):
        return degrade(tile.image, rng, 0.5)
    image = tile.image
    if rng.random() < 0.5:
        gain, gamma = rng.uniform(0.35, 1.3), rng.uniform(0.7, 1.5)
        curve = 255 * np.linspace(0, 1, 256)[:, None] ** gamma * gain * rng.uniform(0.9, 1.1, 3)
        image = cv2.LUT(image, np.clip(curve, 0, 255).astype(np.uint8)[None])
    if rng.random() < 0.15:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.4:
        image = through_jpeg(image, int(rng.integers(45, 95)))
    return image


def _side(face: np.ndarray) -> float:
    """Return the side of the square as large as the face's box."""
    return float(np.sqrt(np.prod(face[2:4] - face[:2])))
