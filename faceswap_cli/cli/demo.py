"""`faceswap demo`: a short clip made from pictures that installed packages carry, then a swap in it.

The source is scikit-image's astronaut (NASA, public domain), the target a moving view of insightface's group picture.
Both are read where they are installed; nothing of them is part of this package.
"""

from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import OutputError, UsageError
from ..options import Options
from .arguments import SWAP_FLAGS, AsJson, Quiet, Verbose, takes
from .swapping import show_result
from .terminal import Terminal

if TYPE_CHECKING:
    import av

SOURCE = ("skimage", "data/astronaut.png")
TARGET = ("insightface", "data/images/t1.jpg")
FOLDER = Path("faceswap-demo")
SIZE = (960, 540)  # of the clip, pixels
RATE, SECONDS = 25, 3
FROM_VIEW = (400.0, 190.0, 640.0)  # left, top, width in the group picture: two laughing men
TO_VIEW = (425.0, 205.0, 490.0)
SOUND_RATE, SOUND_BLOCK, PITCH = 48000, 1024, 440.0

FLAGS = {name: SWAP_FLAGS[name] for name in ("model", "face_pack", "device", "threads", "force")}


@takes(Options, FLAGS)
def demo(
    *,
    output: Annotated[Path, typer.Option("--output", metavar="PATH", help="Folder for the two clips.")] = FOLDER,
    options: Options,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Make a short clip, swap the faces in it and say where it is.

    \b
    Example:
      faceswap demo --output /tmp/demo
    """
    from dataclasses import replace

    from .. import swap_video

    terminal = Terminal(verbose, quiet)
    source = _carried(*SOURCE)
    target = output / "target.mp4"
    if options.force or not target.exists():
        _make_clip(target)
    terminal.note(f"source {source}, target {target}")
    with terminal.progress("frames") as progress:
        result = swap_video([source], target, output / "swapped.mp4", replace(options, faces="all"), progress)
    show_result(terminal, result, as_json)


def _carried(package: str, name: str) -> Path:
    """Return a picture inside an installed package, without importing the package."""
    spec = find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    path = Path(*folders[:1], name)
    if not path.is_file():
        raise UsageError(
            f"{package} is installed without {name}, which the demo shows: give your own clip to swap-video"
        )
    return path


def _make_clip(target: Path) -> None:
    """Write three seconds of a camera moving over the group picture, with a tone."""
    import av

    unfinished = target.with_name("unfinished.mp4")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(unfinished), "w") as container:
            video = container.add_stream("libx264", RATE, options={"crf": "16", "preset": "veryfast"})
            video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
            sound = container.add_stream("aac", SOUND_RATE, layout="mono")
            for frame in _views():
                container.mux(video.encode(frame))
            for block in _tone():
                container.mux(sound.encode(block))
            container.mux(video.encode(None))
            container.mux(sound.encode(None))
        unfinished.replace(target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}; choose another --output") from error


def _views() -> "Iterator[av.VideoFrame]":
    import av
    import cv2
    import numpy as np

    picture = np.asarray(cv2.imread(str(_carried(*TARGET))), np.uint8)
    for index in range(RATE * SECONDS):
        share = (1 - np.cos(np.pi * index / (RATE * SECONDS - 1))) / 2
        left, top, width = (1 - share) * np.array(FROM_VIEW) + share * np.array(TO_VIEW)
        scale = SIZE[0] / width
        to_clip = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
        view = cv2.warpAffine(picture, to_clip, SIZE, flags=cv2.INTER_CUBIC)
        frame = av.VideoFrame.from_ndarray(view.astype(np.uint8), format="bgr24")
        frame.pts, frame.time_base = index, Fraction(1, RATE)
        yield frame


def _tone() -> "Iterator[av.AudioFrame]":
    import av
    import numpy as np

    for start in range(0, SOUND_RATE * SECONDS, SOUND_BLOCK):
        moments = np.arange(start, start + SOUND_BLOCK, dtype=np.float32) / SOUND_RATE
        wave: np.ndarray = 0.2 * np.sin(2 * np.pi * PITCH * moments)
        block = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), format="fltp", layout="mono")
        block.pts, block.sample_rate, block.time_base = start, SOUND_RATE, Fraction(1, SOUND_RATE)
        yield block
