"""Warp each view of the portrait onto the target's landmarks, as it suits the target's expression.

A view is blended of how it looks: as in its photo, without the folds of its smile, its mouth shut, or none.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ..protocols import FaceStep, Phase
from ..records import FaceState, Variant, View
from ..warp import SPLINE, ThinPlateSpline, warped


@dataclass(frozen=True)
class WarpViews(FaceStep):
    """The views of the portrait, blended and warped; lips on lips and eyes on eyes."""

    name: ClassVar[str] = "warp"
    phase: ClassVar[Phase] = Phase.WARP
    reads: ClassVar[tuple[str, ...]] = (
        "source.views",
        "crop.image",
        "landmarks",
        "closing",
        "own_lips",
        "smoothing",
    )
    writes: ClassVar[tuple[str, ...]] = ("grids", "layers")
    switchable: ClassVar[bool] = False
    settings: ThinPlateSpline = SPLINE

    def apply(self, face: FaceState) -> FaceState:
        """Write grids and layers."""
        views, size = face.source.views, face.crop.image.shape[0]
        smoothing = face.smoothing or (0.0,) * len(views)
        grids = [self.settings.sampling_grid(face.landmarks, view.portrait.landmarks) for view in views]
        shown = [
            blend(view, face.closing, face.own_lips, smooth) for view, smooth in zip(views, smoothing, strict=True)
        ]
        layers = [warped(*each, size) for each in zip(shown, grids, strict=True)]
        return replace(face, grids=tuple(grids), layers=tuple(layers))


def blend(view: View, closing: float, own_lips: float, smoothing: float) -> np.ndarray:
    """Return what a view shows, (S, S, 4) uint8: its mouth so far shut, so far gone, its folds so far smoothed."""
    shown = _smoothed(view.plain, smoothing)
    for variant, share in ((view.closed, closing), (view.mouthless, own_lips)):
        if variant is not None and share > 0:
            shown = _mixed(shown, _smoothed(variant, smoothing), share)
    return shown


def _smoothed(variant: Variant, share: float) -> np.ndarray:
    return variant.layers if variant.smooth is None else _mixed(variant.layers, variant.smooth, share)


def _mixed(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Return the mean of two pictures, so much of it the second."""
    if share in (0.0, 1.0):
        return second if share else first
    return cv2.addWeighted(first, 1 - share, second, share, 0)
