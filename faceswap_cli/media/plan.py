"""Decide before the first frame how a clip will be written, and refuse at once what cannot be.

Nothing is touched here: a plan only says where, in which container, codec and pixel format, and what will not be kept.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path

from ..errors import OutputError, UsageError
from ..options import Options
from .encoders import encoder_options, encoder_threads, nearest_format
from .orientation import UPRIGHT, Orientation
from .photo_formats import PHOTO_FORMATS
from .reader import Clip
from .sequence import is_sequence, members

Seal = Callable[[Path], None]  # the last touch to a whole file, before it gets its name
DIGESTED_BYTES = 1 << 20  # of the input's beginning and end


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What a kind of file can hold."""

    muxer: str
    codecs: tuple[str, ...]  # the default first
    deep_codec: str = "hevc"  # the default for more than 8 bits
    sound_codec: str | None = None  # the encoder for sound it does not take as it is
    text_codec: str | None = None  # the same for text subtitles
    keeps_rotation: bool = True
    keeps_variable_rate: bool = True
    starts_at_zero: bool = False  # no time before 0: one packet there would push all others back
    holds_attachments: bool = False
    holds_covers: bool = False


MP4 = Container(
    muxer="mp4",
    codecs=("h264", "hevc", "av1", "vp9"),
    sound_codec="aac",
    text_codec="mov_text",
    holds_covers=True,
)
MOV = replace(MP4, muxer="mov", codecs=("h264", "hevc", "prores"), holds_covers=False)
MATROSKA = Container(
    muxer="matroska",
    codecs=("h264", "hevc", "av1", "vp9", "ffv1", "prores"),
    sound_codec="libopus",
    text_codec="subrip",
    starts_at_zero=True,
    holds_attachments=True,
)
WEBM = Container(
    muxer="webm",
    codecs=("vp9", "av1"),
    deep_codec="av1",
    sound_codec="libopus",
    text_codec="webvtt",
    starts_at_zero=True,
)
AVI = Container(
    muxer="avi",
    codecs=("h264", "ffv1"),
    deep_codec="h264",
    sound_codec="libmp3lame",
    keeps_rotation=False,
    keeps_variable_rate=False,
    starts_at_zero=True,
)
STILLS = Container(muxer="numbered photos", codecs=("ffv1",), deep_codec="ffv1", keeps_rotation=False)
GIF = Container(muxer="gif", codecs=("ffv1",), deep_codec="ffv1", keeps_rotation=False)
CONTAINERS = {".mp4": MP4, ".m4v": MP4, ".mov": MOV, ".mkv": MATROSKA, ".webm": WEBM, ".avi": AVI, ".gif": GIF}

# Options that change nothing in the frames: a run resumes although they differ.
INCIDENTAL_OPTIONS = frozenset({"report", "force", "offline", "disclosure", "sign", "certificate", "key"})


@dataclass(frozen=True, slots=True)
class WritePlan:
    """How one clip becomes one file."""

    clip: Clip
    output: Path
    container: Container
    codec: str
    pixel_format: str
    encoder_options: dict[str, str]
    threads: int
    time_base: Fraction  # of the pictures in the output
    start: Fraction | None  # of the part kept, seconds after the clip's first picture
    end: Fraction | None
    force: bool
    fingerprint: str  # of all that decides what the frames are
    quality: int  # 0..100
    disclosure: bool  # whether the metadata says that it was edited with AI
    model: str  # the generator's name, for the disclosure
    notes: tuple[str, ...]  # what will not be as in the input, for people

    @property
    def work_folder(self) -> Path:
        """Where the finished stretches wait, beside the output."""
        return self.output.with_name(f".{self.output.name}.faceswap")

    @property
    def turned_by(self) -> Orientation:
        """How pictures are turned before encoding: only where the container cannot say how they lie."""
        return UPRIGHT if self.container.keeps_rotation else self.clip.orientation

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the encoded pictures."""
        return self.turned_by.upright_size(self.clip.stored_width, self.clip.stored_height)

    @property
    def end_time(self) -> Fraction | None:
        """The end by the clip's own clock."""
        return None if self.end is None else self.end + self.clip.start_time


def plan_output(clip: Clip, output: Path | None, options: Options, recipe: str = "") -> WritePlan:
    """Plan how `clip` is written to `output` (None: beside it; a folder: inside it).

    `recipe` is a digest of everything else the frames depend on (source photos, weights); a run resumes only under the
    same one. Raises UsageError or OutputError for what cannot be written.
    """
    numbered = is_sequence(clip.path if output is None or os.path.isdir(output) else output)
    output = output_path(clip.path, output, tuple(PHOTO_FORMATS if numbered else CONTAINERS), options.force)
    container = STILLS if numbered else CONTAINERS[output.suffix.lower()]
    codec = _codec(clip, container, output, options)
    pixel_format = nearest_format(codec, clip.pixel_format, clip.stored_width, clip.stored_height)
    settings = encoder_options(codec, options.quality, options.preset, pixel_format)
    if container is AVI and codec == "h264":
        settings["bf"] = "0"  # the container has no timestamps: pictures must be stored in the order they are shown
    threads = encoder_threads()
    decided = [codec, pixel_format, settings, threads]
    return WritePlan(
        clip=clip,
        output=output,
        container=container,
        codec=codec,
        pixel_format=pixel_format,
        encoder_options=settings,
        threads=threads,
        time_base=clip.time_base if container.keeps_variable_rate else 1 / clip.average_rate,
        start=options.start,
        end=options.end,
        force=options.force,
        quality=options.quality,
        disclosure=options.disclosure,
        model=options.model_name,
        fingerprint=_fingerprint(clip.path, [*decided, _choices(options), recipe]),
        notes=tuple(_notes(clip, container, codec, pixel_format)),
    )


def output_path(input_path: Path, output: Path | None, suffixes: tuple[str, ...], force: bool) -> Path:
    """Settle where to write: `<input>_swapped.<ext>` by default or inside a folder, and check that one may.

    `suffixes` are those we can write, the default first. Raises UsageError for an unknown extension or the input
    itself, OutputError for a missing folder or an existing file (without `force`).
    """
    own = input_path.suffix if input_path.suffix.lower() in suffixes else suffixes[0]
    name = f"{input_path.stem}_swapped{own}"
    output = input_path.with_name(name) if output is None else output
    output = output / name if os.path.isdir(output) else output  # unlike Path.is_dir, takes names of any length
    if output.suffix.lower() not in suffixes:
        raise UsageError(f"cannot write {output.suffix or 'a file without extension'!r}: use {', '.join(suffixes)}")
    if not os.path.isdir(output.parent):
        raise OutputError(f"folder {output.parent} does not exist: make it first")
    if os.path.exists(output) and os.path.samefile(output, input_path):
        raise UsageError(f"output {output} is the input itself: give another name")
    if not os.access(output.parent, os.W_OK):
        raise OutputError(f"folder {output.parent} is read-only: choose another output")
    refuse_existing(output, force)
    return output


def refuse_existing(output: Path, force: bool) -> None:
    """Raise OutputError when a file is in the way and may not be replaced."""
    in_the_way = os.path.exists(output) or (is_sequence(output) and members(output))
    if in_the_way and not force:
        raise OutputError(f"{output} exists: use --force to replace it, or another name")


def _codec(clip: Clip, container: Container, output: Path, options: Options) -> str:
    if options.codec is None:
        return container.deep_codec if clip.bits > 8 else container.codecs[0]
    if options.codec not in container.codecs:
        known = ", ".join(container.codecs)
        raise UsageError(f"{output.suffix} files do not hold {options.codec} here: choose one of {known}")
    return options.codec


def _choices(options: Options) -> dict[str, str]:
    names = (field.name for field in fields(options))
    return {name: str(getattr(options, name)) for name in names if name not in INCIDENTAL_OPTIONS}


def _fingerprint(path: Path, parts: list[object]) -> str:
    """Digest the input (size and both ends) and every decision."""
    if is_sequence(path):
        pictures = [(str(each), each.stat().st_size, each.stat().st_mtime_ns) for each in members(path).values()]
        return hashlib.sha256(json.dumps([*parts, pictures], sort_keys=True, default=str).encode()).hexdigest()
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(DIGESTED_BYTES))
        file.seek(max(0, size - DIGESTED_BYTES))
        digest.update(file.read())
    return digest.hexdigest()


def _notes(clip: Clip, container: Container, codec: str, pixel_format: str) -> list[str]:
    notes = []
    if pixel_format.removeprefix("yuvj") != clip.pixel_format.removeprefix("yuvj") and not _same(clip, pixel_format):
        notes.append(f"pixels are written as {pixel_format}, not {clip.pixel_format}: {codec} has nothing nearer")
    if container is STILLS:
        return ["numbered photos hold no times"]
    if container is GIF:
        return ["a GIF holds 256 colours a picture and times in 1/100 s"]
    if not container.keeps_rotation and clip.display_matrix is not None:
        notes.append(f"{container.muxer} cannot say that a picture lies turned: it is turned upright itself")
    if not container.keeps_variable_rate:
        notes.append(f"{container.muxer} holds one frame rate only: times are rounded to 1/{clip.average_rate} s")
    notes.extend(f"{words} are left out" for words in clip.unkept)
    if clip.mastering is not None and codec not in ("h264", "hevc", "av1"):
        notes.append(f"HDR10's static metadata is left out: {codec} does not hold it here")
    if clip.interlaced:
        notes.append("the clip is interlaced: its fields are written as whole pictures")
    return notes


def _same(clip: Clip, pixel_format: str) -> bool:
    return {clip.pixel_format, pixel_format} in ({"nv12", "yuv420p"}, {"p010le", "yuv420p10le"})
