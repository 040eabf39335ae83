"""Say what a person should know of a swap: who was not swapped, where it did not take, why nothing was written.

Each note is one line: what is so, and, where something helps, which option.
"""

from math import floor
from pathlib import Path
from typing import Any

from ..errors import NoFaceError
from ..options import Options
from ..pipeline import Swapper
from ..stages.hindsight import LATE
from ..stages.likeness import Likeness
from ..stages.tally import Tally

_WORTH_A_NOTE = 0.1  # share of the frames from which low-confidence detections are told: most are hands and prints


def told_absent(people: list[dict[str, Any]]) -> list[str]:
    """Say for whom of several nobody was put in, as they were not in sight."""
    absent = [each["who"] for each in people if not each["tracks"]]
    return [f"not seen, and so not swapped: {', '.join(absent)}"] if absent else []


def told_likeness(likeness: Likeness, options: Options) -> list[str]:
    """Say where a swap did not take, and why that may be."""
    seen = likeness.report()
    if seen is None or not seen["hardly_changed"]:
        return []
    every = seen["hardly_changed"] == seen["faces"]
    who = "faces" if every else f"{seen['hardly_changed']} of {seen['faces']} faces looked at"
    why = "what is turned far aside, covered or no face at all does not become another person"
    if options.opacity < 1:
        why = f"opacity is {options.opacity:g}"
    return [f"the swap did not take: {who} are hardly more like the source than before; {why}"]


def told_others(tally: Tally, options: Options, names_somebody: bool = False) -> list[str]:
    """Say which faces were left as they are and, unless it was said who is meant, what would swap them too."""
    notes, is_clip = [], tally.frames > 1
    where = f" in {tally.frames} frames" if is_clip else ""
    if tally.most_left:
        more = _not_swapped(tally.most_left, "more face", " in a frame" if is_clip else "")
        hint = "others were meant" if names_somebody else "--faces all swaps every face"
        notes.append(f"{'up to ' if is_clip else ''}{more}; {hint}")
    if tally.faces_too_small:
        small = _not_swapped(tally.faces_too_small, "face", f" smaller than {options.min_face} pixels{where}")
        notes.append(f"{small}; a lower --min-face swaps smaller faces")
    if tally.faces_turned:
        turned = _not_swapped(
            tally.faces_turned, "face", f" turned aside by more than {options.max_turn:g} degrees{where}"
        )
        notes.append(f"{turned}; a higher --max-turn swaps {'it' if tally.faces_turned == 1 else 'them'}, and smears")
    if tally.no_faces:
        notes.append(f"{_no_faces(tally, where)}: no face")
    notes += _told_late(tally, where) + _told_unmeant(tally, where)
    if 0 < _WORTH_A_NOTE * tally.frames <= tally.faces_unsure:
        notes.append(f"{_unsure(tally, where)}; {_surest(tally)}")
    return notes


def _told_late(tally: Tally, where: str) -> list[str]:
    late = sum(each.frames for each in tally.attendance.left if each.why == LATE)
    if not late:
        return []
    somebody = _not_swapped(late, "face", f" of somebody who was recognised only later{where}")
    return [f"{somebody}; --plan FILE goes through the clip twice and swaps {'it' if late == 1 else 'them'}"]


def _told_unmeant(tally: Tally, where: str) -> list[str]:
    unmeant = sum(each.frames for each in tally.attendance.unmeant)
    if not unmeant:
        return []
    faces = f"1 face{where} was" if unmeant == 1 else f"{unmeant} faces{where} were"
    more = f"goes through the clip twice and leaves {'it' if unmeant == 1 else 'them'}"
    return [f"{faces} swapped before it was known that somebody else is meant; --plan FILE {more}"]


def _unsure(tally: Tally, where: str = "") -> str:
    return _not_swapped(tally.faces_unsure, "low-confidence detection", where)


def _no_faces(tally: Tally, where: str = "") -> str:
    return _not_swapped(tally.no_faces, "find", f" without eyes, brows or a mouth{where}")


def _not_swapped(count: int, what: str, where: str) -> str:
    return f"{count} {what}{where} was not swapped" if count == 1 else f"{count} {what}s{where} were not swapped"


def _surest(tally: Tally) -> str:
    """Tell a threshold that takes in the surest of the low-confidence detections."""
    return f"--det-threshold {floor(100 * tally.surest) / 100:g} takes in the surest"


def no_face(path: Path, tally: Tally, swapper: Swapper) -> NoFaceError:
    """Word the error for an input that shows no face, or nobody who is meant."""
    where = f"any of the {tally.frames} frames of {path.name}" if tally.frames > 1 else path.name
    if tally.faces_turned:
        most = f"--max-turn {swapper.options.max_turn:g}"
        return NoFaceError(
            f"the face in {where} is turned aside by more degrees than {most}: nothing is written; "
            "a higher one swaps it, and smears"
        )
    if tally.no_faces:
        return NoFaceError(f"what was found in {where} has neither eyes, brows nor a mouth: nothing is written")
    if tally.frames_with_face:
        return NoFaceError(f"the face in {where} is covered or lies outside the picture: nothing is written")
    if tally.faces_left:
        return NoFaceError(f"nobody in {where} is who is meant: nothing is written; {_nearest(tally, swapper)}")
    closer = "lower --det-threshold or --min-face to look closer"
    if tally.faces_unsure:
        closer = f"{_unsure(tally)}; {_surest(tally)}"
    return NoFaceError(f"no face found in {where}: nothing is written; {closer}")


def _nearest(tally: Tally, swapper: Swapper) -> str:
    """Say how near those in the picture come to who is meant."""
    nearest = swapper.equipment.cast.nearest()
    if nearest is not None:
        return f"the likest is at {nearest:.2f}, and --similarity asks for {swapper.options.similarity:g}"
    return f"{'1 face is' if tally.most_left == 1 else f'{tally.most_left} faces are'} seen"
