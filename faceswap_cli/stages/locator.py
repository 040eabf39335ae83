"""Find and follow the faces of a clip's frames, one after another: the first two steps of a frame's way, as one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..types import Frame
from .track import Track
from .watch import Watch


@dataclass(frozen=True, slots=True, eq=False)
class Locator:
    """What knows the frames so far; between two of them it can be written down, and given back to another."""

    watch: Watch
    track: Track

    def state(self) -> dict[str, Any]:
        """Return what it knows, ready for JSON."""
        return {"watch": self.watch.state(), "track": self.track.state()}

    def restore(self, state: Mapping[str, Any], frames: Mapping[int, Frame]) -> None:
        """Take what `state` returned of one of the same making; see `Resumable`."""
        self.watch.restore(state["watch"], frames)
        self.track.restore(state["track"], frames)
