"""`faceswap faces`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Options
from .arguments import CLIP_FLAGS, AsJson, Quiet, Verbose, takes
from .terminal import Terminal

if TYPE_CHECKING:
    from ..evaluation.people import Appearance

SHEET_COLUMNS = 8

FLAGS = {
    name: CLIP_FLAGS[name] for name in ("face_pack", "det_threshold", "min_face", "threads", "start", "end", "force")
}


@takes(Options, FLAGS)
def faces(
    *,
    input: Annotated[Path, typer.Argument(metavar="INPUT", help="Photo or clip.", show_default=False)],
    sheet: Annotated[
        Path | None, typer.Option("--sheet", metavar="PATH", help="Write a contact sheet of all faces (PNG).")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Write people.json, a picture of each person and a sheet there."
        ),
    ] = None,
    options: Options,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """List every face in a photo or clip: where, how large, when, and who is the same person.

    A face keeps its number for as long as it can be followed; its largest view is shown. Boxes are x0, y0, x1, y1 in
    pixels of the upright picture. Yaw, pitch and roll are degrees, positive where the face looks towards the picture's
    right edge, where it looks up and where it leans clockwise: within about two degrees of FSA-Net's in the mean. The
    last column says what would spoil a swap with that face as a source.

    With --output the people are written down as p1, p2 ... for --who and --map of a swap: who leaves and comes back,
    behind a cut or an absence, is the same person. Names, and whose a track is, may be edited in people.json.

    \b
    Example:
      faceswap faces clip.mp4 --output people/
    """
    from ..errors import NoFaceError
    from ..evaluation.people import list_faces, sheet_tiles
    from ..evaluation.people_folder import save_people
    from ..media.sheet import save_sheet

    terminal = Terminal(verbose, quiet)
    found, notes = list_faces(input, options)
    for note in notes:
        terminal.note(note)
    if not found:
        raise NoFaceError(f"no face found in {input.name}: lower --det-threshold or --min-face to look closer")
    if sheet is not None:
        save_sheet(sheet_tiles(found), SHEET_COLUMNS, sheet)
    if output is not None:
        for note in save_people(output, input, found, options)[1]:
            terminal.note(note)
    terminal.result(_table(found), {"faces": [each.as_record() for each in found]}, as_json)


def _table(found: "list[Appearance]") -> str:
    numbers = f"{'size':>6s} {'score':>6s} {'yaw':>4s} {'pitch':>5s} {'roll':>4s}"
    guessed = " age gender" if any(each.guess for each in found) else ""
    head = f"{'face':>4s} {'person':>6s} {'box':>24s} {numbers} {'seconds':>17s} {'frames':>6s}{guessed}  as a source"
    return "\n".join([head, *(_line(each) for each in found)])


def _line(each: "Appearance") -> str:
    box = " ".join(f"{value:5.0f}" for value in each.face.box)
    size = float(min(each.face.box[2:] - each.face.box[:2]))
    times = f"{each.first:.2f} - {each.last:.2f}"
    yaw, pitch, roll = ("-", "-", "-") if each.pose is None else (f"{angle:.0f}" for angle in each.pose)
    person = "-" if each.person is None else str(each.person)
    seen = f"{box:>24s} {size:6.0f} {each.face.score:6.2f} {yaw:>4s} {pitch:>5s} {roll:>4s}"
    guessed = "" if each.guess is None else f" {each.guess.age:3d} {each.guess.gender:>6s}"
    return f"{each.number:4d} {person:>6s} {seen} {times:>17s} {each.frames:6d}{guessed}  {_as_source(each)}"


def _as_source(each: "Appearance") -> str:
    """Say whether somebody's best view would do as a source, and else why not."""
    if each.quality is None:
        return "-"
    return ", ".join(what for what, _ in each.quality.faults) or "good"
