"""Say which swaps are judged: one, those a table lists, or fresh ones of drawn sources and targets."""

import csv
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..app.swap import swap_image, swap_video
from ..errors import NoFaceError, UsageError
from ..media.sniff import kind_of
from ..options import Options
from ..stages.detect import Detect, open_detector
from .clips import read
from .options import Span
from .score import PICTURES, Pair

CLIPS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"}
COLUMNS = ("source", "target", "result")
OWN_FACE_TRIES = 12  # frames of a clip looked at for the best view of its own person

Progress = Callable[[int, int | None], None]


def read_pairs(table: Path) -> list[Pair]:
    """Read a CSV with the columns source, target, result and, if wanted, self (1 for a self-swap).

    Paths are relative to the table. Raises UsageError for a missing column or file.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{table} cannot be read as a table: {error}") from error
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise UsageError(f"{table.name} needs the columns {', '.join(COLUMNS)} and at least one row")
    return [_pair(row, table, line) for line, row in enumerate(rows, 2)]


def draw_pairs(sources: Path, targets: Path, count: int | None, seed: int) -> list[tuple[Path, Path]]:
    """Return (source, target) of two folders: all of them, or `count` drawn without repetition with a seed."""
    given = [(one, other) for other in _media(targets, PICTURES | CLIPS) for one in _media(sources, PICTURES)]
    if count is None or count >= len(given):
        return given
    chosen = np.random.default_rng(seed).choice(len(given), count, replace=False)
    return [given[index] for index in sorted(chosen)]


def make_swaps(
    wanted: list[tuple[Path, Path]], folder: Path, options: Options, reuse: bool, progress: Progress | None = None
) -> list[Pair]:
    """Swap every (source, target) into a folder; `reuse` takes those that are there, else they raise OutputError."""
    pairs, left_out = [], "".join(f"-without-{name}" for name in options.without)
    for number, (source, target) in enumerate(wanted, 1):
        result = folder / f"{source.stem}-in-{target.stem}{left_out}{_extension(target)}"
        if not (reuse and result.is_file()):
            swap = swap_image if kind_of(target) == "photo" else swap_video
            swap(source, target, result, options)
        pairs.append(Pair(source, target, result))
        if progress is not None:
            progress(number, len(wanted))
    return pairs


def make_self_swaps(targets: list[Path], folder: Path, options: Options, reuse: bool) -> list[Pair]:
    """Swap every target with its own person: a photo with itself, a clip with its largest view of the face."""
    detector = open_detector(options.face_pack, options)
    pairs = []
    for target in targets:
        own = folder / f"{target.stem}-own.png"
        if kind_of(target) == "photo":
            own = target
        elif not (reuse and own.is_file()):
            Image.fromarray(_own_view(target, detector, Span(options.start, options.end))).save(own)
        made = make_swaps([(own, target)], folder, options, reuse)
        pairs += [replace(pair, is_self=True) for pair in made]
    return pairs


def _own_view(clip: Path, detector: Detect, span: Span) -> np.ndarray:
    """Return the frame of a clip whose face is largest, of a few spread over its beginning."""
    best, area = None, 0.0
    for frame in read(clip, span):
        if frame.index % 10:
            continue
        faces = detector.detect(frame.rgb)
        if faces and faces[0].area > area:
            best, area = frame.rgb, faces[0].area
        if frame.index >= 10 * (OWN_FACE_TRIES - 1):
            break
    if best is None:
        raise NoFaceError(f"no face found in {clip.name}: it cannot be swapped with its own person")
    return best


def _pair(row: dict[str, str], table: Path, line: int) -> Pair:
    paths = {name: table.parent / (row[name] or "") for name in COLUMNS}
    for name, path in paths.items():
        if not os.path.isfile(path):  # unlike Path.is_file, it takes any words for a name that is not there
            raise UsageError(f"{table.name} line {line}: no such {name}: {path}")
    return Pair(**paths, is_self=(row.get("self") or "").strip() in ("1", "true", "yes"))


def _media(folder: Path, extensions: set[str]) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(f"no such folder: {folder}")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in extensions)
    if not found:
        raise UsageError(f"{folder} holds nothing to swap: put files named {', '.join(sorted(extensions))} there")
    return found


def _extension(target: Path) -> str:
    """Return what a swap's file is named: lossless for photos, so that no second compression is judged."""
    return ".png" if target.suffix.lower() in PICTURES else target.suffix
