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
    from .app.swap import Result, swap_image, swap_video
    from .batch.choices import BatchOptions
    from .batch.jobs import Job
    from .batch.runner import swap_many

__all__ = [
    "BatchOptions",
    "FaceSwapError",
    "Job",
    "Options",
    "Result",
    "__version__",
    "plan_image",
    "plan_video",
    "preview_video",
    "swap_image",
    "swap_many",
    "swap_video",
]

_WHERE = dict.fromkeys(("plan_image", "plan_video", "preview_video"), "app.dry_run") | {
    "BatchOptions": "batch.choices",
    "Job": "batch.jobs",
    "swap_many": "batch.runner",
}  # what lies elsewhere than in app/swap.py


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE.get(name, 'app.swap')}", __name__), name)
