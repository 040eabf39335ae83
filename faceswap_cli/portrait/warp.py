"""Warp a portrait onto the landmarks of another face, and mirror it.

A sampling grid (C, C, 2) float32 says for the centre of each cell of a face where its pixel comes from in the portrait,
in shares of the side. It is a thin-plate spline (Bookstein 1989) through the landmarks of both.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .landmarks import mirrored_landmarks, with_forehead
from .records import Portrait


@dataclass(frozen=True, slots=True)
class ThinPlateSpline:
    """How a spline is computed."""

    cells: int = 48  # a side of the sampling grid; between its cells the spline is all but straight
    stiffness: float = 1e-4  # how far the spline may pass a landmark by: landmarks have errors of their own

    def sampling_grid(self, landmarks: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """Return (cells, cells, 2) float32: where the pixel at each cell's centre comes from, as shares of the side.

        `landmarks` (66, 2) go to `origins` (66, 2); what lies around them follows.
        """
        side = (np.arange(self.cells, dtype=np.float32) + 0.5) / self.cells
        centres = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
        return self._origins(centres, landmarks, origins).reshape(self.cells, self.cells, 2)

    def _origins(self, places: np.ndarray, landmarks: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """Return where places (P, 2) come from, (P, 2) float32."""
        landmarks, origins = with_forehead(landmarks).astype(np.float64), with_forehead(origins).astype(np.float64)
        count = len(landmarks)
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = _kernel(landmarks, landmarks) + self.stiffness * np.eye(count)
        system[:count, count:] = np.column_stack([np.ones(count), landmarks])
        system[count:, :count] = system[:count, count:].T
        weights = np.linalg.solve(system, np.vstack([origins - landmarks, np.zeros((3, 2))])).astype(np.float32)
        places = places.astype(np.float32)
        straight = np.column_stack([np.ones(len(places), np.float32), places]) @ weights[count:]
        moved: np.ndarray = places + straight + _kernel(places, landmarks.astype(np.float32)) @ weights[:count]
        return moved


SPLINE = ThinPlateSpline()


def warped(picture: np.ndarray, grid: np.ndarray, size: int) -> np.ndarray:
    """Return a picture (P, P) or (P, P, C) warped to where a face has it, (size, size), by a sampling grid."""
    place = cv2.resize(grid, (size, size)) * picture.shape[0] - 0.5
    return cv2.remap(picture, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def magnification(grid: np.ndarray) -> np.ndarray:
    """Return (C, C): how much of the portrait a cell of the face shows, 1 where it is as large there, 0 at a fold."""
    down, across = np.gradient(grid, axis=(0, 1))
    found: np.ndarray = (across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]) * len(grid) ** 2
    return found


def mirrored(portrait: Portrait) -> Portrait:
    """Return the portrait's mirror image; its class probabilities, which tell left from right, are left out."""
    return replace(
        portrait,
        image=np.ascontiguousarray(portrait.image[:, ::-1]),
        valid_mask=np.ascontiguousarray(portrait.valid_mask[:, ::-1]),
        landmarks=mirrored_landmarks(portrait.landmarks),
        class_probs=None,
    )


def mirrored_onto(portrait: Portrait) -> Portrait:
    """Return the portrait's mirror image warped so that its landmarks lie on the portrait's own."""
    other = mirrored(portrait)
    grid = SPLINE.sampling_grid(portrait.landmarks, other.landmarks)
    image, valid_mask = (warped(each, grid, each.shape[0]) for each in (other.image, other.valid_mask))
    return replace(portrait, image=image, valid_mask=valid_mask)


def _kernel(places: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return r^2 log r between (P, 2) and (C, 2)."""
    square = (places**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2 * places @ centres.T
    square = np.maximum(square, 1e-12)
    radial: np.ndarray = 0.5 * square * np.log(square)
    return radial
