"""Count what a run meets: frames, faces, and why faces were left as they are."""

from dataclasses import dataclass

from .track import Located


@dataclass(slots=True)
class Tally:
    """What a run has met so far."""

    frames: int = 0
    frames_with_face: int = 0
    faces_too_small: int = 0  # smaller than Options.min_face, not counted among those found
    faces_left: int = 0  # found, and not among those chosen
    most_left: int = 0  # of them in one frame

    def add(self, located: Located) -> None:
        """Count one frame."""
        left = located.faces_found - len(located.faces)
        self.frames += 1
        self.frames_with_face += bool(located.faces)
        self.faces_left += left
        self.most_left = max(self.most_left, left)
