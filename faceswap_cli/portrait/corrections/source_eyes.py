"""See what colour a source's eyes have, once per source."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from ..irises import IrisFinder
from ..protocols import Phase, SourceStep
from ..records import EyeColour, Portrait


@dataclass(frozen=True, slots=True)
class Settings:
    """When an eye's colour is believed."""

    trust: float = 0.5  # how surely an iris must be seen


@dataclass(frozen=True)
class SourceEyes(SourceStep):
    """The colour of the source's eyes."""

    name: ClassVar[str] = "iris_colour"
    phase: ClassVar[Phase] = Phase.OBSERVE
    reads: ClassVar[tuple[str, ...]] = ("image", "class_probs")
    writes: ClassVar[tuple[str, ...]] = ("eyes",)
    settings: Settings = Settings()
    finder: IrisFinder = field(default_factory=IrisFinder)

    def apply(self, portrait: Portrait) -> Portrait:
        """Write it, where it is seen."""
        if portrait.class_probs is None:
            return portrait
        return replace(portrait, eyes=self.seen(portrait.image, portrait.class_probs))

    def seen(self, image: np.ndarray, class_probs: np.ndarray) -> EyeColour | None:
        """Return the colour of the eyes in a picture (S, S, 3) uint8; None if none is seen."""
        eyes = [eye for eye in self.finder.find(image, class_probs) if eye.trust > self.settings.trust]
        if not eyes:
            return None
        iris, white = (np.mean([getattr(eye, part) for eye in eyes], axis=0) for part in ("iris", "white"))
        return EyeColour(iris, white)
