"""Make awkward clips and read results back with ffmpeg's own program: an oracle that shares no code with ours."""

import re
import subprocess
from fractions import Fraction
from pathlib import Path

import ffmpeg
import imageio_ffmpeg
import numpy as np

from faceswap_cli.media.disclosure import DIGITAL_SOURCE_TYPE
from faceswap_cli.media.reader import open_clip
from faceswap_cli.media.writer import ClipWriter, WriteReport, plan_output
from faceswap_cli.options import Options
from faceswap_cli.types import Patch, Swapped

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def run_ffmpeg(*arguments: str | Path) -> bytes:
    """Run ffmpeg and give what it writes to stdout."""
    command = [FFMPEG, "-y", "-v", "error", "-nostdin", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True).stdout


def make_clip(path: Path, *options: str, seconds: float = 1, rate: str = "25", size: str = "160x120") -> Path:
    """Make a clip of a moving test picture with a tone; `options` go to the encoder."""
    picture = f"testsrc2=s={size}:r={rate}:d={seconds}"
    tone = f"sine=f=440:r=44100:d={seconds}"
    run_ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-threads", "1", *options, path)
    return path


def frame_times(path: Path) -> list[Fraction]:
    """Read the time of every picture."""
    frames = ffmpeg.input(str(path)).output(
        "-", format="framemd5", map="0:v:0", fps_mode="passthrough", enc_time_base="demux", copyts=None
    )
    listing = frames.run(cmd=FFMPEG, capture_stdout=True, quiet=True)[0].decode()
    over, under = re.search(r"#tb 0: (\d+)/(\d+)", listing).groups()
    tick = Fraction(int(over), int(under))
    return [int(line.split(",")[2]) * tick for line in listing.splitlines() if not line.startswith("#")]


def packet_hashes(path: Path, which: str) -> list[str]:
    """Read the digest of every packet of one track, uncoded."""
    listing = run_ffmpeg("-i", path, "-map", which, "-c", "copy", "-f", "framemd5", "-").decode()
    return [line.split(",")[5].strip() for line in listing.splitlines() if not line.startswith("#")]


def packet_times(path: Path, which: str) -> list[Fraction]:
    """Read the start of every packet of one track."""
    listing = run_ffmpeg("-copyts", "-i", path, "-map", which, "-c", "copy", "-f", "framemd5", "-").decode()
    over, under = re.search(r"#tb 0: (\d+)/(\d+)", listing).groups()
    tick = Fraction(int(over), int(under))
    return [int(line.split(",")[2]) * tick for line in listing.splitlines() if not line.startswith("#")]


def track_end(path: Path, which: str) -> Fraction:
    """Read when the last packet of one track ends."""
    listing = run_ffmpeg("-copyts", "-i", path, "-map", which, "-c", "copy", "-f", "framemd5", "-").decode()
    over, under = re.search(r"#tb 0: (\d+)/(\d+)", listing).groups()
    lines = [line.split(",") for line in listing.splitlines() if not line.startswith("#")]
    return max(int(line[2]) + int(line[3]) for line in lines) * Fraction(int(over), int(under))


def pictures(path: Path, pixel_format: str = "gray", turn: bool = True) -> list[bytes]:
    """Decode every picture to raw samples, upright as a player shows it unless `turn` is off."""
    description = describe(path)
    width, height = map(int, re.search(r"Video:.*?(\d{2,5})x(\d{2,5})", description).groups())
    raw = run_ffmpeg(
        *(() if turn else ("-noautorotate",)), "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough",
        "-pix_fmt", pixel_format, "-f", "rawvideo", "-",
    )  # fmt: skip
    size = width * height * {"gray": 1, "rgb24": 3}[pixel_format]
    return [raw[place : place + size] for place in range(0, len(raw), size)]


def describe(path: Path) -> str:
    """Give ffmpeg's own description of a file."""
    return subprocess.run([FFMPEG, "-hide_banner", "-i", path], capture_output=True, check=False).stderr.decode()


def copy_clip(source: Path, output: Path, patches: tuple[Patch, ...] = (), **choices: object) -> WriteReport:
    """Send a clip through our reader and writer, laying the same patches over every frame."""
    options = Options(**choices)
    with open_clip(source) as clip:
        plan = plan_output(clip, output, options)
        with ClipWriter(plan) as writer:
            for frame in clip.frames(plan.start, plan.end, writer.resume_from):
                writer.write(Swapped(frame, patches, faces_found=1))
            return writer.finish()


def planes(picture: object) -> list[np.ndarray]:
    """Give copies of the picture's planes as bytes, without the padding of rows."""
    components = picture.format.components
    depth = 1 if components[0].bits <= 8 else 2
    views = []
    for number, plane in enumerate(picture.planes):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        parts = sum(component.plane == number for component in components)
        views.append(rows[: plane.height, : plane.width * depth * parts].copy())
    return views


def is_disclosed(path: Path) -> bool:
    """Say whether a file's bytes name IPTC's source type for edits by trained models."""
    return DIGITAL_SOURCE_TYPE.encode() in path.read_bytes()
