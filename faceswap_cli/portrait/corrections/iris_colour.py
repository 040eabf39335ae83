"""Give the target's eyes the colour of the source's; gaze, lids, pupils and highlights stay the target's.

An iris is recoloured by a difference, so that its pattern stays, in the light that the white beside it is seen in.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.soft import soft_step
from ...types import Crop
from ..irises import LUMA, Eye, IrisFinder
from ..protocols import FaceStep, Phase
from ..records import EyeColour, FaceState
from ..regions import BLACK, LIGHT
from .one_tone import APART


@dataclass(frozen=True, slots=True)
class Settings:
    """Which irises are seen clearly."""

    clear: float = 0.31  # of full brightness, between white and iris: where it is less a blur pales the iris


@dataclass(frozen=True)
class IrisColour(FaceStep):
    """The target's irises, recoloured."""

    name: ClassVar[str] = "iris_colour"
    phase: ClassVar[Phase] = Phase.TARGET
    reads: ClassVar[tuple[str, ...]] = ("source.eyes", "crop.image", "crop.class_probs")
    writes: ClassVar[tuple[str, ...]] = ("crop.image",)
    settings: Settings = Settings()
    finder: IrisFinder = field(default_factory=IrisFinder)

    def apply(self, face: FaceState) -> FaceState:
        """Recolour them, where the source's are seen."""
        return face if face.source.eyes is None else replace(face, crop=self.coloured(face.crop, face.source.eyes))

    def coloured(self, crop: Crop, wanted: EyeColour) -> Crop:
        """Return the crop with eyes of a colour, as far as they are seen; where it was not parsed, as it is."""
        eyes = [] if crop.class_probs is None else self.finder.find(crop.image, crop.class_probs)
        if not eyes:
            return crop
        image = crop.image.copy()
        usual = float(np.mean([eye.iris @ LUMA for eye in eyes]))
        white = np.mean([eye.white for eye in eyes], axis=0)
        for eye in eyes:
            iris = self._in_light(wanted, white, usual, _colouring(eye.image))
            iris *= (eye.iris @ LUMA + BLACK) / (usual + BLACK)  # in shade it stays the darker one
            change = self._where(eye)[..., None] * (iris - eye.iris)
            image[eye.place] = np.rint(np.clip(eye.image + change, 0, 255))
        return replace(crop, image=image)

    def _in_light(self, colour: EyeColour, white: np.ndarray, usual: float, colouring: float) -> np.ndarray:
        """Return what colour (3,) an iris has beside such a white, where irises were as bright as `usual`."""
        own, there = (float(each @ LUMA) + BLACK for each in (colour.white, white))
        wanted = (float(colour.iris @ LUMA) + BLACK) * there / own
        darkest = 1 - (1 - 1 / LIGHT) * soft_step((float(white @ LUMA) - usual) / 255, self.settings.clear)
        brightness = min(max(wanted, darkest * (usual + BLACK)), LIGHT * (usual + BLACK))
        tone = _tone(colour.iris) * np.clip(_tone(white) / _tone(colour.white), 1 / LIGHT, LIGHT)
        # an iris that had to be made brighter than wanted keeps less colour: dark brown would turn orange
        tone = 1 + colouring * min(wanted / brightness, 1.0) * (tone / float(tone @ LUMA) - 1)
        return tone * brightness - BLACK

    def _where(self, eye: Eye) -> np.ndarray:
        """Return (h, w) float32 in [0, 1]: how far each pixel is iris, and neither pupil nor highlight nor lid."""
        brightness, iris = eye.image @ LUMA, float(eye.iris @ LUMA) + BLACK
        brightest = max(iris + 8, 0.55 * iris + 0.45 * float(eye.white @ LUMA))
        ring = np.clip((1.08 - eye.distance) / 0.18, 0, 1) * np.clip((eye.distance - 0.25) / 0.2, 0, 1)
        shade = np.clip((1.15 - brightness / brightest) / 0.3, 0, 1)
        share = eye.trust * ring * shade * np.clip(2 * eye.opening - 0.8, 0, 1)
        share = cv2.GaussianBlur(share.astype(np.float32), (0, 0), max(0.1 * eye.radius, 0.3))
        where: np.ndarray = share * np.clip(brightness / (0.8 * iris), 0.2, 1)
        return where


def _colouring(image: np.ndarray) -> float:
    """Return how far a picture (h, w, 3) is one in colours, in [0, 1]."""
    return min(float(np.abs(image - (image @ LUMA)[..., None]).mean()) / APART, 1.0)


def _tone(colour: np.ndarray) -> np.ndarray:
    """Return a colour (3,) over its brightness."""
    tone: np.ndarray = (colour + BLACK) / (float(colour @ LUMA) + BLACK)
    return tone
