"""YuNet, the permissive (BSD-3) teacher that says where faces and their five points are.

Boxes are x0, y0, x1, y1, points left eye, right eye, nose, left and right mouth corner as seen in the picture, all in
pixels of the picture that was given. Only training uses it.
"""

from pathlib import Path

import cv2
import numpy as np

from ...errors import WeightsError


class YuNet:
    """Find faces with OpenCV's FaceDetectorYN."""

    def __init__(self, weights: Path, threshold: float = 0.6) -> None:
        try:
            self._detector = cv2.FaceDetectorYN.create(str(weights), "", (320, 320), threshold, 0.3, 200)
        except cv2.error as error:
            raise WeightsError(f"{weights} is no YuNet that OpenCV reads ({error.err}): give its ONNX file") from error

    def find(self, rgb: np.ndarray, longest: int, border: float = 0.0) -> np.ndarray:
        """Return (N, 15) float32, best first: box, five points, score.

        The picture is brought to `longest` pixels on its longer side; `border` adds that share of the side in black all
        around, without which a face that fills its picture is missed.
        """
        scale = longest / max(rgb.shape[:2])
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        edge = round(border * longest)
        small = cv2.copyMakeBorder(small, edge, edge, edge, edge, cv2.BORDER_CONSTANT)
        self._detector.setInputSize((small.shape[1], small.shape[0]))
        rows = self._detector.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
        if rows is None:
            return np.zeros((0, 15), np.float32)
        found = rows[np.argsort(-rows[:, 14])].astype(np.float32)
        found[:, 2:4] += found[:, 0:2]  # width and height become the far corner
        found[:, :14] = (found[:, :14] - edge) / scale
        return found
