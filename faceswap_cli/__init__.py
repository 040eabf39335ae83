"""Put the face of one person into a photo or film of another.

    from faceswap_cli import Options, swap_image, swap_video
    result = swap_video("me.jpg", "clip.mp4", options=Options(faces="all"))

Nothing heavy is imported before the first swap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .errors import FaceSwapError
from .options import Options

if TYPE_CHECKING:
    from .app.dry_run import plan_image, plan_video, preview_video
    from .app.identity import save_identity
    from .app.swap import Result, swap_image, swap_video
    from .app.tracks import find_tracks
    from .batch.choices import BatchOptions
    from .batch.jobs import Job
    from .batch.runner import swap_many
    from .evaluation.people_folder import find_people
    from .media.people_file import People, Person, Sighting
    from .parts.plan_file import TrackPlan
    from .parts.records import PlannedFrame, PlannedPerson

__all__ = [
    "BatchOptions",
    "FaceSwapError",
    "Job",
    "Options",
    "People",
    "Person",
    "PlannedFrame",
    "PlannedPerson",
    "Result",
    "Sighting",
    "TrackPlan",
    "__version__",
    "find_people",
    "find_tracks",
    "plan_image",
    "plan_video",
    "preview_video",
    "save_identity",
    "swap_image",
    "swap_many",
    "swap_video",
]

_ROOMS = {
    **dict.fromkeys(("plan_image", "plan_video", "preview_video"), ".app.dry_run"),
    **dict.fromkeys(("Result", "swap_image", "swap_video"), ".app.swap"),
    **dict.fromkeys(("People", "Person", "Sighting"), ".media.people_file"),
    **dict.fromkeys(("PlannedFrame", "PlannedPerson"), ".parts.records"),
    "BatchOptions": ".batch.choices",
    "Job": ".batch.jobs",
    "TrackPlan": ".parts.plan_file",
    "find_people": ".evaluation.people_folder",
    "find_tracks": ".app.tracks",
    "save_identity": ".app.identity",
    "swap_many": ".batch.runner",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ROOMS[name], __name__), name)
