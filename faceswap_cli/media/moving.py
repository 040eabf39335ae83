"""Moving WebP and AVIF, which the video library does not read, as clips: unpacked losslessly, in memory.

Such files hold seconds rather than minutes. Each picture keeps its moment to the millisecond, and its transparency.
"""

import io
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from PIL import Image

TICK = Fraction(1, 1000)
OPAQUE = 255
USUAL_DURATION = 40  # ticks, of a picture that tells none
FORMATS = {"RGB": "rgb24", "RGBA": "rgba"}
KEPT_FORMATS = {"RGB": "bgr0", "RGBA": "bgra"}  # the encoder's


def unpacked(path: Path) -> io.BytesIO:
    """Give the pictures as a clip in a file in memory; raises what Pillow raises for a broken one."""
    about = path.stat()
    return io.BytesIO(_content(path, about.st_mtime_ns, about.st_size))


@lru_cache(maxsize=1)
def _content(path: Path, changed: int, size: int) -> bytes:
    """Unpack the file; time of change and size tell whether it is still the one unpacked last."""
    file = io.BytesIO()
    with (
        Image.open(path) as image,
        av.open(file, "w", format="matroska") as out,
    ):
        stream = out.add_stream("ffv1", rate=Fraction(1000, _duration(image)))
        mode = "RGBA" if _shows_through(image) else "RGB"
        (stream.width, stream.height), stream.pix_fmt = image.size, KEPT_FORMATS[mode]
        stream.time_base = stream.codec_context.time_base = TICK
        for picture, pts, duration in _pictures(image, mode):
            picture.pts, picture.time_base, picture.duration = pts, TICK, duration
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return file.getvalue()


def _shows_through(image: Image.Image) -> bool:
    """Say whether any picture is not wholly opaque; WebP's are all given with transparency."""
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        if np.asarray(image.convert("RGBA"))[..., 3].min() < OPAQUE:
            return True
    return False


def _pictures(image: Image.Image, mode: str) -> Iterator[tuple[av.VideoFrame, int, int]]:
    """Give each picture with its moment and duration in ticks."""
    pts = 0
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        samples = np.asarray(image.convert(mode))  # loads the picture, and with it how long it is shown
        duration = _duration(image)
        yield av.VideoFrame.from_ndarray(samples, format=FORMATS[mode]), pts, duration
        pts += duration


def _duration(image: Image.Image) -> int:
    """Return how long the loaded picture is shown, in ticks."""
    image.load()
    return round(image.info.get("duration") or 0) or USUAL_DURATION
