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
from .choice import Encoding, choose_encoding, notes_on_pixels
from .encoders import HDR_WORDS, bits_of, encoder_threads, is_coarser_one_way, is_rgb
from .fingerprint import digest_ends
from .orientation import UPRIGHT, Orientation
from .photo_formats import NUMBERED_FORMATS
from .rate import even_rate
from .reader import Clip
from .sequence import is_numbered, is_sequence, members, metadata_of_first

Seal = Callable[[Path], None]  # the last touch to a whole file, before it gets its name
LOSSLESS_PHOTOS = (".png", ".tif", ".tiff")
# Tags a muxer writes itself, or that describe the old pictures: never copied.
OWN_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration"})
LONGEST_ADDITION = 13  # letters behind an output's name, with a dot before it, while it is unfinished


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
    tick: Fraction | None = None  # what times are rounded to, where they are
    misplaces: frozenset[str] = frozenset()  # sound it takes, but plays at wrong times
    begins_at_once: bool = False  # every track begins at the file's beginning: no offset can be said
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
    tick=Fraction(1, 1000),
    starts_at_zero=True,
    holds_attachments=True,
)
WEBM = Container(
    muxer="webm",
    codecs=("vp9", "av1"),
    deep_codec="av1",
    sound_codec="libopus",
    text_codec="webvtt",
    tick=Fraction(1, 1000),
    starts_at_zero=True,
)
AVI = Container(
    muxer="avi",
    codecs=("h264", "ffv1"),
    deep_codec="h264",
    sound_codec="libmp3lame",
    keeps_rotation=False,
    keeps_variable_rate=False,
    misplaces=frozenset({"vorbis", "flac"}),
    begins_at_once=True,
    starts_at_zero=True,
)
STILLS = Container(muxer="numbered photos", codecs=("ffv1",), deep_codec="ffv1", keeps_rotation=False)
GIF = Container(muxer="gif", codecs=("ffv1",), deep_codec="ffv1", keeps_rotation=False)
CONTAINERS = {".mp4": MP4, ".m4v": MP4, ".mov": MOV, ".mkv": MATROSKA, ".webm": WEBM, ".avi": AVI, ".gif": GIF}

# Options that change nothing in the frames: a run resumes although they differ.
INCIDENTAL_OPTIONS = frozenset(
    {"report", "force", "offline", "disclosure", "sign", "certificate", "key", "plan", "workers", "parts", "ray"}
)


@dataclass(frozen=True, slots=True)
class WritePlan:
    """How one clip becomes one file."""

    clip: Clip
    output: Path
    container: Container
    codec: str
    encoder: str  # its name in the library
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
        return _turn(self.clip, self.container)

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
    if output is not None:
        _refuse_numbers(output)
    output = output_path(clip.path, output, NUMBERED_FORMATS if numbered else tuple(CONTAINERS), options.force)
    container = STILLS if numbered else CONTAINERS[output.suffix.lower()]
    _refuse_pixels(container, output, clip, options)
    codec = _codec(clip, container, output, options)
    size = _turn(clip, container).upright_size(clip.stored_width, clip.stored_height)
    encoding, notes = choose_encoding(clip, codec, size, options)
    settings = dict(encoding.options)
    if container is AVI and codec == "h264":
        settings["bf"] = "0"  # the container has no timestamps: pictures must be stored in the order they are shown
    one_rate = None if container.keeps_variable_rate else even_rate(clip, options.start, options.end)
    threads = encoder_threads()
    decided = [codec, encoding.library, encoding.pixel_format, settings, threads]
    return WritePlan(
        clip=clip,
        output=output,
        container=container,
        codec=codec,
        encoder=encoding.library,
        pixel_format=encoding.pixel_format,
        encoder_options=settings,
        threads=threads,
        time_base=clip.time_base if container.keeps_variable_rate else 1 / (one_rate or clip.average_rate),
        start=options.start,
        end=options.end,
        force=options.force,
        disclosure=options.disclosure,
        model=options.model_name,
        quality=100 if options.lossless else options.quality,
        fingerprint=_fingerprint(clip.path, [*decided, _choices(options), recipe]),
        notes=(
            *notes,
            *_notes(clip, container, codec, encoding, asked=options.pix_fmt is not None),
            *_notes_on_times(container, clip.average_rate, one_rate),
        ),
    )


def _refuse_numbers(output: Path) -> None:
    """Refuse numbers in the name of what is no photo we write; the name of a clip, but for a GIF, may hold any."""
    suffix = output.suffix.lower()
    if is_numbered(output) and suffix not in NUMBERED_FORMATS and CONTAINERS.get(suffix, GIF) is GIF:
        kind = f"{output.suffix} files" if suffix else "files without extension"
        written = ", ".join(sorted(NUMBERED_FORMATS))
        raise UsageError(f"{output.name}: numbered {kind} cannot be written, only {written}")


def output_path(input_path: Path, output: Path | None, suffixes: tuple[str, ...], force: bool) -> Path:
    """Settle where to write: `<input>_swapped.<ext>` by default or inside a folder, and check that one may.

    `suffixes` are those we can write, the default first. Raises UsageError for an unknown extension or the input
    itself, OutputError for a missing or read-only folder, a name the system refuses, or an existing file (without
    `force`).
    """
    own = input_path.suffix if input_path.suffix.lower() in suffixes else suffixes[0]
    name = f"{input_path.stem}_swapped{own}"
    output = input_path.with_name(name) if output is None else output
    output = output / name if os.path.isdir(output) else output  # unlike Path.is_dir, takes names of any length
    if output.suffix.lower() not in suffixes:
        raise UsageError(f"cannot write {output.suffix or 'a file without extension'!r}: use {', '.join(suffixes)}")
    if os.path.isfile(output.parent):
        raise OutputError(f"{output.parent} is a file, not a folder: choose another output")
    if not os.path.isdir(output.parent):
        raise OutputError(f"folder {output.parent} does not exist: make it first")
    if _is_input(output, input_path):
        raise UsageError(f"output {output} is the input itself: give another name")
    if not os.access(output.parent, os.W_OK):
        raise OutputError(f"folder {output.parent} is read-only: choose another output")
    _refuse_unusable_name(output)
    refuse_existing(output, force)
    return output


def _is_input(output: Path, input_path: Path) -> bool:
    """Tell whether writing would replace the input, or one of its numbered pictures."""
    inputs = members(input_path).values() if is_sequence(input_path) else [input_path]
    if is_sequence(output):
        written = {os.path.realpath(each) for each in members(output).values()}
        return any(os.path.realpath(each) in written for each in inputs)
    return os.path.exists(output) and any(os.path.samefile(output, each) for each in inputs)


def _refuse_unusable_name(output: Path) -> None:
    """Ask the system for the longest name that is made beside the output while it is unfinished."""
    try:
        os.lstat(output.with_name(f".{output.name}{'x' * LONGEST_ADDITION}"))
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror}") from error


def refuse_existing(output: Path, force: bool) -> None:
    """Raise OutputError when a file is in the way and may not be replaced."""
    in_the_way = os.path.exists(output) or (is_sequence(output) and members(output))
    if in_the_way and not force:
        raise OutputError(f"{output} exists: use --force to replace it, or another name")


def _codec(clip: Clip, container: Container, output: Path, options: Options) -> str:
    if options.codec is None:
        bits = bits_of(options.pix_fmt) if options.pix_fmt else clip.bits
        return container.deep_codec if bits > 8 else container.codecs[0]
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
    digest_ends(path, digest)
    return digest.hexdigest()


def _turn(clip: Clip, container: Container) -> Orientation:
    return UPRIGHT if container.keeps_rotation else clip.orientation


def _turns_colour(clip: Clip, container: Container) -> bool:
    """Say whether rows become columns where colour is coarser in one direction: it is sampled anew then."""
    return not container.keeps_rotation and clip.orientation.transpose and is_coarser_one_way(clip.pixel_format)


def _refuse_pixels(container: Container, output: Path, clip: Clip, options: Options) -> None:
    """Refuse what GIF's and photos' own encoders decide, and losslessness where pictures are made anew."""
    if options.lossless and _turns_colour(clip, container):
        raise UsageError(f"{clip.pixel_format} cannot be turned upright losslessly for {output.suffix}: write .mkv")
    if container not in (GIF, STILLS):
        return
    if options.pix_fmt is not None:
        raise UsageError(f"{output.suffix} files decide their pixel format themselves: leave --pix-fmt out")
    exact = output.suffix.lower() in LOSSLESS_PHOTOS and is_rgb(clip.pixel_format)
    if options.lossless and not exact:
        raise UsageError(f"{clip.pixel_format} in {output.suffix} cannot be lossless: write ffv1 in .mkv")


def _notes(clip: Clip, container: Container, codec: str, encoding: Encoding, asked: bool) -> list[str]:
    notes = [*clip.joints_foreseen.told(), *(f"{words} are left out" for words in clip.unkept)]
    notes += [f"{words} of the numbered photos are left out" for words in metadata_of_first(clip.path)]
    if not container.keeps_rotation and clip.display_matrix is not None:
        notes.append(f"{container.muxer} cannot say that a picture lies turned: it is turned upright itself")
    if _turns_colour(clip, container):
        notes.append(f"colour of {clip.pixel_format} gets coarser, since rows become columns")
    if clip.mastering is not None and (encoding.library not in HDR_WORDS or container in (GIF, STILLS)):
        notes.append(f"HDR10's static metadata is left out: {_holder(container, encoding)} does not hold it here")
    if clip.interlaced:
        notes.append("the clip is interlaced: its fields are written as whole pictures")
    if container in (GIF, STILLS):
        return [*notes, *_notes_on_bare_pictures(clip, container)]
    return [*notes_on_pixels(clip, codec, encoding.pixel_format, asked), *notes]


def _notes_on_times(container: Container, rate: Fraction, one_rate: Fraction | None) -> list[str]:
    """Say when pictures come at moments that a container of one frame rate cannot hold."""
    if container.keeps_variable_rate or one_rate is not None:
        return []
    step = f"{float(1000 / rate):.4g} ms"
    return [f"{container.muxer} holds one frame rate only: times are rounded to steps of {step}"]


def _holder(container: Container, encoding: Encoding) -> str:
    return container.muxer if container in (GIF, STILLS) else encoding.library


def _notes_on_bare_pictures(clip: Clip, container: Container) -> list[str]:
    """Say what files lose that hold pictures and little else."""
    notes = ["numbered photos hold no times"]
    if container is GIF:
        notes = ["a GIF holds 256 colours a picture, transparency on or off, and times in 1/100 s"]
    if clip.chapters:
        notes.append(f"{len(clip.chapters)} chapters are left out: {container.muxer} does not hold them")
    lost = [name for name in clip.metadata if name.lower() not in OWN_TAGS]
    return [*notes, f"tags that {container.muxer} did not take: {', '.join(sorted(lost))}"] if lost else notes
