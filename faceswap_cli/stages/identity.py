"""Learn who the source is, once, before the first frame.

The identity comes from the original photos, aligned as the encoder was trained to see faces, not from a generator's
crop; published bundles that do it otherwise say so in their contract.
"""

import cv2
import numpy as np

from ..engines import Network
from ..errors import NoFaceError
from ..models import Entry
from ..types import Face, Frame, Identity
from .align import crop_face
from .detect import Detect
from .tensors import to_tensor

_BORDER = 0.5  # share of a photo's shorter side put around it where no face was found: tight portraits need room


class Encoder:
    """Turn a face into an identity."""

    def __init__(self, network: Network, contract: Entry, crop_template: str, crop_size: int) -> None:
        self.space = contract.space
        self._network = network
        self._contract = contract
        self._crop_template, self._crop_size = crop_template, crop_size

    def embed(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        """Return the identity (D,) float32, L2 norm 1, of a face in an upright picture."""
        crop = crop_face(rgb, face, self._crop_template, self._crop_size).image
        if self._crop_size != self._contract.size:
            # Nearest, as SimSwap's test scripts do by torch's default.
            crop = cv2.resize(crop, (self._contract.size,) * 2, interpolation=cv2.INTER_NEAREST)
        tensor = to_tensor([crop], self._contract.input_range)
        return _unit(self._network.run(**{self._network.inputs[0]: tensor})[0][0])


def find_sources(photos: list[Frame], detect: Detect) -> tuple[list[tuple[np.ndarray, Face]], list[str]]:
    """Return the picture and the largest face of each photo of the source, and notes for the user.

    Raises NoFaceError when a photo shows no face.
    """
    seen, notes = [], []
    for number, photo in enumerate(photos, 1):
        rgb, faces = _find_faces(photo.rgb, detect)
        if not faces:
            height, width = photo.rgb.shape[:2]
            raise NoFaceError(
                f"no face found in source photo {number} ({width}x{height}): "
                f"give a sharp, well lit portrait, or lower --det-threshold"
            )
        if len(faces) > 1:
            notes.append(f"source photo {number} shows {len(faces)} faces: the largest is taken")
        seen.append((rgb, faces[0]))
    return seen, notes


def identify(seen: list[tuple[np.ndarray, Face]], encoder: Encoder) -> Identity:
    """Return the identity of the person in some pictures, averaged over them."""
    return Identity(_unit(np.mean([encoder.embed(*each) for each in seen], axis=0)), encoder.space)


def _find_faces(rgb: np.ndarray, detect: Detect) -> tuple[np.ndarray, list[Face]]:
    faces = detect.detect(rgb)
    if faces:
        return rgb, faces
    margin = round(min(rgb.shape[:2]) * _BORDER)
    roomy = cv2.copyMakeBorder(rgb, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    return roomy, detect.detect(roomy)


def _unit(vector: np.ndarray) -> np.ndarray:
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)
