"""Swap faces in a photo or a clip: what the commands call, and what a program calls.

All that can be refused is refused before the first frame; nothing appears under the output's name before it is whole.
"""

import hashlib
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._version import __version__
from ..errors import MediaError
from ..extras import load
from ..media.people_file import file_of
from ..media.photo import photo_output_path, read_photo, write_photo
from ..media.plan import Seal
from ..media.reader import Clip, open_clip
from ..media.writer import ClipWriter, WriteReport, plan_output
from ..options import Options, Who, read_who
from ..parts.film import swap_film
from ..parts.plan_file import TrackPlan
from ..parts.trail import Trail
from ..pipeline import Swapper
from ..portrait.recipe import RECIPE
from ..shelf import Shelf
from ..stages.bundle import Bundle, find_bundle
from ..stages.constants import constants_of
from ..stages.detect import pack_folder
from ..stages.hindsight import Left
from ..stages.tally import Tally
from ..store.models import sha256_of
from .film import bench_of, film_of, given_plan
from .notes import no_face, told_absent, told_likeness, told_others
from .opening import label_for, open_swapper, reached, read_roles
from .report import Run, describe, refuse_report, skipped, write_report
from .source_photos import Cast, Source, cast_of, photo_and_face

Progress = Callable[[int, int | None], None]  # frames done, frames in all (None when unknown)


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
    left: tuple[Left, ...] = ()  # who was in sight and not swapped, when and why
    unmeant: tuple[Left, ...] = ()  # who was swapped before it was known that they are not to be


def swap_image(
    source: Source,
    input: str | Path,
    output: str | Path | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Result:
    """Put the face of the person in the source photo, or photos, into another photo.

    A mapping puts in several: `{"left": "anna.jpg", "like:b.jpg": ["ben1.jpg", "ben2.jpg"]}`; keys are as in
    Options.who, names of people too where Options.people has them.

    `output` None means `<input>_swapped.<ext>` beside the input; an existing folder takes that name inside. Raises
    NoFaceError when no face is found (then nothing is written), and the other classes of `errors` for what they name.
    """
    return into_photo(run_of(source, input, options), output, progress, Shelf())


def into_photo(run: Run, output: str | Path | None, progress: Progress | None, shelf: Shelf) -> Result:
    """Do what `swap_image` does, with whatever an earlier swap left on the shelf."""
    photo = read_photo(run.input)
    target = photo_output_path(photo, Path(output) if output else None, run.options.force)
    refuse_report(run, target)
    seal = _seal(run, target)
    label, tally = label_for(photo.frame, run.options), Tally()
    swapper = open_swapper(run, read_roles(run, shelf), label=label, shelf=shelf)
    swapped = swapper.photo(photo.frame, tally)
    if not swapped.patches:
        raise no_face(run.input, tally, swapper)
    with swapper.stopwatch.stage("encode"):
        not_kept = write_photo(photo, swapped.layers, target, run.options, seal)
    if progress is not None:
        progress(1, 1)
    done: dict[str, Any] = {"frames": 1, "faces_found": swapped.faces_found, "faces_swapped": len(swapped.patches)}
    done |= {"faces_skipped": skipped(tally, swapped.faces_found, len(swapped.patches))}
    return _conclude(run, swapper, (target, tally), done, [*not_kept, *_told_of_faces(swapper, tally)])


def swap_video(
    source: Source,
    input: str | Path,
    output: str | Path | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Result:
    """Put the face of the person in the source photo, or photos, into a clip.

    Timing, sound, tracks and everything outside the face stay as they are. What a broken run has finished is kept, and
    the same call goes on behind it: `progress` hears of those frames first. `output` and errors are as in `swap_image`.
    """
    return into_clip(run_of(source, input, options), output, progress, Shelf())


def into_clip(run: Run, output: str | Path | None, progress: Progress | None, shelf: Shelf) -> Result:
    """Do what `swap_video` does, with whatever an earlier swap left on the shelf."""
    with reached(run.options):
        return _into_clip(run, output, progress, shelf)


def _into_clip(run: Run, output: str | Path | None, progress: Progress | None, shelf: Shelf) -> Result:
    roles = read_roles(run, shelf)
    with open_clip(run.input) as clip:
        bundle, tracks = find_bundle(run.options), given_plan(run)
        recipe = recipe_of(run.cast, bundle, run.options, tracks)
        plan = plan_output(clip, Path(output) if output else None, run.options, recipe)
        refuse_report(run, plan.output)
        seal = _seal(run, plan.output)
        swapper = open_swapper(run, roles, bundle, label_for(clip, run.options), shelf)
        with ClipWriter(plan) as writer:
            film = film_of(run, clip, swapper, writer, tracks)
            if film is None:
                tally = _write_frames(clip, swapper, writer, progress)
            else:
                tally = swap_film(film, writer, bench_of(run, swapper, plan), progress)
            if not tally.shows_a_swap:
                raise no_face(run.input, tally, swapper)
            with swapper.stopwatch.stage("mux"):
                written = writer.finish(seal)
    damage = tracks.damage if tracks is not None else ()
    told = [*written.notes, *damage, *_told_of_faces(swapper, tally)]
    return _conclude(run, swapper, (written.output, tally), _counted(written, tally), told)


def _told_of_faces(swapper: Swapper, tally: Tally) -> list[str]:
    equipment, options = swapper.equipment, swapper.options
    others = told_others(tally, options, equipment.cast.names_somebody)
    return [*told_likeness(equipment.likeness, options), *others]


def run_of(source: Source, input: str | Path, options: Options | None = None) -> Run:
    """Begin a swap's record."""
    return Run(cast_of(source), Path(input), options or Options(), time.monotonic())


def open_source(run: Run, shelf: Shelf) -> None:
    """Open the networks and look at the source, as a swap does before its first frame; raises what that raises."""
    open_swapper(run, read_roles(run, shelf), shelf=shelf)


def _seal(run: Run, output: Path) -> Seal | None:
    if not run.options.sign:
        return None
    seal: Seal = load("faceswap_cli.app.signing").open_seal(run.options, run.input, output)
    return seal


def _write_frames(clip: Clip, swapper: Swapper, writer: ClipWriter, progress: Progress | None) -> Tally:
    """Swap and write every frame a broken run has not written yet; return what was met in all of the clip."""
    options, tally = swapper.options, Tally()
    expected = clip.estimated_frames(options.start, options.end)
    first = writer.resume_from.index if writer.resume_from else 0
    if progress is not None and first:
        progress(first, max(expected, first) if expected else None)
    located = Trail(clip, swapper, writer).located(tally, first)
    with closing(swapper.swapped(located, tally, first)) as frames:
        for swapped in frames:
            with swapper.stopwatch.stage("encode"):
                writer.write(swapped)
            if progress is not None:
                done = swapped.frame.index + 1
                progress(done, max(expected, done) if expected else None)
    return tally


def recipe_of(cast: Cast, bundle: Bundle, options: Options, tracks: TrackPlan | None = None) -> str:
    """Digest what the swapped pixels depend on beside the clip and the options.

    That is the photos and whom they are for, the networks, the corrections and other steps with all their numbers, our
    version, and what somebody changed in the plan of tracks.
    """
    stages = str(constants_of("faceswap_cli.stages"))
    corrections = RECIPE.without(options.without).shaped(options.shape).up_to(options.max_turn).digest
    networks = [part.path for part in bundle.parts.values()]
    detectors = sorted(pack_folder(options.face_pack).glob("*.onnx"))
    photos = [(who, *photo_and_face(path)) for who, paths in cast.items() for path in paths]
    named = [who.photo for who in _whos(cast, options) if who.photo is not None]
    written = [] if options.people is None else [file_of(options.people)]
    files = [*(path for _, path, _ in photos), *named, *written, *networks, *detectors]
    chosen = [f"{who} {face}" for who, _, face in photos]
    # By a plan somebody who is named is swapped from the first frame on, else not before they are recognised.
    chosen += ["whole tracks"] if options.plan is not None and _are_recognised(cast, options) else []
    chosen += [tracks.edit] if tracks is not None and tracks.edit is not None else []
    parts = [__version__, stages, corrections, *map(_digest_of, files), *chosen]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _digest_of(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror}") from error


def _whos(cast: Cast, options: Options) -> list[Who]:
    """Return everybody who is named."""
    has_people = options.people is not None
    return [*(read_who(who, has_people, "map") for who in cast if who is not None), options.meant, options.spared]


def _are_recognised(cast: Cast, options: Options) -> bool:
    return any(who.photo is not None or who.person is not None for who in _whos(cast, options))


def _counted(written: WriteReport, tally: Tally) -> dict[str, Any]:
    names = ("frames", "resumed_frames", "faces_found", "faces_swapped", "size", "codec", "encoder", "pixel_format")
    counts = {name: getattr(written, name) for name in names} | {"frames_with_face": tally.frames_with_face}
    return counts | {"faces_skipped": skipped(tally, written.faces_found, written.faces_swapped)}


def _conclude(run: Run, swapper: Swapper, ended: tuple[Path, Tally], done: dict[str, Any], notes: list[str]) -> Result:
    """Make the result, and write its report where one is wanted."""
    output, tally = ended
    people = tally.attendance.report([role.who or _who_of(run.options) for role in swapper.equipment.roles])
    done = done | {"people": people}
    notes = swapper.equipment.notes + notes + told_absent(people)
    report = describe(run, output, done, swapper, notes)
    if run.options.report is not None:
        write_report(run.options.report, report)
    counts = (done["frames"], done["faces_found"], done["faces_swapped"])
    others = tuple(tally.attendance.left), tuple(tally.attendance.unmeant)
    return Result(output, *counts, report["seconds"], tuple(notes), report, *others)


def _who_of(options: Options) -> str | None:
    return None if options.who is None else str(options.who)
