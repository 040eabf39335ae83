"""Give the target's eyes the colour of the source's; gaze, lids, pupils and highlights stay the target's.

An iris is recoloured by a difference, so that its pattern stays, in the light that the white beside it is seen in.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import cv2
import numpy as np

from ...types import Crop
from ..irises import LUMA, Eye, IrisFinder
from ..protocols import FaceStep, Phase
from ..records import EyeColour, FaceState
from ..regions import ramp


@dataclass(frozen=True, slots=True)
class Settings:
    """Levels are of 255."""

    cast: tuple[float, float] = (0.75, 1.33)  # least and most by which the light's colour may differ between pictures
    darkest: float = 0.6  # an iris may become so many times as bright as it was,
    lightest: float = 2.2  # and at most so many
    clear: tuple[float, float] = (60.0, 100.0)  # levels between iris and white: up to the first a blur pales the iris
    coloured: float = 6.0  # levels: a picture with less colour around the eyes is a black and white one by so much
    share: float = 0.9  # of the difference that is made
    dark: float = 4.0  # levels added where brightness is divided by


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
        image, dark = crop.image.copy(), self.settings.dark
        usual = float(np.mean([eye.iris @ LUMA for eye in eyes]))
        white = np.mean([eye.white for eye in eyes], axis=0)
        for eye in eyes:
            iris = self._in_light(wanted, white, usual, self._colouring(eye.image))
            iris *= (eye.iris @ LUMA + dark) / (usual + dark)  # in shade it stays the darker one
            change = self.settings.share * self._where(eye)[..., None] * (iris - eye.iris)
            image[eye.place] = np.rint(np.clip(eye.image + change, 0, 255))
        return replace(crop, image=image)

    def _in_light(self, colour: EyeColour, white: np.ndarray, usual: float, colouring: float) -> np.ndarray:
        """Return what colour (3,) an iris has beside such a white, where irises were as bright as `usual`."""
        settings, dark = self.settings, self.settings.dark
        own, there = (float(each @ LUMA) + dark for each in (colour.white, white))
        wanted = (float(colour.iris @ LUMA) + dark) * there / own
        darkest = 1 - (1 - settings.darkest) * ramp(float(white @ LUMA) - usual, settings.clear)
        brightness = min(max(wanted, darkest * (usual + dark)), settings.lightest * (usual + dark))
        tone = self._tone(colour.iris) * np.clip(self._tone(white) / self._tone(colour.white), *settings.cast)
        # a dark brown that may not be as dark is no orange
        tone = 1 + colouring * min(wanted / brightness, 1.0) * (tone / float(tone @ LUMA) - 1)
        return tone * brightness - dark

    def _tone(self, colour: np.ndarray) -> np.ndarray:
        tone: np.ndarray = (colour + self.settings.dark) / (float(colour @ LUMA) + self.settings.dark)
        return tone

    def _colouring(self, image: np.ndarray) -> float:
        """Return how far a picture is one in colours, in [0, 1]."""
        return float(np.clip(np.abs(image - (image @ LUMA)[..., None]).mean() / self.settings.coloured, 0, 1))

    def _where(self, eye: Eye) -> np.ndarray:
        """Return (h, w) float32 in [0, 1]: how far each pixel is iris, and neither pupil nor highlight nor lid."""
        brightness, iris = eye.image @ LUMA, float(eye.iris @ LUMA) + self.settings.dark
        brightest = max(iris + 8, 0.55 * iris + 0.45 * float(eye.white @ LUMA))
        ring = np.clip((1.08 - eye.distance) / 0.18, 0, 1) * np.clip((eye.distance - 0.25) / 0.2, 0, 1)
        shade = np.clip((1.15 - brightness / brightest) / 0.3, 0, 1)
        share = eye.trust * ring * shade * np.clip(2 * eye.opening - 0.8, 0, 1)
        share = cv2.GaussianBlur(share.astype(np.float32), (0, 0), max(0.1 * eye.radius, 0.3))
        where: np.ndarray = share * np.clip(brightness / (0.8 * iris), 0.2, 1)
        return where
