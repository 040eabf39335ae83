"""Read a file of jobs for `faceswap batch --jobs`: a row a job, as CSV, JSON lines or TOML.

Columns are `source`, `input`, `output` and the options of `swap-video`, with dashes or underscores; an empty cell
leaves an option as the command line has it. Paths of the three are relative to the file's folder.
"""

import csv
import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MediaError, UsageError
from .arguments import Flag

OWN = ("source", "input", "output")
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
SEVERAL = ";"  # between a CSV cell's source photos


@dataclass(frozen=True, slots=True)
class Row:
    """One job as the file has it."""

    where: str  # for people: file and row
    sources: tuple[Path, ...]  # none where the command line's are meant
    input: Path
    output: str | None  # a path or a template
    options: dict[str, Any]  # values of the option record's fields


def read_jobs_file(path: Path, flags: Mapping[str, Flag]) -> list[Row]:
    """Return the rows of a jobs file; UsageError names the row and the column that cannot be meant."""
    rows = [_row(where, cells, path.parent, flags) for where, cells in _records(path)]
    if not rows:
        raise UsageError(f"{path} holds no job: give a row for each, with source, input and output")
    return rows


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    readers = {".csv": _csv, ".jsonl": _json_lines, ".toml": _toml}
    if path.suffix.lower() not in readers:
        raise UsageError(f"jobs file {path.name}: give a .csv, .jsonl or .toml file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"jobs file {path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    for number, cells in readers[path.suffix.lower()](text, path.name):
        where = f"{path.name}, row {number}"
        if not isinstance(cells, dict):
            raise UsageError(f"{where} is {cells!r}: give columns with their values")
        yield where, cells


def _csv(text: str, name: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(text.splitlines(keepends=True), strict=True)
    try:
        for cells in reader:
            if None in cells:
                raise UsageError(
                    f"{name}, row {reader.line_num}: more cells than columns; put those with commas in quotes"
                )
            yield reader.line_num, {column: cell for column, cell in cells.items() if cell}
    except csv.Error as error:
        raise UsageError(f"{name}, row {reader.line_num} is no CSV: {error}") from error


def _json_lines(text: str, name: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise UsageError(f"{name}, row {number} is no JSON: {error}") from error


def _toml(text: str, name: str) -> Iterator[tuple[int, Any]]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is no TOML: {error}") from error
    if set(table) != {"jobs"} or not isinstance(table["jobs"], list):
        raise UsageError(f"{name} holds {', '.join(table) or 'nothing'}: give each job as [[jobs]]")
    yield from enumerate(table["jobs"], 1)


def _row(where: str, cells: dict[str, Any], folder: Path, flags: Mapping[str, Flag]) -> Row:
    cells = {name.strip().replace("-", "_"): value for name, value in cells.items() if value is not None}
    for name in cells:
        if name not in OWN and name not in flags:
            raise UsageError(f"{where}: unknown column {name!r}; {_nearest(name, flags)}")
    if not isinstance(cells.get("input"), str):
        raise UsageError(f"{where}: no input; name the photo or clip to swap")
    output = cells.get("output")
    options = {name: _value(where, name, cells[name], flags[name]) for name in cells if name not in OWN}
    sources = tuple(folder / name for name in _sources(where, cells.get("source", [])))
    return Row(where, sources, folder / cells["input"], str(folder / output) if output else None, options)


def _nearest(name: str, flags: Mapping[str, Flag]) -> str:
    known = [*OWN, *(each for each, flag in flags.items() if not flag.hidden)]
    near = difflib.get_close_matches(name, known, 1)
    return f"is {near[0]!r} meant?" if near else f"the columns are {', '.join(known)}"


def _sources(where: str, cell: Any) -> list[str]:
    names = [name.strip() for name in cell.split(SEVERAL)] if isinstance(cell, str) else cell
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise UsageError(f"{where}: source is {cell!r}; name a photo, or several with {SEVERAL!r} between them")
    return names


def _value(where: str, name: str, cell: Any, flag: Flag) -> Any:
    """Read a cell as the command line reads the option's value."""
    try:
        return flag.read(_typed(cell, flag.kind))
    except (TypeError, ValueError, LookupError) as error:
        told = str(error) if isinstance(error, UsageError) else f"{cell!r} cannot be meant"
        raise UsageError(f"{where}: {name} is wrong: {told}") from error


def _typed(cell: Any, kind: Any) -> Any:
    if kind is bool:
        return cell if isinstance(cell, bool) else TRUTH[str(cell).lower()]
    if isinstance(cell, bool) or (isinstance(cell, float) and kind is int):
        raise ValueError
    if kind == list[str]:
        return cell if isinstance(cell, list) else [str(cell)]
    return kind(str(cell))
