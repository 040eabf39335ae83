"""Find 66 points of a face in its crop, what a portrait is laid by, and tell whether it has a beard.

Their order is that of `networks/points.py`. Places are shares of the crop's side, so they hold at any size.
"""

import cv2
import numpy as np

from ..engines import Network
from ..errors import WeightsError
from ..models import Entry
from ..stages.parse import disc
from ..stages.tensors import to_tensor

POINTS = 66
JAW, BROWS, NOSE = slice(0, 17), slice(17, 27), slice(27, 36)
EYES = (slice(36, 42), slice(42, 48))
OPENING = slice(58, 66)  # the inner edge of the lips
LIPS = slice(48, 66)
MOUTH_CORNERS = (58, 62)
INNER_LIPS = ((58, 58), (59, 65), (60, 64), (61, 63), (62, 62))  # from corner to corner, above and below

# What each point is called in the mirrored picture.
_JAW_SWAPPED, _BROWS_SWAPPED = range(16, -1, -1), range(26, 16, -1)
_NOSE_SWAPPED = (*range(27, 31), *range(35, 30, -1))
_EYES_SWAPPED = (45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40)
_LIPS_SWAPPED = (*range(52, 47, -1), *range(57, 52, -1), *range(62, 57, -1), *range(65, 62, -1))
MIRRORED = np.array([*_JAW_SWAPPED, *_BROWS_SWAPPED, *_NOSE_SWAPPED, *_EYES_SWAPPED, *_LIPS_SWAPPED])

FRACTION = 4  # bits of a pixel that OpenCV draws to
_DRAWN = 224  # side of the largest mask that is drawn; its edges are soft, so a larger one is enlarged from it
_LASHES = 0.013  # share of the side by which an eye is larger than its points: lids, lashes, a blink stay the target's
BRIDGE, NOSE_TIP, CHIN = 27, 30, 8
LIFTED = ([17, 19, 21, 22, 24, 26], [0.25, 0.38, 0.42, 0.42, 0.38, 0.25])  # points of the brows, and how far up


class PointFinder:
    """Looks at crops in the template its network was trained on."""

    def __init__(self, network: Network, contract: Entry) -> None:
        self.template = contract.template
        self._network = network
        self._size = int(network.metadata.get("size", 0))
        if self._size == 0:
            raise WeightsError(f"{contract.file} does not say the size of its input: train it again or reinstall")

    def find(self, image: np.ndarray) -> np.ndarray:
        """Return (66, 2) float32, x and y as shares of the side, of a crop (S, S, 3) uint8."""
        return self.look(image)[0]

    def look(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the same, and how surely the face has a beard, 0..1; 0 from a network that does not tell."""
        seen = cv2.resize(image, (self._size, self._size), interpolation=cv2.INTER_AREA)
        points, *beard = self._network.run(**{self._network.inputs[0]: to_tensor([seen], "0..1")})
        return points[0], float(beard[0][0, 0]) if beard else 0.0


def with_forehead(points: np.ndarray) -> np.ndarray:
    """Return points (..., 66, 2) and six more above the brows, as high as a face of such a length has its hairline."""
    up = points[..., [BRIDGE], :] - points[..., [CHIN], :]
    rows, heights = LIFTED
    return np.concatenate([points, points[..., rows, :] + np.array(heights)[:, None] * up], axis=-2).astype(np.float32)


def mirrored_points(points: np.ndarray) -> np.ndarray:
    """Return points (66, 2), shares of the side, as they are called and lie in the mirrored crop."""
    there = points[MIRRORED]
    return np.column_stack([1 - there[:, 0], there[:, 1]]).astype(np.float32)


def ahead(points: np.ndarray) -> float:
    """Return how far a face with these points (66, 2) looks ahead: 1 into the camera, 0 past it.

    It is the ratio of the nose's distances from either edge of the face.
    """
    left, right = points[NOSE_TIP, 0] - points[JAW, 0].min(), points[JAW, 0].max() - points[NOSE_TIP, 0]
    return float(max(min(left, right), 0) / max(left, right, 1e-6))


def replaced(points: np.ndarray, size: int) -> np.ndarray:
    """Return (size, size) float32 in [0, 1]: where a portrait may cover a face with these points (66, 2).

    That is the face without its eyeballs and without what shows between open lips: gaze, blinks and teeth stay the
    target's. Edges are soft, in proportion to the side.
    """
    small = min(size, _DRAWN)
    face = polygon(cv2.convexHull(with_forehead(points)), small)
    face = cv2.erode(face, disc(0.03 * small), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    face = cv2.GaussianBlur(face, (0, 0), 0.022 * small)
    kept = polygon(points[OPENING], small)
    for eye in EYES:
        kept = np.maximum(kept, cv2.dilate(polygon(points[eye], small), disc(_LASHES * small)))
    face = face * (1 - cv2.GaussianBlur(kept, (0, 0), 0.006 * small))
    return cv2.resize(face, (size, size), interpolation=cv2.INTER_LINEAR)


def polygon(corners: np.ndarray, size: int) -> np.ndarray:
    """Return (size, size) float32: 1 within corners (K, 2), shares of the side."""
    mask = np.zeros((size, size), np.float32)
    places = fixed_point(corners.reshape(-1, 2) * size - 0.5)
    cv2.fillPoly(mask, [places], 1.0, lineType=cv2.LINE_8, shift=FRACTION)
    return mask


def fixed_point(places: np.ndarray) -> np.ndarray:
    """Return places (K, 2) in pixels as OpenCV draws them to a part of one, int32 with `FRACTION` bits of it."""
    return np.rint(places * (1 << FRACTION)).astype(np.int32)
