"""`faceswap demo`: a short clip made from pictures that installed packages carry, then a swap in it.

The target is a moving view of scikit-image's astronaut (NASA, public domain), the source one of the people in
insightface's group picture. Both are read where they are installed; nothing of them is part of this package.
"""

from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import OutputError, UsageError
from ..options import Options
from .arguments import SWAP_FLAGS, AsJson, Quiet, Verbose, takes
from .swapping import show_result
from .terminal import Terminal

if TYPE_CHECKING:
    import av

SOURCE = ("insightface", "data/images/t1.jpg")
PERSON = 3  # of the people in it, the largest face first
TARGET = ("skimage", "data/astronaut.png")
FOLDER = Path("faceswap-demo")
SIDE = 640  # of the clip, pixels
RATE, SECONDS = 25, 3
FROM_VIEW = (256.0, 226.0, 440.0)  # middle, x and y, and width in the picture: the astronaut
TO_VIEW = (226.0, 148.0, 290.0)  # her face
LEAN = 9.0  # degrees to which the camera leans on its way, to either side
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
    picture = _carried(*SOURCE)
    source = picture.with_name(f"{picture.name}#{PERSON}")
    target = output / "target.mp4"
    if options.force or not target.exists():
        _make_clip(target)
    terminal.note(f"source {source}, target {target}")
    with terminal.progress("frames") as progress:
        result = swap_video([source], target, output / "swapped.mp4", replace(options, faces="all"), progress)
    for line in _next_steps(output):
        terminal.note(line)
    show_result(terminal, result, as_json)


def _next_steps(folder: Path) -> list[str]:
    """Give three commands to try next, as they are typed."""
    target = quote(str(folder / "target.mp4"))
    return [
        "to try next, with a photo of your own:",
        f"  faceswap swap-video --source me.jpg --input {target}",
        "  faceswap swap-image --source me.jpg --input photo.jpg --faces all",
        "  faceswap swap-video --source me.jpg --input clip.mp4 --preview 6 --dry-run",
    ]


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
    """Write three seconds of a camera moving over the picture, with a tone."""
    import av

    unfinished = target.with_name("unfinished.mp4")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(unfinished), "w") as container:
            video = container.add_stream("libx264", RATE, options={"crf": "16", "preset": "veryfast"})
            video.width, video.height, video.pix_fmt = SIDE, SIDE, "yuv420p"
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
        x, y, width = (1 - share) * np.array(FROM_VIEW) + share * np.array(TO_VIEW)
        to_clip = cv2.getRotationMatrix2D((x, y), LEAN * np.sin(2 * np.pi * share), SIDE / width)
        to_clip[:, 2] = to_clip[:, 2] + SIDE / 2 - np.array([x, y])
        view = cv2.warpAffine(picture, to_clip, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
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
