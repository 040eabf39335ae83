"""Count what a run meets: frames, faces, and why faces were left as they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..types import NO_FACE, TURNED, Detections, Frame, PassedOver, Swapped
from .attendance import Attendance
from .track import Located


@dataclass(slots=True)
class Tally:
    """What a run has met so far."""

    frames: int = 0
    frames_with_face: int = 0
    faces_too_small: int = 0  # smaller than Options.min_face, not counted among those found
    faces_unsure: int = 0  # short of the detection threshold, not counted among those found
    surest: float = 0.0  # best score among them
    faces_left: int = 0  # found, and not among those chosen
    most_left: int = 0  # of them in one frame
    faces_chosen: int = 0  # found, and to be swapped
    faces_turned: int = 0  # of these, turned aside by more than Options.max_turn
    no_faces: int = 0  # of these, taken for faces though they have neither eyes, brows nor a mouth
    faces_empty: int = 0  # of these, those of whose swap nothing is to be seen for another reason
    attendance: Attendance = field(default_factory=Attendance)

    @property
    def shows_a_swap(self) -> bool:
        """Tell whether anything of any swap is to be seen, as far as it is known."""
        return self.faces_chosen > self.faces_turned + self.no_faces + self.faces_empty

    def pass_over(self, frame: Frame, found: Detections) -> None:
        """Count what one look at a picture did not take for a face to be swapped."""
        self.faces_too_small += found.too_small
        self.faces_unsure += len(found.unsure)
        self.surest = max((self.surest, *found.unsure))
        self.attendance.pass_over(frame, found.passed_over)

    def passed_over(self, pts: int) -> Sequence[PassedOver]:
        """Return what was passed over in a frame, told by its time, that was not added yet."""
        return self.attendance.passed_over(pts)

    def add(self, located: Located) -> None:
        """Count one frame."""
        left = located.faces_found - len(located.faces)
        self.frames += 1
        self.frames_with_face += bool(located.faces)
        self.faces_left += left
        self.faces_chosen += len(located.faces)
        self.most_left = max(self.most_left, left)
        self.attendance.add(located)

    def miss(self, swapped: Swapped) -> None:
        """Note what the swap of the frame counted last left undone."""
        turned, others = (sum(each.why == why for each in swapped.missed) for why in (TURNED, NO_FACE))
        self.faces_turned += turned
        self.no_faces += others
        self.faces_empty += len(swapped.missed) - turned - others
        self.attendance.miss(swapped)
