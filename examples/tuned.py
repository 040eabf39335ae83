"""The numbers a portrait is warped by: where the code has them, and what `portrait/tuning.toml` says of each.

A number is a default of a class's field, a constant, or how many frames a step looks back, in a file of `portrait/` or
in `stages/glasses.py`, `mask.py`, `soft.py` and `visible.py`. It is called by its file and name: `geometry.BROWS_UP`,
`beard.sure`; by its class too where that is not `Settings`: `own_lips.PaintSettings.depth`. The record says of each
whether it was chosen, and how; that nobody wrote down how; or from what it follows.
"""

import ast
import json
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from faceswap_cli.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("glasses", "mask", "soft", "visible")
ROOMS = ("faceswap_cli/portrait", *(f"faceswap_cli/stages/{name}.py" for name in STAGES))
RECORD = "faceswap_cli/portrait/tuning.toml"
NO_NUMBERS = ("records", "protocols")  # their defaults say that nothing is known yet
UNKNOWN = "not recorded"
WIDTH = 120  # of a line of the record

Value = int | float | tuple[Any, ...] | str  # str: an expression, as the code has it
Record = dict[str, dict[str, Any]]  # by file, then by name


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the code, and which bytes of which file say it."""

    name: str
    value: Value
    path: Path  # below the checkout
    start: int
    end: int


def numbers_of(root: Path = ROOT) -> dict[str, Number]:
    """Return every number of a checkout by its name, in the order of the files."""
    found = dict[str, Number]()
    for room in ROOMS:
        for path in sorted([root / room] if room.endswith(".py") else (root / room).rglob("*.py")):
            if path.stem not in NO_NUMBERS and path.exists():  # an older checkout has fewer files
                found |= {each.name: each for each in _numbers_in(path.read_bytes(), path.relative_to(root))}
    return found


def write_number(root: Path, number: Number, value: Value) -> None:
    """Write another value where a checkout has a number; nothing else of the file changes."""
    text = (root / number.path).read_bytes()
    shown = value if isinstance(value, str) else repr(value)
    (root / number.path).write_bytes(text[: number.start] + shown.encode() + text[number.end :])


def read_value(text: str, number: Number) -> Value:
    """Return the value that somebody typed for a number, of the number's kind; raise UsageError for another kind."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise UsageError(f"{text!r} is no value for {number.name}, which is {number.value}") from error
    given = _value(node)
    if isinstance(number.value, float) and isinstance(given, int):
        given = float(given)
    if type(given) is not type(number.value) or _length(given) != _length(number.value):
        raise UsageError(f"{text!r} is no value for {number.name}, which is {number.value}")
    return given


def read_record(root: Path = ROOT) -> Record:
    """Return what is written down, by file and name."""
    return tomllib.loads((root / RECORD).read_text())


def write_record(root: Path, record: Record) -> None:
    """Write it down."""
    (root / RECORD).write_text(rendered(record))


def entry_of(record: Record, name: str) -> dict[str, Any] | None:
    """Return what is written down of a number."""
    file, _, own = name.partition(".")
    return record.get(file, {}).get(own)


def disagreements(numbers: dict[str, Number], record: Record) -> list[str]:
    """Say in a line each where code and record disagree."""
    written = [f"{file}.{own}" for file, entries in record.items() for own in entries if own != "about"]
    told = [f"{name} is written down, but the code has no such number" for name in written if name not in numbers]
    for number in numbers.values():
        entry = entry_of(record, number.name)
        told += [f"{number.name} is not written down"] if entry is None else _faults(number, entry)
    return told


def rendered(record: Record) -> str:
    """Return the record's text: per file a line for each number of which little is known, then a table for the rest."""
    lines = [*HEAD]
    for file, entries in record.items():
        lines += ["", f"[{file}]", *(_lines("about", entries["about"]) if "about" in entries else [])]
        numbers = {own: entry for own, entry in entries.items() if own != "about"}
        short = {own: f"{_key(own)} = {_toml(entry)}" for own, entry in numbers.items() if "date" not in entry}
        short = {own: line for own, line in short.items() if len(line) <= WIDTH}
        lines += short.values()
        for own in (own for own in numbers if own not in short):
            lines += ["", f"[{file}.{_key(own)}]"]
            lines += [line for key, value in numbers[own].items() for line in _lines(key, value)]
    return "\n".join(lines) + "\n"


HEAD = (
    "# The numbers a portrait is warped by. A test holds this file to the code; `python examples/retune.py NAME` tries",
    "# other values of one, and writes one here and there. Each number has its value, and one of",
    "#   on, before, after, date: on which pictures it was chosen, figures of the value before and of this;",
    f'#   on = "{UNKNOWN}": nobody wrote down how; `about` says what is known of all numbers of a file;',
    "#   defined: it is not chosen but follows from that.",
    "# `range` is what it may be, or each of several. There is a tuning split since 2026-11-30: what was chosen before",
    '# on "the page" was chosen with the people in view whom weights/EVALUATION.md reported then.',
)


def _numbers_in(text: bytes, path: Path) -> Iterator[Number]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for name, node in _assigned(ast.parse(text).body):
        value = _value(node)
        if value is not None:
            ends = (starts[row - 1] + column for row, column in _corners(node))
            yield Number(f"{path.stem}.{name}", value, path, *ends)


def _corners(node: ast.expr) -> list[tuple[int, int]]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return [(node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)]


def _assigned(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, ast.expr]]:
    """Yield the name and value of whatever a module and its classes assign."""
    for each in body:
        if isinstance(each, ast.ClassDef):
            yield from _assigned(each.body, "" if each.name == "Settings" else f"{each.name}.")
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.value is not None:
            yield ("history" if each.target.id == "history" else owner + each.target.id), each.value
        elif isinstance(each, ast.Assign):
            for target in each.targets:
                yield from _pairs(target, each.value, owner)


def _pairs(target: ast.expr, value: ast.expr, owner: str) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield owner + target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, other in zip(target.elts, value.elts, strict=True):
            yield from _pairs(one, other, owner)


def _value(node: ast.expr) -> Value | None:
    """Return a number, several, or the text of an expression with a fraction in it; None for anything else."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        fractions = (each for each in ast.walk(node) if isinstance(each, ast.Constant))
        return ast.unparse(node) if any(isinstance(each.value, float) for each in fractions) else None
    return value if all(type(each) in (int, float) for each in _flat(value)) else None


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for each in value:
            yield from _flat(each)
    else:
        yield value


def _length(value: Any) -> int:
    return len(value) if isinstance(value, tuple) else 1


def _faults(number: Number, entry: dict[str, Any]) -> list[str]:
    """Say what an entry says wrongly of a number."""
    told, value = [], entry.get("value")
    if value != _lists(number.value):
        told.append(f"{number.name} is {number.value} in the code, {value} in the record")
    if "range" in entry:
        low, high = entry["range"]
        if not all(low <= each <= high for each in _flat(value)):
            told.append(f"{number.name} is {value}, outside of its range {low} to {high}")
    elif "defined" not in entry:
        told.append(f"{number.name} has no range")
    wanted = {"defined"} if "defined" in entry else {"on"} if entry.get("on") == UNKNOWN else {*CHOSEN}
    if wanted != entry.keys() - {"value", "range", "tried"}:
        told.append(f"{number.name} says {', '.join(entry)} beside what it must: {', '.join(sorted(wanted))}")
    if "date" in entry and not isinstance(entry["date"], date):
        told.append(f"{number.name} has no day for a date: {entry['date']}")
    return told


CHOSEN = ("on", "before", "after", "date")


def _lists(value: Any) -> Any:
    return [_lists(each) for each in value] if isinstance(value, tuple | list) else value


def _lines(key: str, value: Any) -> list[str]:
    """Return an assignment in TOML, text and lists that are too long for a line in several."""
    whole = f"{key} = {_toml(' '.join(value.split()) if isinstance(value, str) else value)}"
    if len(whole) <= WIDTH:
        return [whole]
    if isinstance(value, str):
        return [f'{key} = """', *textwrap.wrap(_toml(value.strip())[1:-1].replace("\\n", " "), WIDTH), '"""']
    return [f"{key} = [", *(f"    {_toml(each)}," for each in value), "]"]


def _key(name: str) -> str:
    return f'"{name}"' if "." in name else name


def _toml(value: Any) -> str:
    """Return a value as TOML has it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return value.isoformat() if isinstance(value, date) else repr(value)
