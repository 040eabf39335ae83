"""A second judge of identity: dlib's public recogniser, which has never been near a training or a tuning of ours.

It is an extra (`judges`). Of the package face-recognition-models the recogniser and the five-point file are opened,
both in the public domain; its 68-point file is not free, and is left alone. dlib compares by Euclidean distance: below
0.6 two photos show one person.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..errors import WeightsError
from ..store.models import sha256_of
from ..types import Face

FILES = {  # by name, the SHA-256: other files would give other figures
    "shape_predictor_5_face_landmarks.dat": "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    "dlib_face_recognition_resnet_model_v1.dat": "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
}
DESCRIPTOR = 128  # numbers in a vector
CHIP_SIZE = 150  # pixels a side of what the recogniser is shown
# The square dlib's own detector draws, in longer sides of our box: its side, and how far below the box's middle its own
# lies. Medians of 114 portraits of the tuning people: descriptors then lie 0.04 from those of dlib's own squares, two
# photos of one person 0.31, of two people 0.86.
_SIDE, _BELOW = 0.83, 0.058


class DlibJudge:
    """Tells people apart as dlib does: five points, an upright chip, a vector."""

    def __init__(self, points: Path, recogniser: Path) -> None:
        import dlib

        self._dlib = dlib
        self._points = dlib.shape_predictor(str(points))
        self._recogniser = dlib.face_recognition_model_v1(str(recogniser))

    def embed(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        """Return the descriptor (128,) float32, not normalised, of a face in an upright picture (H, W, 3) uint8."""
        rgb = np.ascontiguousarray(rgb)
        points = self._points(rgb, self._dlib.rectangle(*square_of(face)))
        chip = self._dlib.get_face_chip(rgb, points, size=CHIP_SIZE)
        return np.array(self._recogniser.compute_face_descriptor(chip), np.float32)


def square_of(face: Face) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom, in pixels, of the square dlib's detector would draw around a face."""
    longer = float((face.box[2:] - face.box[:2]).max())
    centre = (face.box[:2] + face.box[2:]) / 2 + (0, _BELOW * longer)
    left, top, right, bottom = (round(float(edge)) for side in (-1, 1) for edge in centre + side * _SIDE * longer / 2)
    return left, top, right, bottom


def open_dlib() -> DlibJudge | None:
    """Open the judge, None where its extra is not installed; raise WeightsError for files other than dlib's."""
    try:
        import dlib  # noqa: F401
    except ImportError:
        return None
    package = find_spec("face_recognition_models")  # only found: what it runs on import needs an old setuptools
    if package is None or package.origin is None:
        return None
    paths = [Path(package.origin).with_name("models") / name for name in FILES]
    for path in paths:
        _refuse_other(path)
    return DlibJudge(*paths)


def _refuse_other(path: Path) -> None:
    if not path.is_file() or sha256_of(path) != FILES[path.name]:
        raise WeightsError(
            f"{path} is not the file dlib published: run `pip install --force-reinstall face-recognition-models`"
        )
