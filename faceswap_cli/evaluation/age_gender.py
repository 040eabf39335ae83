"""Age and gender as a face pack guesses them: for lists of faces; no network of ours does.

The network is the one that insightface's packs bring (`genderage.onnx`; how it is shown a face and read is that of
`insightface/model_zoo/attribute.py`): RGB of a square around the face's box, out come a score for a woman, one for a
man, and the age in centuries.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..engines.metadata import first_nodes, shapes_of
from ..engines.select import Network, open_network
from ..options import Options
from ..types import Face

_INPUT, _OUTPUT = (3, 96, 96), 3  # shapes without the batch, by which insightface knows such a network
_AROUND = 1.5  # times the longer side of the box that is seen
_NORMALISING = (("Sub", "_minus", "bn_data"), ("Mul", "_mul", "bn_data"))  # nodes of one that is shown levels 0..255


@dataclass(frozen=True, slots=True)
class Guess:
    """How somebody looks to the network."""

    age: int  # years
    gender: str  # "female" or "male"


class AgeGender:
    """Guesses by one network."""

    def __init__(self, network: Network, mean: float, deviation: float) -> None:
        """Show a network levels less a mean, over a deviation."""
        self._network, self._mean, self._deviation = network, mean, deviation

    def guess(self, rgb: np.ndarray, face: Face) -> Guess:
        """Return how a face in an upright picture (H, W, 3) uint8 looks."""
        side = _INPUT[1]
        scale = side / (_AROUND * float((face.box[2:] - face.box[:2]).max()))
        middle = (face.box[:2] + face.box[2:]) / 2
        matrix = np.hstack([scale * np.eye(2), (side / 2 - scale * middle)[:, None]])
        seen = cv2.warpAffine(rgb, matrix, (side, side)).astype(np.float32)
        planes = (np.stack(cv2.split(seen))[None] - self._mean) / self._deviation
        female, male, age = self._network.run(**{self._network.inputs[0]: planes.astype(np.float32)})[0][0]
        return Guess(round(100 * float(age)), "female" if female >= male else "male")


def open_age_gender(options: Options) -> AgeGender | None:
    """Open the network of the face pack that guesses age and gender; None where it has none, as the embedded one."""
    for path in sorted(options.face_pack.glob("*.onnx")) if options.face_pack is not None else []:
        if shapes_of(path) == ([_INPUT], [(_OUTPUT,)]):
            return AgeGender(open_network(path, options.device, options.threads), *_levels(path))
    return None


def _levels(path: Path) -> tuple[float, float]:
    """Return the mean and the deviation of the levels that a network is to be shown."""
    names = first_nodes(path)
    normalises = all(any(name.startswith(kinds) for name in names) for kinds in _NORMALISING)
    return (0.0, 1.0) if normalises else (127.5, 128.0)
