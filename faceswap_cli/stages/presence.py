"""Tell what of a detector's finds is a face, by what a parser sees in it (between parsing and fitting).

An ear, a seal and hair beside a wall were taken for faces; in none of them is a parser sure of an eye, a brow, glasses
or a mouth. In a clip whoever showed one is a face for a while, so that a hand or a blur takes no swap away.
"""

import numpy as np

from ..types import Crop
from .mask import Remember
from .parse import BROWS, EYES, GLASSES, LIPS, MOUTH, class_share

FEATURES_BACK = 12  # frames for which a face is one by what it showed

_FEATURES = (*BROWS, *EYES, GLASSES, MOUTH, *LIPS)
_SURE = 0.95  # probability of one of them
# Share of a crop that surely is one. Of 2,911 finds in photos four false ones have up to 0.0007, real ones 0.0032 (a
# profile in oil), 0.0049 in films, or more; shut eyes below a fringe, dark lenses, night and 20 pixels from 0.006 on.
_LEAST = 0.0015


def parted(crops: list[Crop], history: Remember | None = None) -> tuple[list[Crop], list[Crop]]:
    """Return the crops that show faces, and the others; whatever no parser looked at is taken for a face."""
    are_faces = [_shows_features(crop.class_probs) for crop in crops]
    if history is not None:
        frames, tracks = history.frames("features", FEATURES_BACK + 1), [crop.face.track for crop in crops]
        frames.append(dict(zip(tracks, are_faces, strict=True)))
        are_faces = [any(seen.get(track, False) for seen in frames) for track in tracks]
    told = list(zip(crops, are_faces, strict=True))
    return [crop for crop, is_face in told if is_face], [crop for crop, is_face in told if not is_face]


def _shows_features(class_probs: np.ndarray | None) -> bool:
    """Tell whether a parser is sure of an eye, a brow, glasses or a mouth, by classes (19, P, P)."""
    return class_probs is None or float((class_share(class_probs, _FEATURES) > _SURE).mean()) >= _LEAST
