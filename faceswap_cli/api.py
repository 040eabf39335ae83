"""Swap faces in a photo or a clip: what the commands call, and what a program calls.

All that can be refused is refused before the first frame; nothing appears under the output's name before it is whole.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ._version import __version__
from .errors import NoFaceError, OutputError
from .extras import load
from .media.disclosure import SILENT_SUFFIXES
from .media.photo import photo_output_path, read_photo, write_photo
from .media.plan import Seal
from .media.reader import Clip, open_clip
from .media.writer import ClipWriter, WriteReport, plan_output
from .models import sha256_of
from .options import Options
from .pipeline import Swapper, Tally
from .stages.bundle import Bundle, find_bundle
from .stages.detect import pack_folder
from .stages.label import draw_label
from .types import Patch

SCHEMA_VERSION = 1

Progress = Callable[[int, int | None], None]  # frames done, frames in all (None when unknown)
Source = str | Path | Sequence[str | Path]


@dataclass(frozen=True, slots=True)
class Result:
    """What a swap did."""

    output: Path
    frames: int
    faces_found: int
    faces_swapped: int
    seconds: float
    notes: tuple[str, ...]  # what a person should know: fallbacks, what is not kept, faces left as they are
    report: dict[str, Any]  # the same and more, as it is written to Options.report


def swap_image(
    source: Source,
    input: str | Path,
    output: str | Path | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Result:
    """Put the face of the person in the source photo, or photos, into another photo.

    `output` None means `<input>_swapped.<ext>` beside the input; an existing folder takes that name inside. Raises
    NoFaceError when no face is found (then nothing is written), and the other classes of `errors` for what they name.
    """
    run = _Run(_paths(source), Path(input), options or Options(), time.monotonic())
    photo = read_photo(run.input)
    target = photo_output_path(photo, Path(output) if output else None, run.options.force)
    seal = _seal(run, target)
    label = _label(run.options, photo.frame.rgb.shape[1], photo.frame.rgb.shape[0])
    swapper, tally = Swapper(_read(run.sources), run.options, label=label), Tally()
    swapped = swapper.photo(photo.frame, tally)
    if not swapped.patches:
        raise _no_face(run, tally)
    not_kept = write_photo(photo, swapped.layers, target, run.options, seal)
    if progress is not None:
        progress(1, 1)
    done = {"frames": 1, "faces_found": swapped.faces_found, "faces_swapped": len(swapped.patches)}
    notes = [*swapper.notes, *not_kept, *_told_others(tally)]
    return _conclude(run, target, notes, done | swapper.networks)


def swap_video(
    source: Source,
    input: str | Path,
    output: str | Path | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Result:
    """Put the face of the person in the source photo, or photos, into a clip.

    Timing, sound, tracks and everything outside the face stay as they are. What a broken run has finished is kept, and
    the same call goes on behind it. `output` and errors are as in `swap_image`.
    """
    run = _Run(_paths(source), Path(input), options or Options(), time.monotonic())
    photos = _read(run.sources)
    with open_clip(run.input) as clip:
        bundle = find_bundle(run.options)
        plan = plan_output(clip, Path(output) if output else None, run.options, _recipe(run, bundle))
        seal = _seal(run, plan.output)
        label = _label(run.options, *clip.orientation.upright_size(clip.stored_width, clip.stored_height))
        swapper, tally = Swapper(photos, run.options, bundle, label), Tally()
        with ClipWriter(plan) as writer:
            _write_frames(clip, swapper, tally, writer, progress)
            if tally.frames_with_face == 0:
                raise _no_face(run, tally)
            written = writer.finish(seal)
    notes = [*swapper.notes, *written.notes, *_told_others(tally)]
    return _conclude(run, written.output, notes, _counted(written, tally) | swapper.networks)


@dataclass(frozen=True, slots=True)
class _Run:
    """What one swap was given, and when."""

    sources: list[Path]
    input: Path
    options: Options
    began: float


def _seal(run: _Run, output: Path) -> Seal | None:
    if not run.options.sign:
        return None
    seal: Seal = load("faceswap_cli.signing").open_seal(run.options, run.input, output)
    return seal


def _label(options: Options, width: int, height: int) -> Patch | None:
    return None if options.label is None else draw_label(options.label, width, height)


def _write_frames(clip: Clip, swapper: Swapper, tally: Tally, writer: ClipWriter, progress: Progress | None) -> None:
    """Swap and write every frame a broken run has not written yet."""
    options = swapper.options
    expected = clip.estimated_frames(options.start, options.end)
    first = writer.resume_from.index if writer.resume_from else 0
    with closing(swapper.frames(clip.frames(options.start, options.end), tally, first)) as frames:
        for swapped in frames:
            writer.write(swapped)
            if progress is not None:
                done = swapped.frame.index + 1
                progress(done, max(expected, done) if expected else None)


def _recipe(run: _Run, bundle: Bundle) -> str:
    """Digest what the swapped pixels depend on beside the clip and the options: photos, networks, our version."""
    networks = [part.path for part in (bundle.generator, bundle.encoder, bundle.parser) if part is not None]
    detectors = sorted(pack_folder(run.options.face_pack).glob("*.onnx"))
    digests = [sha256_of(path) for path in [*run.sources, *networks, *detectors]]
    return hashlib.sha256("\n".join([__version__, *digests]).encode()).hexdigest()


def _counted(written: WriteReport, tally: Tally) -> dict[str, Any]:
    names = ("frames", "resumed_frames", "faces_found", "faces_swapped", "size", "codec", "encoder", "pixel_format")
    return {name: getattr(written, name) for name in names} | {"frames_with_face": tally.frames_with_face}


def _conclude(run: _Run, output: Path, notes: list[str], done: dict[str, Any]) -> Result:
    """Make the result, and write its report where one is wanted."""
    seconds = time.monotonic() - run.began
    report = {
        "schema_version": SCHEMA_VERSION,
        "faceswap_version": __version__,
        "sources": [str(path) for path in run.sources],
        "input": str(run.input),
        "output": str(output),
        **done,
        "disclosure": run.options.disclosure and output.suffix.lower() not in SILENT_SUFFIXES,
        "signed": run.options.sign,
        "seconds": round(seconds, 3),
        "options": {name: str(value) for name, value in asdict(run.options).items() if value is not None},
        "notes": notes,
    }
    if run.options.report is not None:
        _write_report(run.options.report, report)
    counts = (done["frames"], done["faces_found"], done["faces_swapped"])
    return Result(output, *counts, seconds, tuple(notes), report)


def _write_report(path: Path, report: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(report, indent=1), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"report {path} cannot be written: {error.strerror}; the result itself is done") from error


def _told_others(tally: Tally) -> list[str]:
    if tally.most_left == 0:
        return []
    return [f"up to {tally.most_left} more face(s) in a picture were left as they are: --faces all swaps them too"]


def _no_face(run: _Run, tally: Tally) -> NoFaceError:
    where = f"any of the {tally.frames} frames of {run.input.name}" if tally.frames > 1 else run.input.name
    return NoFaceError(
        f"no face found in {where}: nothing is written; lower --det-threshold or --min-face to look closer"
    )


def _paths(source: Source) -> list[Path]:
    several = [source] if isinstance(source, str | Path) else source
    return [Path(each) for each in several]


def _read(sources: list[Path]) -> list[Any]:
    return [read_photo(path).frame for path in sources]
