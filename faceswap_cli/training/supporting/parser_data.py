"""Faces with a class for every pixel, and the crops the parser learns from.

A data folder holds `images/NAME.jpg`, `masks/NAME.png` in CelebAMask-HQ's 19 colours and `identities.tsv` (image,
identity). All are decoded once, shrunk to PICTURE pixels and kept as uint8; a crop is drawn anew each time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from ...errors import MediaError, UsageError
from ...evaluation.splits import is_held_out, read_identities
from ...stages.align import similarity, warp
from ...stages.parse import GLASSES
from ..data.degrade import degrade
from ..data.eyewear import wear_glasses
from ..data.labels import read_classes
from ..data.occluders import occlude
from ..teachers.yunet import YuNet

PICTURE = 256  # side in pixels at which pictures are kept; a frontal crop covers about 0.85 of it
TEMPLATE = "simswap-frontal"
SKIN = 1
MIRRORED = np.array([0, 1, 3, 2, 5, 4, 6, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18], np.uint8)
RARE = (GLASSES, 18)  # glasses, hat
RIMS, VISIBLE = 0.9, 15.0  # quantile of drawn glasses' pixels that is a rim, grey levels by which it must stand out


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFaces:
    """Pictures that show one face each, with their class maps."""

    names: np.ndarray  # (N,) text, the picture's name without extension
    people: np.ndarray  # (N,) text
    images: np.ndarray  # (N, PICTURE, PICTURE, 3) uint8 RGB
    labels: np.ndarray  # (N, PICTURE, PICTURE) uint8, 0..18
    points: np.ndarray  # (N, 5, 2) float32, pixels of `images`

    def take(self, rows: np.ndarray) -> "LabelledFaces":
        """Return the given rows."""
        return LabelledFaces(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class CropSettings:
    """How a training crop differs from the one the swapper will cut."""

    size: int = 160  # side in pixels
    rotation: float = 12.0  # standard deviation, degrees
    scale: float = 0.16  # standard deviation of the logarithm
    shift: float = 0.05  # standard deviation, share of the side
    glasses: float = 0.3  # probability that glasses are drawn on
    occluder: float = 0.35  # probability of the first one; a second has half of it


def load_labelled(folders: tuple[Path, ...], teacher: Path, cache: Path) -> LabelledFaces:
    """Read every picture that has a mask and a face, from `cache` (.npz) where it holds just these pictures."""
    pairs = [pair for folder in folders for pair in _pairs(folder)]
    if not pairs:
        raise UsageError(f"no images/NAME.jpg with masks/NAME.png in {', '.join(map(str, folders))}: see --data")
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as kept:
            if set(kept["looked_at"]) == {image.stem for image, _, _ in pairs}:
                return LabelledFaces(**{name: kept[name] for name in LabelledFaces.__slots__})
    faces = _decode(pairs, YuNet(teacher))
    cache.parent.mkdir(parents=True, exist_ok=True)
    looked_at = np.array([image.stem for image, _, _ in pairs])
    np.savez(cache, looked_at=looked_at, **{name: getattr(faces, name) for name in LabelledFaces.__slots__})
    return faces


def split_people(people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to learn from and the rows kept back, no person in both; all rows for both if one is empty."""
    away = np.array([is_held_out(person) for person in people.tolist()])
    if away.all() or not away.any():
        return np.arange(len(people)), np.arange(len(people))
    return np.flatnonzero(~away), np.flatnonzero(away)


def plain_crop(faces: LabelledFaces, row: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a face as the swapper does: image (S, S, 3) and class map (S, S), both uint8."""
    return _cut(faces, row, similarity(faces.points[row], TEMPLATE, size), size)


def training_crop(
    faces: LabelledFaces, row: int, settings: CropSettings, rng: Generator, textures: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a face with a wrong box, bad light, a poor camera, glasses and things before it; shapes as `plain_crop`."""
    to_crop = jitter(settings, rng) @ np.vstack([similarity(faces.points[row], TEMPLATE, settings.size), [0, 0, 1]])
    image, label = _cut(faces, row, to_crop[:2], settings.size)
    if rng.random() < 0.5:
        image, label = np.ascontiguousarray(image[:, ::-1]), MIRRORED[label[:, ::-1]]
    seed = int(rng.integers(2**32))
    bare = _filmed(image, label, settings, np.random.default_rng(seed), textures)
    if rng.random() >= settings.glasses:
        return bare
    worn = _filmed(*wear_glasses(image, label, rng), settings, np.random.default_rng(seed), textures)
    return worn if _told_apart(worn, bare) else bare


def _filmed(
    image: np.ndarray, label: np.ndarray, settings: CropSettings, rng: Generator, textures: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Put things before a face and take it with a poor camera."""
    for chance in (settings.occluder, settings.occluder / 2):
        if rng.random() < chance:
            image, label = cover(image, label, rng, textures)
    return degrade(image, rng), label


def _told_apart(worn: tuple[np.ndarray, np.ndarray], bare: tuple[np.ndarray, np.ndarray]) -> bool:
    """Tell whether glasses can still be seen once a crop was filmed: who learns those that cannot, guesses."""
    change = np.abs(worn[0].astype(np.float32) - bare[0]).mean(axis=2)[(worn[1] == GLASSES) & (bare[1] != GLASSES)]
    return change.size > 0 and float(np.quantile(change, RIMS)) >= VISIBLE


def cover(
    image: np.ndarray, label: np.ndarray, rng: Generator, textures: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Put an occluder into a crop and call its pixels background."""
    own = image[label == SKIN]
    image, hidden = occlude(image, rng, own.mean(0) if len(own) else None, textures)
    return image, np.where(hidden > 127, 0, label).astype(np.uint8)


def jitter(settings: CropSettings, rng: Generator) -> np.ndarray:
    """Draw a similarity (3, 3) about the middle of the crop; one in ten turns up to 45 degrees."""
    angle = rng.uniform(-45, 45) if rng.random() < 0.1 else rng.normal(0, settings.rotation)
    scale = float(np.exp(np.clip(rng.normal(0, settings.scale), -0.5, 0.5)))
    middle = settings.size / 2
    matrix = np.vstack([cv2.getRotationMatrix2D((middle, middle), angle, scale), [0, 0, 1]])
    matrix[:2, 2] += rng.normal(0, settings.shift * settings.size, 2)
    return matrix


def sampling_weights(labels: np.ndarray) -> np.ndarray:
    """Return the probability of each picture: three times the usual one where glasses or a hat are worn."""
    rare = np.array([bool(np.isin(RARE, label).any()) for label in labels])
    weights = np.where(rare, 3.0, 1.0)
    return weights / weights.sum()


def _pairs(folder: Path) -> Iterator[tuple[Path, Path, str]]:
    """Yield image, mask and person of every masked picture of a folder."""
    people = read_identities(folder)
    masks = {path.stem: path for path in (folder / "masks").glob("*.png")}
    for image in sorted((folder / "images").glob("*.jpg")):
        if image.stem in masks:
            yield image, masks[image.stem], people.get(image.name, image.stem)


def _decode(pairs: list[tuple[Path, Path, str]], teacher: YuNet) -> LabelledFaces:
    """Read, shrink and find the points; a picture in which the teacher sees no face is left out."""
    rows = []
    for image_path, mask_path, person in pairs:
        image = _read(image_path)
        found = teacher.find(image, 240, border=1 / 6)
        if len(found):
            label = _tell_sides(read_classes(_read(mask_path)))
            points = found[0, 4:14].reshape(5, 2) * (PICTURE / max(image.shape[:2]))
            size = (PICTURE, PICTURE)
            small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            small_label = cv2.resize(label, size, interpolation=cv2.INTER_NEAREST_EXACT)
            rows.append((image_path.stem, person, small, small_label, points))
    if not rows:
        raise UsageError(f"the teacher finds no face in {len(pairs)} pictures: is it a YuNet?")
    return LabelledFaces(*(np.stack([np.asarray(row[part]) for row in rows]) for part in range(5)))


def _read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise MediaError(f"{path} is not a picture that can be read: take it out of the data folder")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _tell_sides(label: np.ndarray) -> np.ndarray:
    """Name left and right by the person's own sides, as CelebAMask does.

    One in fourteen of the set was mirrored without renaming: there the "left" eye lies left in the picture.
    """
    middles = [_middle(label, number) for number in range(19)]
    votes = [middles[left] - middles[right] for left, right in ((2, 3), (4, 5), (7, 8))]
    return MIRRORED[label] if np.nansum(votes) < 0 else label


def _middle(label: np.ndarray, number: int) -> float:
    columns = np.nonzero(label == number)[1]
    return float(columns.mean()) if len(columns) else np.nan


def _cut(faces: LabelledFaces, row: int, to_crop: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    image = warp(faces.images[row], to_crop, (size, size), cv2.BORDER_REFLECT_101)
    label = cv2.warpAffine(
        faces.labels[row], to_crop, (size, size), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101
    )
    return image, label
