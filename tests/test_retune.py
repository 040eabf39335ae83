"""Code and record of the numbers agree, a disagreement is said, and a number that is written is written in both."""

import os
import sys
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from faceswap_cli.errors import UsageError
from faceswap_cli.evaluation.options import MEASURES
from faceswap_cli.evaluation.score import Pair, Row
from faceswap_cli.evaluation.splits import part_of, read_identities

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("tuned", "retune_trials", "retune", "sensitivity")

NOSE = '''"""Made."""

from dataclasses import dataclass

TIP = 30
WORDS, SPAN = "no number", slice(0, 3)
_WIDE, _LONG = 0.50, (1, 2.5)  # of it
WEIGHTS = ((range(3), 0.25), (range(4), 1))


@dataclass(frozen=True)
class Settings:
    share: float = 0.3  # \u00bd of it, half as much as 0.6


@dataclass(frozen=True)
class PaintSettings:
    depth: float = 0.6
    plain: bool = True


class Nose:
    name: str = "nose"
    history: int = 4
'''
WRITTEN: dict[str, Any] = {
    "nose": {
        "about": "By eye. " * 30,
        "TIP": {"value": 30, "defined": "a point of 66"},
        "_WIDE": {"value": 0.5, "range": [0, 1], "on": "not recorded"},
        "_LONG": {"value": [1, 2.5], "range": [1, 3], "on": "not recorded"},
        "WEIGHTS": {"value": "((range(3), 0.25), (range(4), 1))", "defined": "what they say"},
        "PaintSettings.depth": {"value": 0.6, "range": [0.2, 1], "on": "not recorded"},
        "history": {"value": 4, "range": [0, 8], "on": "not recorded"},
        "share": {
            "value": 0.3,
            "range": [0, 0.5],
            "on": "two photos",
            "before": '0.2: "bad"',
            "after": "0.3: good",
            "date": date(2026, 11, 30),
        },
    },
    "mask": {"_EYE": {"value": 0.38, "range": [0, 1], "on": "not recorded"}},
}


@pytest.fixture
def tuned(examples: dict[str, ModuleType]) -> ModuleType:
    return examples["tuned"]


@pytest.fixture
def root(tuned: ModuleType, tmp_path: Path) -> Path:
    """A made checkout of eight numbers, and what is written down of them."""
    for name, text in {"portrait/nose.py": NOSE, "stages/mask.py": "_EYE = 0.38\n"}.items():
        path = tmp_path / "faceswap_cli" / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    tuned.write_record(tmp_path, WRITTEN)
    return tmp_path


def test_every_number_of_the_code_is_written_down_as_it_is(tuned: ModuleType) -> None:
    numbers, record = tuned.numbers_of(), tuned.read_record()
    assert tuned.disagreements(numbers, record) == []
    assert len(numbers) > 90
    assert {"geometry.BROWS_UP", "beard.sure", "own_lips.PaintSettings.depth", "steadying.history"} < numbers.keys()


def test_the_record_reads_as_the_program_writes_it(tuned: ModuleType) -> None:
    assert tuned.rendered(tuned.read_record()) == (ROOT / tuned.RECORD).read_text(encoding="utf-8")


def test_a_record_comes_back_as_it_was_written(tuned: ModuleType, root: Path) -> None:
    record = tuned.read_record(root)
    assert " ".join(record["nose"].pop("about").split()) == WRITTEN["nose"]["about"].strip()
    assert record["nose"] == {name: entry for name, entry in WRITTEN["nose"].items() if name != "about"}
    assert record["mask"] == WRITTEN["mask"]
    assert max(map(len, (root / tuned.RECORD).read_text(encoding="utf-8").splitlines())) <= tuned.WIDTH


def test_numbers_are_found_by_file_class_and_name_and_nothing_else(tuned: ModuleType, root: Path) -> None:
    assert {name: number.value for name, number in tuned.numbers_of(root).items()} == {
        "nose.TIP": 30,
        "nose._WIDE": 0.5,
        "nose._LONG": (1, 2.5),
        "nose.WEIGHTS": "((range(3), 0.25), (range(4), 1))",
        "nose.share": 0.3,
        "nose.PaintSettings.depth": 0.6,
        "nose.history": 4,
        "mask._EYE": 0.38,
    }
    assert tuned.disagreements(tuned.numbers_of(root), tuned.read_record(root)) == []


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("share", 0.45, "    share: float = 0.45  # \u00bd of it, half as much as 0.6\n"),
        ("_LONG", (2, 3.0), "_WIDE, _LONG = 0.50, (2, 3.0)  # of it\n"),
        ("_WIDE", 0.25, "_WIDE, _LONG = 0.25, (1, 2.5)  # of it\n"),
        ("history", 12, "    history: int = 12\n"),
        ("WEIGHTS", "((range(3), 0.5),)", "WEIGHTS = ((range(3), 0.5),)\n"),
    ],
)
def test_a_number_is_written_where_it_stands_and_nothing_else_changes(
    tuned: ModuleType, root: Path, name: str, value: Any, line: str
) -> None:
    tuned.write_number(root, tuned.numbers_of(root)[f"nose.{name}"], value)
    lines = (root / "faceswap_cli" / "portrait" / "nose.py").read_text(encoding="utf-8").splitlines(keepends=True)
    before = NOSE.splitlines(keepends=True)
    changed = [now for now, then in zip(lines, before, strict=True) if now != then]
    assert changed == [line]
    assert tuned.numbers_of(root)[f"nose.{name}"].value == value


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("share", {"value": 0.4}, "nose.share is 0.3 in the code, 0.4 in the record"),
        ("share", {"range": [0, 0.25]}, "nose.share is 0.3, outside of its range 0 to 0.25"),
        ("_LONG", {"range": [1, 2]}, "nose._LONG is [1, 2.5], outside of its range 1 to 2"),
        (
            "share",
            {"date": None},
            "nose.share says value, range, on, before, after beside what it must: after, before,",
        ),
        ("share", {"date": "today"}, "nose.share has no day for a date: today"),
        (
            "share",
            {"on": "not recorded"},
            "nose.share says value, range, on, before, after, date beside what it must: on",
        ),
        ("_WIDE", {"on": None}, "nose._WIDE says value, range beside what it must: after, before, date, on"),
        ("_WIDE", {"on": "a photo"}, "nose._WIDE says value, range, on beside what it must: after, before, date, on"),
        ("_WIDE", {"range": None}, "nose._WIDE has no range"),
        ("TIP", {"on": "not recorded"}, "nose.TIP says value, defined, on beside what it must: defined"),
        ("history", {"value": 5}, "nose.history is 4 in the code, 5 in the record"),
        ("brow", {"value": 1}, "nose.brow is written down, but the code has no such number"),
    ],
)
def test_a_disagreement_is_said_in_a_line(
    tuned: ModuleType, root: Path, name: str, change: dict[str, Any], told: str
) -> None:
    record = tuned.read_record(root)
    entry = record["nose"].setdefault(name, {}) | change
    record["nose"][name] = {key: value for key, value in entry.items() if value is not None}
    (line,) = tuned.disagreements(tuned.numbers_of(root), record)
    assert line.startswith(told)


def test_a_number_changed_in_code_alone_and_one_nobody_wrote_down_are_said(tuned: ModuleType, root: Path) -> None:
    tuned.write_number(root, tuned.numbers_of(root)["nose.share"], 0.45)
    with (root / "faceswap_cli" / "stages" / "mask.py").open("a") as file:
        file.write("_BROW = 0.15\n")
    assert tuned.disagreements(tuned.numbers_of(root), tuned.read_record(root)) == [
        "nose.share is 0.45 in the code, 0.3 in the record",
        "mask._BROW is not written down",
    ]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("share", "1", 1.0), ("share", " .25", 0.25), ("history", "2", 2), ("_LONG", "(2, 3)", (2, 3))],
)
def test_a_typed_value_is_of_the_numbers_own_kind(
    tuned: ModuleType, root: Path, name: str, text: str, value: Any
) -> None:
    found = tuned.read_value(text, tuned.numbers_of(root)[f"nose.{name}"])
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("share", "(0.1, 0.2)"),
        ("share", "much"),
        ("share", "1 +"),
        ("share", "True"),
        ("history", "2.5"),
        ("_LONG", "(1, 2, 3)"),
    ],
)
def test_a_value_of_another_kind_is_refused(tuned: ModuleType, root: Path, name: str, text: str) -> None:
    with pytest.raises(UsageError, match="is no value for"):
        tuned.read_value(text, tuned.numbers_of(root)[f"nose.{name}"])


def test_what_is_tried_begins_with_todays_value_and_names_nothing_twice(
    examples: dict[str, ModuleType], root: Path
) -> None:
    retune, number = examples["retune"], examples["tuned"].numbers_of(root)["nose.share"]
    entry = WRITTEN["nose"]["share"]
    assert retune.tried(number, entry, [], None) == [0.3, 0.15, 0.4]
    assert retune.tried(number, entry, ["0.1", "0.3"], 0.1) == [0.3, 0.1]
    assert retune.half_way((1, 2.5), 3) == (2, 2.75)
    assert retune.half_way(4, 8) == 6


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nose.depth", "no number is called 'nose.depth': choose of nose.PaintSettings.depth"),
        ("nose.TIP", "nose.TIP is not chosen but follows from this: a point of 66"),
        ("mask._BROW", "mask._BROW is not written down"),
    ],
)
def test_a_number_that_cannot_be_tuned_is_refused_with_why(
    examples: dict[str, ModuleType], root: Path, name: str, told: str
) -> None:
    (root / "faceswap_cli" / "stages" / "mask.py").write_text("_EYE, _BROW = 0.38, 0.15\n")
    with pytest.raises(UsageError, match=told.replace("[", r"\[")):
        examples["retune"].chosen(name, root)


def trials(examples: dict[str, ModuleType], values: list[float]) -> list[Any]:
    trial = examples["retune_trials"].Trial
    return [trial(value, 5, 2, {"cosine": value / 2, "pose": float("nan")}, 1.0, 0.01) for value in values]


@pytest.mark.parametrize(("value", "before"), [(0.4, "0.3: cosine 0.150, pose -, moved 1.00"), (0.3, "0.3, kept")])
def test_a_value_is_kept_in_code_and_record_alike(
    examples: dict[str, ModuleType], root: Path, value: float, before: str
) -> None:
    tuned, retune = examples["tuned"], examples["retune"]
    number, _ = retune.chosen("nose.share", root)
    noted = retune.noted(trials(examples, [0.3, 0.2, 0.4]), value)
    retune.keep(root, number, noted)
    record = tuned.read_record(root)
    assert tuned.disagreements(tuned.numbers_of(root), record) == []
    entry = record["nose"]["share"]
    assert entry["value"] == tuned.numbers_of(root)["nose.share"].value == value
    assert (entry["range"], entry["date"]) == ([0, 0.5], date.today())
    assert entry["on"] == "photos of tuning people: 5 into others, 2 into themselves (retune.py, seed 0)"
    assert (entry["before"], entry["after"]) == (before, f"{value}: cosine {value / 2:.3f}, pose -, moved 1.00")
    others = [0.2] if value == 0.4 else [0.2, 0.4]
    assert entry["tried"] == [f"{each}: cosine {each / 2:.3f}, pose -, moved 1.00" for each in others]


@pytest.mark.parametrize(
    ("value", "ends", "tried"),
    [
        (0.3, [0, 0.5], [0.15, 0.5]),  # twice it is beyond its range
        (3, [1, 8], [1, 6]),  # a whole number stays one
        ((0.2, 0.4), [0, 1], [(0.1, 0.2), (0.4, 0.8)]),
        (1.0, [0, 1], [0.5]),
    ],
)
def test_a_number_is_halved_and_doubled_within_its_range(
    examples: dict[str, ModuleType], value: Any, ends: list[float], tried: list[Any]
) -> None:
    assert examples["sensitivity"].scaled(value, ends) == tried


def test_swaps_are_compared_where_either_changed_the_target(examples: dict[str, ModuleType]) -> None:
    """Of 100 pixels one swap changes two and the other one of these: they differ by 4 and by 10, 7 in the mean."""
    target = np.full((10, 10, 3), 100, np.uint8)
    one, other = target.copy(), target.copy()
    one[0, 0], one[0, 1] = 104, 120
    other[0, 1] = 110
    mean, top = examples["sensitivity"].difference(target, one, other)
    assert mean == pytest.approx(7)
    assert top == pytest.approx(10, abs=0.01)
    assert examples["sensitivity"].difference(target, target, target) == (0, 0)


def test_what_a_single_photo_cannot_tell_is_not_tried(examples: dict[str, ModuleType]) -> None:
    names = examples["sensitivity"].with_a_range()
    assert "geometry.GAIN" in names
    assert not {"steadying.history", "landmarks.CHIN"} & set(names)


def test_a_value_outside_of_its_range_is_refused(examples: dict[str, ModuleType]) -> None:
    within = examples["retune"].within
    assert within((1, 3), [1, 3]) == (1, 3)
    for value in (0.6, (0.4, 0.6), -0.1):
        with pytest.raises(UsageError, match=r"outside of 0 to 0\.5"):
            within(value, [0, 0.5])


def test_a_trial_is_summed_up_as_by_hand(examples: dict[str, ModuleType]) -> None:
    """Two pairs, cosines 0.1 and 0.3 above today's: mean difference 0.2, deviation 0.1, over the root of two."""

    def row(cosine: float, level: int, is_self: bool = False) -> Row:
        path, picture = Path("a.png"), np.full((2, 2, 3), level, np.uint8)
        values = {"cosine_source": cosine, "expression": None, "crop_psnr": 40.0 if is_self else 20.0}
        return Row(Pair(path, path, path, is_self), {**dict.fromkeys(MEASURES), **values}, (picture,))

    today = (row(0.2, 10), row(0.4, 10), row(0.9, 10, True))
    now = (row(0.3, 12), row(0.7, 6), row(0.9, 99, True))
    found = examples["retune_trials"].trial(0.5, 33.0, now, today)
    assert (found.swaps, found.selves) == (2, 1)
    assert found.figures["cosine"] == pytest.approx(0.5)
    assert found.figures["self dB"] == 40.0
    assert found.figures["ms"] == 33.0
    assert np.isnan(found.figures["expression"])
    assert found.moved == pytest.approx((2 + 4) / 2)
    assert found.error == pytest.approx(0.1 / 2**0.5)


def test_pairs_are_of_tuning_people_and_nobody_is_a_target_twice(examples: dict[str, ModuleType], data: Path) -> None:
    pairs = examples["retune_trials"].draw_pairs(data / "faces", 24, 6)
    swaps, selves = pairs[:24], pairs[24:]
    assert selves == [(target, target) for _, target in swaps[:6]]
    assert len({target for _, target in swaps}) == 24
    assert {source for source, _ in swaps}.isdisjoint(target for _, target in swaps)
    known = {
        str((data / "faces" / name / folder / image).resolve()): person
        for name, folder in (("celebahq", "images"), ("congress", "."))
        for image, person in read_identities(data / "faces" / name).items()
    }
    assert {part_of(known[str(path.resolve())]) for pair in swaps for path in pair} == {"tuning"}
    assert len({known[str(path.resolve())] for pair in swaps for path in pair}) == 48
    with pytest.raises(UsageError, match="200 pairs"):
        examples["retune_trials"].draw_pairs(data / "faces", 200, 6)


def test_a_copy_of_the_code_has_the_other_value_alone(examples: dict[str, ModuleType]) -> None:
    tuned, checkout = examples["tuned"], examples["retune_trials"].checkout
    number = tuned.numbers_of()["geometry.BROWS_UP"]
    digests = []
    for value in (number.value, 0.25, 0.25):
        with checkout(number, value) as (folder, digest):
            values = {name: each.value for name, each in tuned.numbers_of(folder).items()}
            assert values == {name: each.value for name, each in tuned.numbers_of().items()} | {number.name: value}
            assert (folder / "weights" / "catalogue.toml").is_file()
        digests.append(digest)
    assert digests[0] != digests[1] == digests[2]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["geometry.BROWS"], "no number is called 'geometry.BROWS': choose of geometry.BROWS_UP"),
        (["geometry.BROWS_UP", "--write", "7"], "7.0 is outside of 0 to 1"),
        (["geometry.BROWS_UP", "--values", "high"], "'high' is no value for geometry.BROWS_UP"),
        (["geometry.BROWS_UP"], "FACESWAP_DATA is not set"),
    ],
)
def test_what_cannot_be_meant_is_said_in_a_line(
    examples: dict[str, ModuleType],
    words: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["retune.py", *words])
    monkeypatch.delenv("FACESWAP_DATA", raising=False)
    assert examples["retune"].main() == UsageError.exit_code
    said = capsys.readouterr().err
    assert said.startswith(f"retune: {told}")
    assert said.count("\n") == 1


@pytest.mark.slow
def test_two_values_are_swapped_and_judged(
    examples: dict[str, ModuleType], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACESWAP_DATA", str(data))
    tuned, trials = examples["tuned"], examples["retune_trials"]
    number = tuned.numbers_of()["geometry.GAIN"]
    pairs = trials.draw_pairs(data / "faces", 3, 1)  # of one, a face behind paint is taken for none
    today, none = trials.try_values(number, [number.value, 0.0], pairs, tmp_path)
    assert (today.moved, today.error, today.swaps, today.selves) == (0, 0, 2, 1)
    assert none.moved > 1
    assert none.figures["cosine"] != today.figures["cosine"]
    assert none.figures["self dB"] > 20
    assert 0 < today.figures["ms"] < 60_000
    assert len(os.listdir(tmp_path)) == 2
