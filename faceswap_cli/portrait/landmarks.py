"""Find the 66 landmarks of a face in its crop, what a portrait is warped by, and tell whether it has a beard.

Their order is that of `networks/points.py`, the network called `points`. Places are shares of the crop's side, so they
hold at any size.
"""

import math

import cv2
import numpy as np

from ..engines.select import Network, open_network
from ..errors import WeightsError
from ..options import Options
from ..stages.align import inverse, similarity, transform, warp
from ..stages.tensors import to_tensor
from ..store import models
from ..store.models import Entry

JAW, BROWS, NOSE = slice(0, 17), slice(17, 27), slice(27, 36)
BROW_HALVES = (slice(17, 22), slice(22, 27))
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

BRIDGE, NOSE_TIP, CHIN = 27, 30, 8
_HAIRLINE = 0.43  # share of the way from chin to bridge: how far above the brows a hairline's top lies
_ACROSS = (0.79, 0.5, 0.2)  # where the brows' points below lie on the mean face, in halves of its width
ASIDE = 0.6  # frontality up to which a portrait hides so much of a face that its other half is mirrored
# How much larger or smaller a face may be seen when it is looked at again: points that say otherwise show none.
AGAIN = 2.0
# These landmarks, and how far above each the hairline lies: half an ellipse, as wide as the face.
LIFTED = ([17, 19, 21, 22, 24, 26], [_HAIRLINE * math.sqrt(1 - across**2) for across in (*_ACROSS, *_ACROSS[::-1])])


class LandmarkFinder:
    """Looks at crops in the template its network was trained on."""

    def __init__(self, network: Network, contract: Entry) -> None:
        self.template = contract.template
        self._network = network
        self._size = int(network.metadata.get("size", 0))
        if self._size == 0:
            raise WeightsError(f"{contract.file} does not say the size of its input: train it again or reinstall")

    def find(self, image: np.ndarray) -> np.ndarray:
        """Return (66, 2) float32, x and y as shares of the side, of a crop (S, S, 3) uint8."""
        return self.find_with_beard(image)[0]

    def find_with_beard(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the same, and how surely the face has a beard, 0..1; 0 from a network that does not tell."""
        seen = cv2.resize(image, (self._size, self._size), interpolation=cv2.INTER_AREA)
        points, *beard = self._network.run(**{self._network.inputs[0]: to_tensor([seen], "0..1")})
        return points[0], float(beard[0][0, 0]) if beard else 0.0

    def find_settled(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        """Return what `find_with_beard` does, with landmarks that are the mean of two looks.

        The second look is at the crop as the first one's landmarks would align it. What the network says depends on how
        the crop is aligned, and a detector's points, by which it was, differ from run to run: over such runs at 12
        portraits landmarks strayed by 0.84 % of the eyes' distance after one look, by 0.46 % after two.
        """
        rough, beard_prob = self.find_with_beard(image)
        side = len(image)
        to_seen = similarity(rough_points(rough) * side - 0.5, self.template, self._size)
        scale = float(np.hypot(*to_seen[:, 0])) * side / self._size
        if not 1 / AGAIN < scale < AGAIN:
            return rough, beard_prob
        seen = warp(image, to_seen, (self._size, self._size), cv2.BORDER_REFLECT_101)
        again = (transform(self.find(seen) * self._size - 0.5, inverse(to_seen)) + 0.5) / side
        return ((rough + again) / 2).astype(np.float32), beard_prob


def open_landmarks(options: Options) -> LandmarkFinder | None:
    """Open the embedded network, whatever generator is used; None where it is not installed."""
    contract = models.entry("points")
    if not models.is_present(contract):
        return None
    return LandmarkFinder(open_network(models.locate("points"), options.device, options.threads), contract)


def rough_points(landmarks: np.ndarray) -> np.ndarray:
    """Return about where five points (5, 2) of a face are by its landmarks (66, 2): eyes, nose, the lips' corners."""
    eyes = [landmarks[eye].mean(axis=0) for eye in EYES]
    return np.stack([*eyes, landmarks[NOSE_TIP], *landmarks[list(MOUTH_CORNERS)]])


def with_forehead(landmarks: np.ndarray) -> np.ndarray:
    """Return landmarks (..., 66, 2) and six more above the brows, where a face of such a length has its hairline."""
    up = landmarks[..., [BRIDGE], :] - landmarks[..., [CHIN], :]
    rows, heights = LIFTED
    return np.concatenate([landmarks, landmarks[..., rows, :] + np.array(heights)[:, None] * up], axis=-2).astype(
        np.float32
    )


def mirrored_landmarks(landmarks: np.ndarray) -> np.ndarray:
    """Return landmarks (66, 2), shares of the side, as they are called and lie in the mirrored crop."""
    there = landmarks[MIRRORED]
    return np.column_stack([1 - there[:, 0], there[:, 1]]).astype(np.float32)


def frontality(landmarks: np.ndarray) -> float:
    """Return how far a face with these landmarks (66, 2) looks ahead: 1 into the camera, 0 past it.

    It is the ratio of the nose's distances from either edge of the face.
    """
    left, right = landmarks[NOSE_TIP, 0] - landmarks[JAW, 0].min(), landmarks[JAW, 0].max() - landmarks[NOSE_TIP, 0]
    return float(max(min(left, right), 0) / max(left, right, 1e-6))
