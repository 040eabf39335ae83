"""Put the face of one person into a photo or film of another.

    from faceswap_cli import Options, swap_image, swap_video
    result = swap_video("me.jpg", "clip.mp4", options=Options(faces="all"))

Nothing heavy is imported before the first swap.
"""

from typing import TYPE_CHECKING, Any

from ._version import __version__
from .errors import FaceSwapError
from .options import Options

if TYPE_CHECKING:
    from .app.dry_run import plan_image, plan_video, preview_video
    from .app.swap import Result, swap_image, swap_video

__all__ = [
    "FaceSwapError",
    "Options",
    "Result",
    "__version__",
    "plan_image",
    "plan_video",
    "preview_video",
    "swap_image",
    "swap_video",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .app import dry_run, swap

    return getattr(dry_run if name.startswith(("plan_", "preview_")) else swap, name)
