"""Try a swap on a few frames before the whole run: what will be written, about how long it takes, how it looks.

Nothing is touched but the contact sheet, where one was asked for. What a real run refuses at its start is refused here
in the same words; of a result that is there already, which a dry run harms as little, they are a note.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import chain, islice
from math import ceil
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from ..errors import MediaError, OutputError, UsageError
from ..media.disclosure import xmp_packet
from ..media.encode import PictureEncoder, open_encoder
from ..media.mux import try_mux
from ..media.photo import photo_output_path, read_photo, render_photo
from ..media.plan import GIF, STILLS, WritePlan, refuse_existing
from ..media.planes import blend
from ..media.reader import Clip, open_clip
from ..media.segments import SEGMENT_SECONDS
from ..media.sequence import NUMBER
from ..media.sheet import is_ours, save_sheet
from ..media.tracks import foresee_tracks
from ..media.writer import look_at_earlier_work, plan_output
from ..options import Options
from ..pipeline import Swapper
from ..stages.align import warp
from ..stages.bundle import find_bundle
from ..stages.likeness import swapped_rgb
from ..stages.tally import Tally
from ..types import Frame, Patch, Swapped
from .film import given_plan
from .notes import no_face, told_likeness, told_others
from .opening import label_for, open_swapper, read_roles
from .report import SCHEMA_VERSION, Run
from .source_photos import Source, cast_of
from .swap import recipe_of

PLACES = 3  # of a clip, evenly spread, that are tried
STRETCH = 8  # frames at each of them, fewer where they are so large that all of them would fill
MOST_BYTES = 256 << 20
MOST_PREVIEWED = 100
TILE_WIDTH, COLUMNS = 320, 3  # of the sheet: pixels of a picture, and most frames side by side
ROOM = 1.05  # times the longer side of what was swapped: how much of a face and its surroundings is shown


@dataclass(frozen=True, slots=True)
class _Trial:
    """What a few frames cost."""

    frames: int
    frames_with_face: int
    seconds: float
    seconds_unswapped: float  # of them, for decoding and finding faces: what frames cost that an earlier run finished
    key_bytes: list[int]  # of each packet that begins a stretch, or stands alone
    other_bytes: list[int]


def plan_image(
    source: Source, input: str | Path, output: str | Path | None = None, options: Options | None = None
) -> dict[str, Any]:
    """Swap a photo in memory and return what `swap_image` would do; raises what it raises."""
    options, began = options or Options(), time.monotonic()
    run = Run(cast_of(source), Path(input), options, began)
    photo = read_photo(run.input)
    target = photo_output_path(photo, Path(output) if output else None, force=True)
    swapper, tally = open_swapper(run, read_roles(run), label=label_for(photo.frame, options)), Tally()
    swapped = swapper.photo(photo.frame, tally)
    if not swapped.patches:
        raise no_face(photo.path, tally, swapper)
    content, notes = render_photo(photo, swapped.layers, target.suffix, options)
    height, width = photo.frame.rgb.shape[:2]
    return _plan(run, target, swapper) | {
        "photo": {"width": width, "height": height},
        "faces_found": swapped.faces_found,
        "faces_swapped": len(swapped.patches),
        "estimate": {
            "seconds": round(time.monotonic() - began, 1),
            "bytes": len(content),
            "from": "the swap made in memory",
        },
        "notes": [
            *swapper.equipment.notes,
            *notes,
            *told_likeness(swapper.equipment.likeness, options),
            *told_others(tally, options, swapper.equipment.cast.names_somebody),
            *_told_existing(target, options),
        ],
    }


def plan_video(
    source: Source, input: str | Path, output: str | Path | None = None, options: Options | None = None
) -> dict[str, Any]:
    """Swap and encode a few frames of a clip in memory and return what `swap_video` would do; raises what it raises."""
    options, began = options or Options(), time.monotonic()
    run = Run(cast_of(source), Path(input), options, began)
    roles = read_roles(run)
    with open_clip(run.input) as clip:
        bundle = find_bundle(options)
        recipe = recipe_of(run.cast, bundle, options, given_plan(run))
        plan = plan_output(clip, Path(output) if output else None, replace(options, force=True), recipe)
        earlier = look_at_earlier_work(plan)
        swapper = open_swapper(run, roles, bundle, label_for(clip, options))
        open_encoder(plan)
        try_mux(plan)
        cargo, track_rate = foresee_tracks(plan)
        opening = time.monotonic() - began
        trial = _try(clip, plan, swapper)
        left_out = [str(track) for track in cargo.left_out]
        return _plan(run, plan.output, swapper) | {
            "clip": _described(clip, options),
            "container": plan.container.muxer,
            "codec": plan.codec,
            "encoder": plan.encoder,
            "pixel_format": plan.pixel_format,
            "tracks": {
                "carried": [name for name in map(str, clip.tracks) if name not in left_out],
                "left_out": left_out,
            },
            "begins": asdict(earlier),
            "estimate": _estimate(trial, plan, opening, track_rate, earlier.frames),
            "notes": [
                *swapper.equipment.notes,
                *plan.notes,
                *cargo.notes,
                *_told_faceless(trial),
                *told_likeness(swapper.equipment.likeness, options),
                *_told_existing(plan.output, options),
            ],
        }


def preview_video(
    source: Source,
    input: str | Path,
    output: str | Path | None = None,
    options: Options | None = None,
    frames: int = 8,
) -> Path:
    """Write a contact sheet of evenly spread frames beside the output; return its path.

    Each frame stands beside its swap, with the swapped faces enlarged below. An earlier sheet of ours is replaced.
    Raises what `swap_video` raises at its start, but for a result that is there; OutputError where anything else bears
    the sheet's name (without force).
    """
    options = options or Options()
    if not 1 <= frames <= MOST_PREVIEWED:
        raise UsageError(f"a preview of {frames} frames: give a number from 1 to {MOST_PREVIEWED}")
    run = Run(cast_of(source), Path(input), options, time.monotonic())
    roles = read_roles(run)
    with open_clip(run.input) as clip:
        plan = plan_output(clip, Path(output) if output else None, replace(options, force=True))
        open_encoder(plan)
        sheet = plan.output.with_name(f"{NUMBER.sub('', plan.output.stem)}_preview.png")
        refuse_existing(sheet, options.force or is_ours(sheet))
        swapper = open_swapper(run, roles, label=label_for(clip, options))
        tiles = [_tile(next(each), swapper) for each in _openings(clip, options, frames)]
    rows = ceil(len(tiles) / COLUMNS)
    disclosure = xmp_packet(model=options.model_name) if options.disclosure else b""
    save_sheet(tiles, ceil(len(tiles) / rows), sheet, disclosure)
    return sheet


def _told_existing(output: Path, options: Options) -> list[str]:
    """Say that a real run would end at once: the result is there."""
    try:
        refuse_existing(output, options.force)
    except OutputError as error:
        return [f"a run would be refused: {error}"]
    return []


def _plan(run: Run, output: Path, swapper: Swapper) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "dry_run": True,
        **run.paths(output),
        **swapper.equipment.networks,
        "source_quality": swapper.equipment.source_quality,
    }


def _described(clip: Clip, options: Options) -> dict[str, Any]:
    frames = clip.estimated_frames(options.start, options.end)
    return {
        "frames": frames,
        "seconds": round(float(frames / clip.average_rate), 3),
        "width": clip.width,
        "height": clip.height,
        "codec": clip.codec,
        "pixel_format": clip.pixel_format,
    }


def _try(clip: Clip, plan: WritePlan, swapper: Swapper) -> _Trial:
    """Take short stretches of the clip through the whole pipeline and the encoder."""
    frames, decoding = _decode_few(clip, swapper.options)
    swapper.photo(frames[0], Tally())  # a network's first run is slower than all others
    tally, began, located = Tally(), time.perf_counter(), swapper.stopwatch.seconds["locate"]
    packets = list(_encoded(swapper.frames(frames, tally), plan))
    return _Trial(
        frames=len(frames),
        frames_with_face=tally.frames_with_face,
        seconds=decoding + time.perf_counter() - began,
        seconds_unswapped=decoding + swapper.stopwatch.seconds["locate"] - located,
        key_bytes=[packet.size for packet in packets if packet.is_keyframe],
        other_bytes=[packet.size for packet in packets if not packet.is_keyframe],
    )


def _decode_few(clip: Clip, options: Options) -> tuple[list[Frame], float]:
    """Return the frames to be tried, numbered from 0 in each stretch, and the seconds it took without the seeking."""
    frames: list[Frame] = []
    seconds = 0.0
    frame_bytes = clip.width * clip.height * 9 // 2  # RGB, and about half as much for the planes
    length = min(STRETCH, max(2, MOST_BYTES // (PLACES * frame_bytes)))
    for opening in _openings(clip, options, PLACES):
        stretch = [next(opening)]
        began = time.perf_counter()
        stretch.extend(islice(opening, length - 1))
        seconds += time.perf_counter() - began
        reached = frames[-1].pts if frames else stretch[0].pts - 1
        frames.extend(frame for frame in stretch if frame.pts > reached)  # those of a short clip run into each other
    return frames, seconds


def _encoded(swapped: Iterable[Swapped], plan: WritePlan) -> Iterator[av.Packet]:
    """Encode each stretch with an encoder of its own, as the writer does."""
    encoder: PictureEncoder | None = None
    for each in swapped:
        if encoder is None or each.frame.index == 0:
            yield from encoder.drain() if encoder is not None else ()
            encoder = PictureEncoder(plan)
        picture = blend(each.frame.picture, each.layers, plan.clip.orientation)
        yield from encoder.encode(picture, round(each.frame.time / plan.time_base))
    yield from encoder.drain() if encoder is not None else ()


def _estimate(trial: _Trial, plan: WritePlan, opening: float, track_rate: float, done: int) -> dict[str, Any]:
    """Project the trial on the whole clip; no size where the file is not made of the encoder's packets.

    `track_rate` is the bytes a second of everything beside the pictures, `done` the frames that are finished.
    """
    frames = plan.clip.estimated_frames(plan.start, plan.end)
    seconds = float(frames / plan.clip.average_rate)
    size = _picture_bytes(trial, frames, ceil(seconds / SEGMENT_SECONDS)) + round(seconds * track_rate)
    working = max(0, frames - done) * trial.seconds + done * trial.seconds_unswapped
    return {
        "seconds": round(opening + working / trial.frames, 1),
        "bytes": None if plan.container in (GIF, STILLS) else size,
        "from": f"{trial.frames} frames swapped and encoded in memory",
        "frames_with_face": trial.frames_with_face,
    }


def _picture_bytes(trial: _Trial, frames: int, stretches: int) -> int:
    """Count one key frame a stretch, or all where the codec knows no other."""
    keys = min(frames, stretches) if trial.other_bytes else frames
    return round(keys * _mean(trial.key_bytes) + (frames - keys) * _mean(trial.other_bytes))


def _mean(values: list[int]) -> float:
    return sum(values) / len(values) if values else 0.0


def _told_faceless(trial: _Trial) -> list[str]:
    if trial.frames_with_face:
        return []
    return [f"no face in the {trial.frames} frames tried: the time is that of frames without one"]


def _moments(clip: Clip, options: Options, count: int) -> list[Fraction]:
    """Spread moments evenly over the part that is swapped, each in the middle of its share."""
    frames = max(1, clip.estimated_frames(options.start, options.end))
    count = min(count, frames)
    places = [(2 * number + 1) * frames // (2 * count) for number in range(count)]
    return [(options.start or Fraction(0)) + place / clip.average_rate for place in places]


def _openings(clip: Clip, options: Options, count: int) -> Iterator[Iterator[Frame]]:
    """Yield the frames from each of evenly spread moments on; raise MediaError where no moment holds a picture."""
    found = False
    for moment in _moments(clip, options, count):
        frames = clip.frames(moment, options.end)
        with suppress(MediaError):  # the clip may be shorter than it says
            first = next(frames)
            found = True
            yield chain([first], frames)
    if not found:
        raise clip.nothing_shown(options.start, options.end)


def _tile(frame: Frame, swapper: Swapper) -> np.ndarray:
    """Show a frame beside its swap, and below, each in a square as wide, the swapped faces before and after."""
    swapped = swapper.photo(frame, Tally())
    pictures = (frame.rgb, swapped_rgb(swapped))
    height = max(1, round(frame.rgb.shape[0] * TILE_WIDTH / frame.rgb.shape[1]))
    whole = [cv2.resize(each, (TILE_WIDTH, height), interpolation=cv2.INTER_AREA) for each in pictures]
    return np.vstack([np.hstack(whole), np.hstack([_faces(each, swapped.patches) for each in pictures])])


def _faces(rgb: np.ndarray, patches: tuple[Patch, ...]) -> np.ndarray:
    """Show the places of up to four patches enlarged, (TILE_WIDTH, TILE_WIDTH, 3); black without any."""
    square = np.zeros((TILE_WIDTH, TILE_WIDTH, 3), np.uint8)
    shown = patches[:4]
    side = TILE_WIDTH // max(1, ceil(len(shown) ** 0.5))
    for number, patch in enumerate(shown):
        y, x = (each * side for each in divmod(number, TILE_WIDTH // side))
        square[y : y + side, x : x + side] = _enlarged(rgb, patch, side)
    return square


def _enlarged(rgb: np.ndarray, patch: Patch, side: int) -> np.ndarray:
    """Cut out a square around a patch, with room around it, as (side, side, 3); what lies outside is black."""
    height, width = patch.alpha.shape
    reach = ROOM * max(height, width) / 2
    scale = side / (2 * reach)
    middle = np.array([patch.x + width / 2, patch.y + height / 2])
    matrix = np.hstack([scale * np.eye(2), (side / 2 - scale * middle)[:, None]])
    return warp(rgb, matrix, (side, side), cv2.BORDER_CONSTANT)
