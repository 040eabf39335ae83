"""Take the source's portrait, once, before the first frame: the pixels a generator may lay over the target."""

import cv2
import numpy as np

from ..stages.align import crop_face
from ..stages.parse import EYES, FACE_CLASSES, HAIR, MOUTH, Parser, class_share, disc, main_part
from ..types import Face, Portrait
from .corrections.eyelids import set_lids
from .corrections.iris_colour import eye_colour
from .corrections.open_lips import set_lips
from .corrections.own_lips import lips_of
from .corrections.source_brow import completed
from .corrections.source_glasses import glasses
from .corrections.source_light import evened
from .landmarks import PointFinder, ahead

_NEVER = (MOUTH, HAIR)  # not even in the midst of a face
_RIM = 0.015  # share of the side by which the usable part is drawn in, so that no hair or background comes along
_LIDS = 0.004  # share of the side over which the usable part ends at the eyes: lids come along, what they show does not


class Portraitist:
    """Cuts portraits out of photos, with the points of the face and what of it is skin."""

    def __init__(self, points: PointFinder, parser: Parser | None, size: int) -> None:
        self._points, self._parser, self._size = points, parser, size

    def take(self, rgb: np.ndarray, face: Face) -> Portrait:
        """Return the portrait of a face in an upright picture.

        A brow that hair hides is drawn from the other, and light that comes from one side is taken away.
        """
        return evened(completed(self.of_crop(crop_face(rgb, face, self._points.template, self._size).image)))

    def of_crop(self, image: np.ndarray) -> Portrait:
        """Return the portrait of a crop (S, S, 3) uint8 that lies in the generator's template, as it is seen."""
        points = self._points.find(image)
        if self._parser is None:
            return Portrait(image, np.ones(image.shape[:2], np.float32), points)
        shares = self._parser.parse(image)
        usable = _usable(shares, image.shape[0]) * (1 - glasses(image, shares))
        points = set_lips(set_lids(points, shares), shares)
        return Portrait(image, usable, points, eye_colour(image, shares), lips_of(image, points, shares))

    def best(self, photos: list[tuple[np.ndarray, Face]]) -> Portrait:
        """Return the portrait of the photo that shows most of the face: looking ahead, and large."""
        return self.take(*max(photos, key=lambda photo: self._merit(*photo)))

    def _merit(self, rgb: np.ndarray, face: Face) -> float:
        """Tell how much of a face a photo shows: its width in pixels up to the crop's, times how far it looks ahead."""
        points = self._points.find(crop_face(rgb, face, self._points.template, self._size).image)
        return ahead(points) * min(float(face.box[2] - face.box[0]) / self._size, 1.0)


def _usable(shares: np.ndarray, size: int) -> np.ndarray:
    """Return (size, size) float32 in [0, 1]: which pixels of a crop with these classes (19, P, P) may be laid.

    That is the face without its eyes and teeth, which stay the target's.
    """
    parsed = main_part(class_share(shares, FACE_CLASSES)) * (1 - class_share(shares, _NEVER))
    face, eyes = (
        cv2.resize(each, (size, size), interpolation=cv2.INTER_LINEAR) for each in (parsed, class_share(shares, EYES))
    )
    drawn_in = cv2.erode(face, disc(_RIM * size))
    lids = cv2.GaussianBlur(eyes, (0, 0), _LIDS * size)
    return cv2.GaussianBlur(drawn_in, (0, 0), _RIM * size / 2) * (1 - lids)
