"""Graders see an order that only the key knows, and their grades are summed as they would be by hand."""

import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from faceswap_cli.errors import FaceSwapError, UsageError
from faceswap_cli.evaluation.splits import part_of
from tests.conftest import write_clip

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("blind_look", "blind_pairs", "blind_sheets", "identity_bars", "versions")

# What old and new got: three fair rows, one hard, one clip. In row 5 the new version found no face.
ORDERS = (("old", "new"), ("new", "old"), ("old", "new"), ("new", "old"), ("old", "new"))
KINDS = ("fair", "fair", "fair", "hard", "clip")
GRADES = """row,1,2,preferred
1,wince,as is,2
2,As Is,no,1
3,as is,as  is,
4,wince,no,1
5,no,as is,-
"""


@pytest.fixture
def look(examples: dict[str, ModuleType]) -> ModuleType:
    return examples["blind_look"]


@pytest.fixture
def key(look: ModuleType) -> list[Any]:
    failed = ((), (), (), (), ("new",))
    given = zip(range(1, 6), KINDS, ORDERS, failed, strict=True)
    return [look.KeyRow(row, row, kind, (), "s", "t", order, lost) for row, kind, order, lost in given]


def graded(look: ModuleType, tmp_path: Path, text: str = GRADES) -> list[dict[str, str]]:
    (tmp_path / "grades.csv").write_text(text)
    return look.read_grades(tmp_path / "grades.csv")


def test_grades_are_summed_by_version_and_kind(look: ModuleType, key: list[Any], tmp_path: Path) -> None:
    found = look.tally(key, graded(look, tmp_path))
    assert found.grades == {
        ("fair", "old"): Counter({"wince": 1, "no": 1, "as is": 1}),
        ("fair", "new"): Counter({"as is": 3}),
        ("hard", "old"): Counter({"no": 1}),
        ("hard", "new"): Counter({"wince": 1}),
        ("clip", "old"): Counter({"no": 1}),
        ("clip", "new"): Counter({"no": 1}),  # it found no face, whatever the grader wrote
    }
    assert [found.preferred[kind] for kind in ("fair", "hard", "clip")] == [
        Counter({"new": 2, "": 1}),
        Counter({"new": 1}),
        Counter({"": 1}),
    ]
    text = look.told(found, ["new", "old"])
    assert "fair  old                3   33.3 %   33.3 %   33.3 %" in text
    assert "fair  new                3  100.0 %    0.0 %    0.0 %" in text
    assert "fair  preferred: new 2, old 0, neither 1, of 3" in text


def test_two_graders_count_together_and_what_nobody_graded_is_said(
    look: ModuleType, key: list[Any], tmp_path: Path
) -> None:
    more = graded(look, tmp_path, "row,1,2,preferred\n1,no,no,\n4,,,\n")
    found = look.tally(key, [row for row in graded(look, tmp_path) if row["row"] == "1"] + more)
    assert found.grades["fair", "old"] == Counter({"wince": 1, "no": 1})
    assert found.grades["fair", "new"] == Counter({"as is": 1, "no": 1})
    assert found.ungraded == (2, 3, 4, 5)
    assert "rows without a grade: 2, 3, 4, 5" in look.told(found, ["new", "old"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1,good,no,1", "row 1: grade 'good': give one of as is, wince, no"),
        ("9,no,no,1", "row '9' is not in the key, which has 5 rows"),
        ("1,no,no,3", "row 1: preferred '3': give a number from 1 to 2"),
    ],
)
def test_a_grade_that_cannot_be_meant_is_one_clear_line(
    look: ModuleType, key: list[Any], tmp_path: Path, line: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        look.tally(key, graded(look, tmp_path, f"row,1,2,preferred\n{line}\n"))


def test_every_version_stands_at_every_number_as_often(look: ModuleType) -> None:
    orders = [look.order_of(row, ["old", "new", "mean"], 3) for row in range(1, 25)]
    for place in range(3):
        assert sorted(order[place] for order in orders) == 8 * ["mean"] + 8 * ["new"] + 8 * ["old"]


def test_the_order_differs_from_row_to_row_and_is_the_seeds_own(look: ModuleType) -> None:
    orders = [tuple(look.order_of(row, ["old", "new"], 0)) for row in range(1, 101)]
    assert orders.count(("old", "new")) == 50
    assert len({tuple(orders[start : start + 4]) for start in range(0, 100, 4)}) > 3
    assert orders == [tuple(look.order_of(row, ["old", "new"], 0)) for row in range(1, 101)]
    assert orders != [tuple(look.order_of(row, ["old", "new"], 1)) for row in range(1, 101)]


def test_the_key_recovers_what_each_number_on_a_sheet_is(
    examples: dict[str, ModuleType], data: Path, short_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each version's results are of one colour: the colours under the numbers are those the key names."""
    look, sheets = examples["blind_look"], examples["blind_sheets"]
    colours = {"crimson": (200, 30, 30), "olive": (30, 200, 30), "navy": (30, 30, 200)}
    photos = [data / "photos/face_recognition" / f"{name}.jpg" for name in ("obama", "biden", "obama2")]
    targets = [*photos, *photos, short_clip]
    table = "".join(f"{photos[1]},{target},hard\n" for target in targets)
    (tmp_path / "pairs.csv").write_text(f"source,target,kind\n{table}")
    for name, colour in colours.items():
        (tmp_path / name).mkdir()
        flat = [np.full((240, 320, 3), colour, np.uint8)] * 12
        for number in range(1, len(targets)):
            size = cv2.imread(str(photos[0])).shape[:2]
            cv2.imwrite(str(tmp_path / name / f"{number:03d}.png"), np.full((*size, 3), colour[::-1], np.uint8))
        write_clip(tmp_path / name / f"{len(targets):03d}.mp4", flat)
    words = ["blind_look", "make", str(data), "--pairs", str(tmp_path / "pairs.csv")]
    versions = [word for name in colours for word in ("--version", f"{name}={tmp_path / name}")]
    monkeypatch.setattr(sys, "argv", [*words, "--output", str(tmp_path / "look"), *versions])
    assert look.main() == 0
    key = look.read_key(tmp_path / "look_key" / "key.json")
    assert len({row.order for row in key}) > 1
    pairs = examples["blind_pairs"].read_list(tmp_path / "look_key" / "pairs.csv")
    assert [str(pairs[row.pair - 1].target) for row in key] == [row.target for row in key]
    assert sorted(row.pair for row in key) == list(range(1, 8)) != [row.pair for row in key]
    assert [row.kind for row in key] == ["hard"] * 6 + ["clip"]
    tile, band = sheets.TILE, sheets.TILE + sheets.LABEL + 4
    for row in key[:-1]:
        sheet = cv2.imread(str(tmp_path / "look" / f"photos_{(row.row + 1) // 2:02d}.png"))[..., ::-1]
        y = (row.row - 1) % 2 * band + sheets.LABEL + tile // 2
        for number, name in enumerate(row.order, 2):
            assert tuple(sheet[y, number * tile + tile // 2]) == colours[name]
    for letter in "ab":
        strip = cv2.imread(str(tmp_path / "look" / f"clip_01{letter}.png"))[..., ::-1].astype(int)
        assert strip.shape[1] == 4 * tile
        for number, name in enumerate(key[-1].order, 1):
            assert np.abs(strip[number * band + band // 2, 2 * tile + tile // 2] - colours[name]).max() < 12
    shown = "".join(path.read_text() for path in (tmp_path / "look").glob("*.[ct][sx][vt]"))
    assert not any(name in shown for name in colours)
    assert (tmp_path / "look" / "grades.csv").read_text().splitlines()[:2] == ["row,1,2,3,preferred", "1,,,,"]


def portrait_of(pairs: ModuleType, number: int, **changed: Any) -> Any:
    plain = {"size": 120.0, "lightness": 60.0, "glasses": False, "beard": False, "yaw": 0.0}
    return pairs.Look(Path(f"{number}.jpg"), number % 2 == 0, **(plain | changed))


def test_each_reason_makes_a_pair_hard_from_its_limit_on(examples: dict[str, ModuleType]) -> None:
    pairs = examples["blind_pairs"]
    plain = portrait_of(pairs, 0)
    assert pairs.reasons(plain, portrait_of(pairs, 1, lightness=79.9, yaw=-19.9, size=40.0)) == ()
    assert pairs.reasons(portrait_of(pairs, 1, size=85.0), plain) == ()
    assert pairs.reasons(portrait_of(pairs, 1, size=84.9), plain) == ("small source",)
    assert pairs.reasons(plain, portrait_of(pairs, 1, lightness=40.0, yaw=-20.0)) == ("unlike skins", "turned")
    assert pairs.reasons(portrait_of(pairs, 1, glasses=True), portrait_of(pairs, 3, beard=True)) == ("glasses", "beard")


def test_half_of_the_photos_drawn_are_hard_and_every_reason_has_its_turn(examples: dict[str, ModuleType]) -> None:
    pairs = examples["blind_pairs"]
    hard = {0: {"beard": True}, 1: {"glasses": True}, 2: {"yaw": 40.0}, 3: {"yaw": -30.0}, 4: {"yaw": 25.0}}
    looks = [portrait_of(pairs, number, **hard.get(number, {})) for number in range(20)]
    drawn = pairs.draw_photos(looks, 13, 0)
    assert [each.kind for each in drawn] == ["fair"] * 6 + ["hard"] * 7
    assert {why for each in drawn for why in each.why} == {"beard", "glasses", "turned"}
    for kind in (drawn[:6], drawn[6:]):
        assert max(Counter(each.source for each in kind).values()) <= 2
        assert max(Counter(each.target for each in kind).values()) <= 2
    assert all(int(each.target.stem) % 2 == 0 and each.source != each.target for each in drawn)
    assert drawn == pairs.draw_photos(looks, 13, 0)
    with pytest.raises(UsageError, match=r"only \d+ of 100 pairs could be drawn"):
        pairs.draw_photos(looks, 200, 0)


def test_a_version_is_this_checkout_another_a_python_or_ready_results(
    examples: dict[str, ModuleType], tmp_path: Path
) -> None:
    read = examples["versions"].read_version
    (tmp_path / "other" / "faceswap_cli").mkdir(parents=True)
    assert read("new=--model 'my file.onnx'").words == ("--model", "my file.onnx")
    assert read("new=--model a").checkout == ROOT
    assert (read(f"old={tmp_path / 'other'} --model a").checkout, read("new=").words) == (tmp_path / "other", ())
    assert read(f"old={sys.executable} --model a").python == sys.executable
    assert read(f"old={sys.executable} --model a").checkout is None
    assert read(f"old={tmp_path}").ready == tmp_path
    for wrong in ("--model a", "=--model a", f"old={tmp_path} --model a", "old=/nowhere"):
        with pytest.raises(UsageError):
            read(wrong)


def test_another_checkout_swaps_wherever_one_stands(
    examples: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "other" / "faceswap_cli"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("import sys\nopen(sys.argv[sys.argv.index('--output') + 1], 'w').close()\n")
    monkeypatch.chdir(ROOT)
    version, photo = examples["versions"].read_version(f"old={tmp_path / 'other'}"), ROOT / "examples/before_after.jpg"
    result = tmp_path / "result.png"
    assert version.swap(photo, photo, result) == result
    assert result.read_bytes() == b""


def test_a_version_swaps_as_the_command_does(
    examples: dict[str, ModuleType], portrait: Path, whole_pack: Path, tinting_generator: Path, tmp_path: Path
) -> None:
    words = ("--model", str(tinting_generator), "--face-pack", str(whole_pack), "--threads", "1")
    version = examples["versions"].Version("new", words)
    made = version.swap(portrait, portrait, tmp_path / "made.png")
    assert cv2.imread(str(made)).shape == cv2.imread(str(portrait)).shape
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200, 3), 99, np.uint8))
    assert version.swap(portrait, tmp_path / "wall.png", tmp_path / "none.png") is None
    with pytest.raises(FaceSwapError, match=r"version new: .*absent\.jpg"):
        version.swap(tmp_path / "absent.jpg", portrait, tmp_path / "other.png")


def test_the_bars_are_drawn_of_the_reporting_people_and_the_gallery_of_the_held_out(
    examples: dict[str, ModuleType], tmp_path: Path
) -> None:
    bars = examples["identity_bars"]
    for name, pictures in (bars.SOURCES, bars.TARGETS):
        people = [f"{name}_{number:04d}" for number in range(200)]
        (tmp_path / name / pictures).mkdir(parents=True)
        for person in people:
            (tmp_path / name / pictures / f"{person}.jpg").touch()
        table = "".join(f"{person}.jpg\t{person}\n" for person in people)
        (tmp_path / name / "identities.tsv").write_text(f"image\tidentity\n{table}")
    draw = bars.draw_pairs(tmp_path, 30)
    assert len(draw.pairs) == 30
    assert {part_of(path.stem) for pair in draw.pairs for path in pair} == {"reporting"}
    assert {(one.stem[:8], other.stem[:8]) for one, other in draw.pairs} == {("congress", "celebahq")}
    assert {part_of(path.stem) for path in draw.gallery} <= {"tuning", "reporting"}
    assert not {*draw.gallery} & {path for pair in draw.pairs for path in pair}
    assert draw.pairs == bars.draw_pairs(tmp_path, 30).pairs
