"""Say how well a photo does as a source, once, before the first frame: which of it makes a swap that nobody believes.

What is measured is told in `quality_gauge.py`. Nobody is refused; people are told what spoils a swap. Shut eyes and an
open mouth are measured and spoil none: a target keeps its own eyes, and mouths are shut before they lie.
"""

from dataclasses import asdict, dataclass
from typing import Any

_ENOUGH = 448.0  # pixels from which a larger face is no better known: a crop has no more


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a photo does not do."""

    turned: float = 37.0  # degrees of yaw, to either side
    tilted: float = 30.0  # degrees of pitch, up or down
    small: float = 60.0  # pixels: shorter side of the face's box
    blurred: float = 1.4  # sharpness of its edges, see `softness.py`
    visible: float = 0.95  # share of what lies between eyes and mouth
    lenses: float = 0.5  # share of the eyes that lenses hide
    colours: float = 30.0  # between the halves of a face, a and b of CIELAB


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured of a face in a photo; what needs a parser is as in a good photo where there is none."""

    yaw: float  # degrees, positive where the face looks towards the picture's right edge
    pitch: float  # degrees, positive where it looks up
    size: float  # pixels: shorter side of its box in the photo
    frontality: float  # 1 into the camera, 0 past it
    sharpness: float  # across or down, whichever is sharper: 1.2 in a blurred film, 2 in a photo
    visible: float = 1.0  # share of what lies between eyes and mouth, 0..1
    lenses: float = 0.0  # share of the eyes that lenses hide, 0..1
    eyes: float | None = None  # area of the larger eye, over the squared distance of both; None behind glasses
    mouth: float = 0.0  # height of what shows between the lips, over the mouth's width
    colours: float = 0.0  # difference of the skin's colour on either side, a and b of CIELAB

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Return what is wrong with the photo, each with how one would be that works better."""
        found = (
            (abs(self.yaw) > LIMITS.turned, f"the head is turned {abs(self.yaw):.0f} degrees", "from the front"),
            (abs(self.pitch) > LIMITS.tilted, f"the face looks {self._way} the camera", "at the height of the eyes"),
            (self.size < LIMITS.small, f"the face is {int(self.size)} pixels wide", "with a larger face"),
            (self.sharpness < LIMITS.blurred, "the face is blurred", "in focus"),
            (self.visible < LIMITS.visible, "part of the face is covered", "with nothing before the face"),
            (self.lenses > LIMITS.lenses, "dark lenses hide the eyes", "without them"),
            (self.colours > LIMITS.colours, "light of two colours falls on the face", "in light of one colour"),
        )
        return tuple((what, better) for is_so, what, better in found if is_so)

    @property
    def merit(self) -> tuple[bool, float]:
        """Return by what photos of one person are compared, the larger the better: sound, looking ahead, and large."""
        return not self.faults, self.frontality * min(self.size, _ENOUGH)

    @property
    def _way(self) -> str:
        return "over" if self.pitch > 0 else "below"

    def as_record(self) -> dict[str, Any]:
        """Return what JSON shows."""
        measured = {name: value if value is None else round(value, 3) for name, value in asdict(self).items()}
        return measured | {"faults": [what for what, _ in self.faults]}

    def told(self, name: str) -> list[str]:
        """Say in a line what is wrong with a photo of that name, and what would be better; nothing of a good one."""
        if not self.faults:
            return []
        wrong, better = (list(words) for words in zip(*self.faults, strict=True))
        return [f"{name}: {_joined(wrong)}: a photo {_joined(better)} works better"]


@dataclass(frozen=True, slots=True)
class JudgedPhoto:
    """A photo of a source, and whether it is the one whose pixels are laid."""

    name: str
    quality: Quality
    taken: bool

    def as_record(self) -> dict[str, Any]:
        """Return what JSON shows."""
        return {"photo": self.name, "taken": self.taken} | self.quality.as_record()


def judged(names: list[str], qualities: list[Quality]) -> tuple[JudgedPhoto, ...]:
    """Return photos of one person; the best of them is taken, of equal ones the first."""
    best = max(range(len(names)), key=lambda number: qualities[number].merit)
    return tuple(
        JudgedPhoto(name, quality, number == best)
        for number, (name, quality) in enumerate(zip(names, qualities, strict=True))
    )


def _joined(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
