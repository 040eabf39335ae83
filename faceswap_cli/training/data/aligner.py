"""Bring the largest face of one picture to SimSwap's frontal template, or say why it is dropped: one worker's part."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...engines.select import open_network
from ...errors import FaceSwapError, NoFaceError
from ...media.photo import read_photo
from ...options import Options
from ...portrait.landmarks import LandmarkFinder, rough_points
from ...stages.align import crop_face
from ...stages.detect import open_detector
from ...store import models
from ...types import Crop, Face
from ..core.options import PrepareOptions
from .labels import read_classes
from .pack import encode
from .pictures import MASKS

TEMPLATE = "simswap-frontal"
SURE = 0.93  # score from which a face stands upright: one that stands on its head scored 0.67 in the mean, 0.89 at most
# Mean distance, in sides of the crop, of the detector's five points from those the landmark network sees there. On 279
# photos it was 0.075 at most, profiles and sunglasses among them, and 0.32 where two heads were taken for one face.
ASTRAY = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """A face ready for a pack."""

    crop: bytes  # JPEG
    label: bytes | None  # PNG of its class map
    about: dict[str, Any]  # the fields of `pack.Row` that describe it, but for whose face it is


class Aligner:
    """Opens the networks once, then takes picture after picture."""

    def __init__(self, options: PrepareOptions) -> None:
        self._options = options
        told = Options(det_threshold=options.det_threshold, threads=1, min_face=options.min_face)
        self._detector = open_detector(options.face_pack, told)
        self._landmarks = LandmarkFinder(open_network(models.locate("points"), "cpu", 1), models.entry("points"))

    def __call__(self, path: Path) -> Aligned | str:
        """Return the face of a picture, or why there is none."""
        options = self._options
        try:
            rgb = read_photo(path).frame.rgb
            face = self._largest_face(rgb)
        except FaceSwapError as error:
            return str(error) if isinstance(error, NoFaceError) else "unreadable"
        crop = crop_face(rgb, face, TEMPLATE, options.size)
        points = face.points @ crop.to_crop[:, :2].T + crop.to_crop[:, 2]
        if self._astray(crop.image, points) > ASTRAY:
            return "points fit no face"
        if sharpness(crop.image) < options.min_sharpness:
            return "blurred"
        label = _label(path, crop, options.size)
        about = {
            "points": np.round(points, 2).tolist(),
            "scale": round(float(np.hypot(*crop.to_crop[:, 0])), 4),
            "grey": bool(np.ptp(crop.image.astype(np.int16), axis=2).mean() < 4),
            "size": options.size,
        }
        return Aligned(encode(crop.image[..., ::-1], ".jpg"), None if label is None else encode(label, ".png"), about)

    def _largest_face(self, rgb: np.ndarray) -> Face:
        """Return the largest face; look every way up where it is not sure, with a border where it is tight."""
        faces = self._detector.detect(rgb)
        margin = 0
        if not faces or faces[0].score < SURE:
            faces = self._detector.search(rgb)
        if not faces:
            margin = max(rgb.shape[:2]) // 2
            bordered = cv2.copyMakeBorder(rgb, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
            faces = self._detector.search(bordered)
        if not faces:
            raise NoFaceError("no face")
        face = max(faces, key=lambda candidate: candidate.area)
        if min(face.box[2] - face.box[0], face.box[3] - face.box[1]) < self._options.min_face:
            raise NoFaceError("face too small")
        return Face(face.box - margin, face.points - margin, face.score)

    def _astray(self, crop: np.ndarray, points: np.ndarray) -> float:
        """Return how far points (5, 2), in pixels of a crop, lie from where the landmark network sees them."""
        five = rough_points(self._landmarks.find(crop))
        return float(np.linalg.norm(five - points / len(crop), axis=1).mean())


def sharpness(crop: np.ndarray) -> float:
    """Return the spread of a crop's Laplacian at 128 pixels, grey levels."""
    grey = cv2.cvtColor(cv2.resize(crop, (128, 128), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).std())


def _label(path: Path, crop: Crop, size: int) -> np.ndarray | None:
    """Return the crop of the picture's class map, (size, size) uint8, where a `masks` folder has one."""
    mask_path = path.parent.parent / MASKS / (path.stem + ".png")
    colours = cv2.imread(str(mask_path)) if mask_path.is_file() else None
    if colours is None:
        return None
    label = read_classes(colours[..., ::-1])
    return cv2.warpAffine(label, crop.to_crop, (size, size), flags=cv2.INTER_NEAREST)
