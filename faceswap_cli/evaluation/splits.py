"""Who is trained on, who tunes and who reports: one split by person, for every set, run and network.

It depends on a person's name alone, the `identity` of a set's identities.tsv. Whatever is chosen by hand or by a search
(a threshold, a strength, a default) is chosen on the tuning people; what is published is measured on the reporting
people, whom nobody has looked at before.
"""

import hashlib
from collections import defaultdict
from pathlib import Path
from typing import Literal

from ..errors import UsageError

HELD_OUT_SHARE = 0.1  # of all people
IDENTITIES = "identities.tsv"

Part = Literal["training", "tuning", "reporting"]


def is_held_out(person: str) -> bool:
    """Tell whether a person is kept out of training: one in ten."""
    return int(_digest(person)[:8], 16) < HELD_OUT_SHARE * 2**32


def part_of(person: str) -> Part:
    """Return which part a person belongs to; the people held out fall into tuning and reporting half and half."""
    if not is_held_out(person):
        return "training"
    return "reporting" if int(_digest(person)[8:16], 16) % 2 else "tuning"


def read_identities(folder: Path) -> dict[str, str]:
    """Return who is in each picture, as the folder's identities.tsv names them; nobody where there is no table.

    Its first line is a head; of the others the first column is the picture's path, the second the person's name.
    Raises UsageError for a file that is no UTF-8 text.
    """
    table = folder / IDENTITIES
    try:
        lines = table.read_text(encoding="utf-8").splitlines()[1:] if table.is_file() else []
    except UnicodeDecodeError as error:
        raise UsageError(f"{table} is not UTF-8 text ({error.reason}): save it as such") from error
    rows = (line.split("\t") for line in lines if "\t" in line)
    return {row[0]: row[1] for row in rows}


def photos_by_person(folder: Path, pictures: str, parts: tuple[Part, ...]) -> dict[str, list[Path]]:
    """Return the photos of each person of some parts, as the folder's identities.tsv names them; absent ones left out.

    `pictures` is the folder its paths start from, seen from `folder`. Raises UsageError without a table.
    """
    people: dict[str, list[Path]] = defaultdict(list)
    table = folder / IDENTITIES
    if not table.is_file():
        raise UsageError(f"no such table: {table}: give the folder of the data, which has faces/{folder.name}")
    for image, person in read_identities(folder).items():
        path = folder / pictures / image
        if part_of(person) in parts and path.is_file():
            people[person].append(path)
    return people


def _digest(person: str) -> str:
    return hashlib.sha256(person.encode()).hexdigest()
