"""OpenSeeFace's landmark network (BSD-2-Clause) as a teacher: 66 points of an aligned crop.

It takes 224 px RGB in ImageNet's range and gives, for 28 x 28 cells, whether each point is there and how far from the
cell, rows before columns, the offsets as logits of a sixteenth (its tracker.py).
"""

from pathlib import Path

import cv2
import numpy as np

from ...engines.select import open_network
from ...errors import WeightsError
from ...portrait.landmarks import EYES, MIRRORED, MOUTH_CORNERS, NOSE_TIP
from ...stages.tensors import to_tensor
from ...types import POINTS

SIZE, CELLS = 224, 28
LOGIT_FACTOR = 16
# Part of SimSwap's frontal crop it is shown, shares of the side: x0, y0, x1, y1. Its own tracker leaves as much room.
PART = (0.08, 0.06, 0.92, 1.0)


def five_points(points: np.ndarray) -> np.ndarray:
    """Return the middles of the eyes, the tip of the nose and the corners of the mouth (5, 2) of points (66, 2)."""
    return np.stack([*(points[eye].mean(axis=0) for eye in EYES), *points[[NOSE_TIP, *MOUTH_CORNERS]]])


class PointsTeacher:
    """Labels aligned crops with points."""

    template = "simswap-frontal"  # PART is a part of this one

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._network = open_network(path, "cpu", threads)
        if len(self._network.inputs) != 1:
            raise WeightsError(f"{path.name} is not OpenSeeFace's lm_model: it takes {', '.join(self._network.inputs)}")

    def points(self, crop: np.ndarray) -> np.ndarray:
        """Return (66, 2) float32, shares of the side, of a crop (S, S, 3) uint8: the mean of it and its mirror."""
        mirrored = self._look(np.ascontiguousarray(crop[:, ::-1]))[MIRRORED]
        return (self._look(crop) + [1, 0] + [-1, 1] * mirrored).astype(np.float32) / 2

    def _look(self, crop: np.ndarray) -> np.ndarray:
        left, top, right, bottom = PART
        side = crop.shape[0]
        zoom = np.array([SIZE / (right - left), SIZE / (bottom - top)]) / side
        place = np.column_stack([np.diag(zoom), -zoom * side * (left, top)])
        shown = cv2.warpAffine(crop, place, (SIZE, SIZE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        maps = self._network.run(**{self._network.inputs[0]: to_tensor([shown], "imagenet")})[0][0]
        found, down, across = maps.reshape(3, POINTS, CELLS * CELLS)
        cell, point = found.argmax(axis=1), np.arange(POINTS)
        last = SIZE - 1
        rows = last * (cell // CELLS) / (CELLS - 1) + last * _offset(down[point, cell])
        columns = last * (cell % CELLS) / (CELLS - 1) + last * _offset(across[point, cell])
        return (np.column_stack([columns, rows]) + 0.5) / SIZE * [right - left, bottom - top] + [left, top]


def _offset(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 1e-7, 1 - 1e-7)
    return np.log(share / (1 - share)) / LOGIT_FACTOR
