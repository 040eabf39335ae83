"""Learn who the source is, once, before the first frame.

The identity comes from the original photos, aligned as the encoder was trained to see faces, not from a generator's
crop; published bundles that do it otherwise say so in their contract.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import cv2
import numpy as np

from ..engines.select import Network
from ..errors import NoFaceError, UsageError
from ..store.models import Entry
from ..types import Detections, Face, Frame, Identity, SourcePhoto
from .align import crop_face
from .detect import Detect
from .tensors import to_tensor

# Cosine of two photos, or groups of them, from which they show one person, and from which hardly a doubt is left. Of
# 340 pairs of one person's colour photos none is below 0.2, 0.4 % are below 0.3; of pairs of strangers 91 % and 99 %.
# One person's photos below it have dark glasses, look aside or are decades apart, and make no good average either.
_SAME_PERSON, _SURELY_SAME = 0.2, 0.3
_BORDER = 0.5  # share of a photo's shorter side put around it where no face was found: tight portraits need room


@dataclass(frozen=True, slots=True, eq=False)
class SeenPhoto:
    """A photo with the face that is meant."""

    photo: SourcePhoto
    rgb: np.ndarray  # (H, W, 3) uint8, the photo, with room around it where it is tight
    faces: Sequence[Face]  # all, the largest first

    @property
    def face(self) -> Face:
        """The face that is meant."""
        return self.faces[(self.photo.face or 1) - 1]


class Encoder:
    """Turn a face into an identity."""

    def __init__(self, network: Network, contract: Entry, crop_template: str, crop_size: int) -> None:
        self.space = contract.space
        self._network = network
        self._contract = contract
        self._crop_template, self._crop_size = crop_template, crop_size
        self._one_at_a_time = Lock()  # who is meant is told while swaps are looked at, and not every engine takes both

    def embed(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        """Return the identity (D,) float32, L2 norm 1, of a face in an upright picture."""
        crop = crop_face(rgb, face, self._crop_template, self._crop_size).image
        if self._crop_size != self._contract.size:
            # Nearest, as SimSwap's test scripts do by torch's default.
            crop = cv2.resize(crop, (self._contract.size,) * 2, interpolation=cv2.INTER_NEAREST)
        tensor = to_tensor([crop], self._contract.input_range)
        with self._one_at_a_time:
            return _unit(self._network.run(**{self._network.inputs[0]: tensor})[0][0])


def find_sources(photos: Sequence[SourcePhoto | Frame], detect: Detect) -> tuple[list[SeenPhoto], list[str]]:
    """Return the source's photos with the face that is meant in each, and notes for the user.

    Raises NoFaceError when a photo shows no face, UsageError where one has fewer faces than were counted on.
    """
    seen = [look_at(photo, detect) for photo in _named(photos)]
    return seen, [note for each in seen for note in _told_others(each)]


def identify(seen: list[SeenPhoto], encoder: Encoder, one_person: bool = True) -> tuple[Identity, list[str]]:
    """Return the identity of the person in some photos, averaged over them, and notes for the user.

    Raises UsageError, with `one_person`, where the photos look like different people.
    """
    embeddings = [embedding_of(each, encoder) for each in seen]
    notes = _check_people(seen, embeddings, encoder) if one_person else []
    return Identity(_unit(np.mean(embeddings, axis=0)), encoder.space), notes


def embedding_of(seen: SeenPhoto, encoder: Encoder) -> np.ndarray:
    """Return who a photo shows: what is known of it, where that is of the same encoder."""
    known = seen.photo.known
    if known is not None and known.identity.space == encoder.space:
        return known.identity.embedding
    return encoder.embed(seen.rgb, seen.face)


def _named(photos: Sequence[SourcePhoto | Frame]) -> list[SourcePhoto]:
    """Call photos without a name by their number."""
    return [
        photo if isinstance(photo, SourcePhoto) else SourcePhoto(photo, f"photo {number}")
        for number, photo in enumerate(photos, 1)
    ]


def look_at(photo: SourcePhoto, detect: Detect) -> SeenPhoto:
    """Find the face meant in a photo; a saved source says where it is. Raises as `find_sources` does."""
    if photo.known is not None and photo.face in (None, 1):
        return SeenPhoto(photo, photo.frame.rgb, [photo.known.face])
    rgb, faces = find_faces(photo.frame.rgb, detect)
    if not faces:
        height, width = photo.frame.rgb.shape[:2]
        raise NoFaceError(
            f"no face found in the source's {photo.name} ({width}x{height}): "
            f"give a sharp, well lit portrait, or lower --det-threshold"
        )
    if photo.face is not None and not 1 <= photo.face <= len(faces):
        count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
        raise UsageError(
            f"{photo.name}#{photo.face} cannot be: {photo.name} shows {count}, the largest is {photo.name}#1"
        )
    return SeenPhoto(photo, rgb, faces)


def _told_others(seen: SeenPhoto) -> list[str]:
    """Say that a photo shows others too, unless one of its faces was asked for."""
    name = seen.photo.name
    if seen.photo.face is not None or len(seen.faces) == 1:
        return []
    count = len(seen.faces)
    return [f"the source's {name} shows {count} faces: the largest is taken; {name}#2 takes the second largest"]


def _check_people(seen: list[SeenPhoto], embeddings: list[np.ndarray], encoder: Encoder) -> list[str]:
    """Raise UsageError where the photos show different people; return a note where they may."""
    people = _people(embeddings, _SAME_PERSON)
    if len(people) > 1:
        raise UsageError(
            f"the source's photos look like different people: {_told_people(seen, people)} (likeness "
            f"{_likeness(embeddings, *people[:2]):.2f}): {_told_better(seen, embeddings, encoder)}give photos of one, "
            "or average them with --force-average"
        )
    people = _people(embeddings, _SURELY_SAME)
    if len(people) == 1:
        return []
    likeness = _likeness(embeddings, *people[:2])
    return [f"the source's photos may show different people: {_told_people(seen, people)} (likeness {likeness:.2f})"]


def _people(embeddings: list[np.ndarray], least: float) -> list[list[int]]:
    """Group photos by person: the two groups whose means agree most are joined, until none agree by `least`."""
    groups, sums = [[number] for number in range(len(embeddings))], list(embeddings)
    while len(groups) > 1:
        units = np.array([_unit(total) for total in sums])
        likeness = units @ units.T - 2 * np.eye(len(units))  # none with itself
        one, other = sorted(np.unravel_index(int(likeness.argmax()), likeness.shape))
        if likeness[one, other] < least:
            break
        groups[one] += groups.pop(other)
        sums[one] = sums[one] + sums.pop(other)
    return groups


def _likeness(embeddings: list[np.ndarray], one: list[int], other: list[int]) -> float:
    """Return the cosine of two groups' means."""
    means = [_unit(np.sum([embeddings[number] for number in group], axis=0)) for group in (one, other)]
    return float(means[0] @ means[1])


def _told_better(seen: list[SeenPhoto], embeddings: list[np.ndarray], encoder: Encoder) -> str:
    """Name the smaller face of a photo with several that looks like the photos beside it, if there is one."""
    for number, each in enumerate(seen):
        beside = _unit(np.sum(embeddings[:number] + embeddings[number + 1 :], axis=0))
        likeness = [float(encoder.embed(each.rgb, face) @ beside) for face in each.faces]
        best = int(np.argmax(likeness))
        if each.photo.face is None and best > 0 and likeness[best] >= _SAME_PERSON:
            return f"{each.photo.name}#{best + 1} looks like the others; "
    return ""


def _told_people(seen: list[SeenPhoto], people: list[list[int]]) -> str:
    return " / ".join(", ".join(seen[number].photo.name for number in group) for group in people)


def find_faces(rgb: np.ndarray, detect: Detect) -> tuple[np.ndarray, Detections]:
    """Return the faces of a portrait, the largest first, and the picture they lie in: with room around tight ones."""
    faces = detect.search(rgb)
    if faces:
        return rgb, faces
    margin = round(min(rgb.shape[:2]) * _BORDER)
    roomy = cv2.copyMakeBorder(rgb, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    return roomy, detect.search(roomy)


def _unit(vector: np.ndarray) -> np.ndarray:
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)
