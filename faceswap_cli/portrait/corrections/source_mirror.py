"""Keep the mirror image of a turned portrait beside it, once per source: it shows the half that the portrait hides."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ..landmarks import ASIDE, frontality
from ..protocols import Phase, SourceStep
from ..records import Portrait, Variant, View
from ..warp import mirrored


@dataclass(frozen=True)
class PlainView(SourceStep):
    """The portrait as it is."""

    name: ClassVar[str] = "view"
    phase: ClassVar[Phase] = Phase.VARIANTS
    reads: ClassVar[tuple[str, ...]] = ("image", "valid_mask", "landmarks")
    writes: ClassVar[tuple[str, ...]] = ("views",)
    switchable: ClassVar[bool] = False

    def apply(self, portrait: Portrait) -> Portrait:
        """Make it the first view."""
        return replace(portrait, views=(view_of(portrait),))


@dataclass(frozen=True)
class Mirror(SourceStep):
    """The mirror image of a turned portrait."""

    name: ClassVar[str] = "mirror"
    phase: ClassVar[Phase] = Phase.VARIANTS
    reads: ClassVar[tuple[str, ...]] = ("image", "valid_mask", "landmarks", "views")
    writes: ClassVar[tuple[str, ...]] = ("views",)

    def apply(self, portrait: Portrait) -> Portrait:
        """Add it as a second view."""
        if frontality(portrait.landmarks) > ASIDE:
            return portrait
        return replace(portrait, views=(*portrait.views, view_of(mirrored(portrait))))


def view_of(portrait: Portrait) -> View:
    """Return a view of a portrait with nothing but how it looks."""
    return View(portrait, variant_of(portrait.image, portrait.valid_mask))


def variant_of(image: np.ndarray, valid_mask: np.ndarray) -> Variant:
    """Return one look of a portrait, of a picture (S, S, 3) uint8 and a mask (S, S) in [0, 1]."""
    return Variant(np.dstack([image, np.rint(255 * valid_mask).astype(np.uint8)]))
