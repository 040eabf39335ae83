"""Write down who is in a photo or clip: a portrait of each person, people.json and a sheet, for swaps to refer to."""

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..errors import NoFaceError, OutputError
from ..media.fingerprint import fingerprint_of
from ..media.people_file import FILE, People, Person, Sighting, write_people
from ..media.sheet import save_sheet
from ..media.sniff import kind_of
from ..options import Options
from .people import Appearance, list_faces, space_of

SHEET, SHEET_COLUMNS = "sheet.png", 8
LEAST_FRAMES = 3  # of a clip in which somebody must be seen: what is seen in fewer is mostly no face


def find_people(input: str | Path, output: str | Path, options: Options | None = None) -> People:
    """Find out who is in a photo or clip, write it into a folder, and return it: what `faceswap faces --output` does.

    Options.people takes the folder. Raises NoFaceError where nobody is seen, and what `save_people` raises.
    """
    options = options or Options()
    found, _ = list_faces(Path(input), options)
    return save_people(Path(output), Path(input), found, options)[0]


def save_people(folder: Path, input_path: Path, found: list[Appearance], options: Options) -> tuple[People, list[str]]:
    """Write the people of an input, grouped by `list_faces`, into a folder; return them, and notes for the user.

    They are called p1, p2 ... in the order of appearance. Raises OutputError where something is there already (without
    Options.force), NoFaceError where nobody is seen for long enough, WeightsError without an encoder.
    """
    space = space_of(options)
    groups = _groups(found, 1 if kind_of(input_path) == "photo" else LEAST_FRAMES)
    if not groups:
        raise NoFaceError(f"nobody is seen in {LEAST_FRAMES} pictures of {input_path.name}: nothing is written")
    names = [f"p{number}" for number in range(1, len(groups) + 1)]
    _make(folder, [FILE, SHEET, *(f"{name}.jpg" for name in names)], options.force)
    best = [max(group, key=lambda each: each.merit) for group in groups]
    persons = tuple(_person(*each) for each in zip(names, groups, strict=True))
    people = People(persons, space, fingerprint_of(input_path))
    for name, each in zip(names, best, strict=True):
        _write(folder / f"{name}.jpg", each.picture)
    save_sheet([_tile(*each) for each in zip(names, best, people.persons, strict=True)], SHEET_COLUMNS, folder / SHEET)
    write_people(folder, people, input_path, [f"{name}.jpg" for name in names])
    left = len({each.person for each in found}) - len(groups)
    return people, [f"left out: {left} seen in fewer than {LEAST_FRAMES} pictures"] if left else []


def _groups(found: list[Appearance], least: int) -> list[list[Appearance]]:
    """Return the appearances by person, those left out that are too brief."""
    persons = sorted({each.person for each in found if each.person is not None})
    groups = [[each for each in found if each.person == person] for person in persons]
    return [group for group in groups if sum(each.frames for each in group) >= least]


def _person(name: str, group: list[Appearance]) -> Person:
    total = np.sum([view for each in group for _, view in each.views], axis=0)
    embedding = (total / max(float(np.linalg.norm(total)), 1e-12)).astype(np.float32)
    return Person(name, embedding, tuple(_sighting(each) for each in group))


def _sighting(each: Appearance) -> Sighting:
    path = np.array([[seconds, *box] for seconds, box in each.path], np.float64)
    if each.best_pose is None:
        return Sighting(path, each.frames, None)
    yaw, pitch, roll = (round(float(angle), 1) for angle in each.best_pose)
    return Sighting(path, each.frames, (yaw, pitch, roll))


def _make(folder: Path, names: list[str], force: bool) -> None:
    """Make the folder; refuse to replace what is in it."""
    there = [name for name in names if (folder / name).exists()]
    if there and not force:
        raise OutputError(f"{folder / there[0]} exists: use --force to replace it, or another folder")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"folder {folder} cannot be made: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error


def _tile(name: str, best: Appearance, person: Person) -> np.ndarray:
    """Show somebody as they are seen best, with their name and for how many frames they are seen."""
    with Image.open(BytesIO(best.picture)) as seen:
        tile = np.array(seen.resize((160, 160), Image.Resampling.BOX))
    words = f"{name}  {sum(each.frames for each in person.sightings)}"
    for colour, thickness in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(tile, words, (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, thickness, cv2.LINE_AA)
    return tile
