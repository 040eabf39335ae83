"""The pages people read: links lead somewhere, lists are whole, the picture says what it is, code runs."""

import re
import runpy
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from faceswap_cli import Options, swap_image
from faceswap_cli.cli.app import COMMANDS
from faceswap_cli.media.provenance import read_provenance
from faceswap_cli.portrait.corrections.grain import Grain
from faceswap_cli.portrait.recipe import RECIPE, Recipe

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (
    "",
    ".github",
    ".github/ISSUE_TEMPLATE",
    "examples",
    "examples/cluster",
    "faceswap_cli",
    "weights",
    "weights/faces",
    "weights/training",
)
PAGES = sorted(page for folder in FOLDERS for page in (ROOT / folder).glob("*.md"))
README = ROOT / "README.md"


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), link
        assert not heading or heading in anchors(found), link


def test_the_readmes_picture_is_small_and_says_that_it_was_edited() -> None:
    (picture,) = re.findall(r"!\[[^\]]+\]\((.+?)\)", README.read_text(encoding="utf-8"))
    assert (ROOT / picture).stat().st_size < 300_000
    found = read_provenance(ROOT / picture)
    assert found.edited_with_ai
    assert [sign.model for sign in found.signs if sign.model] == ["lite"]


def test_a_row_of_three_shows_whose_face_into_what_and_the_labelled_result(data: Path, tmp_path: Path) -> None:
    example, output = runpy.run_path(str(ROOT / "examples" / "before_after.py")), tmp_path / "row.jpg"
    photos = data / "photos"
    source, target = photos / "face_recognition/obama.jpg", photos / "public_domain/astronaut_collins_nasa.png"
    example["main"](source, target, output)
    row = np.asarray(Image.open(output)).astype(int)
    whose, before, after = (row[:, left : left + 400] for left in (0, 408, 816))
    assert row.shape == (500, 1216, 3)
    assert np.abs(whose - np.asarray(example["head"](source))).mean() < 4  # levels: what JPEG changes
    assert np.abs(before - np.asarray(example["head"](target))).mean() < 4
    difference = np.abs(after - before).max(axis=2)
    assert difference[150:300, 140:260].mean() > 12 > 4 > difference[:100].mean(), "the face, and not what is above it"
    assert after[470:486, 14:120].min() < 60 and after[470:486, 14:120].max() > 200, "a label, white on dark"
    assert read_provenance(output).edited_with_ai


def test_the_readme_names_every_command() -> None:
    rows = [line.split("|")[1] for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert set(COMMANDS) <= {name.partition(" ")[0] for name in re.findall(r"`([^`]+)`", " ".join(rows))}


def test_every_program_of_the_examples_is_listed() -> None:
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    missing = [path.name for path in (ROOT / "examples").glob("*.py") if f"`{path.name}`" not in page]
    assert not missing


def test_the_readme_leads_to_every_page_of_the_examples() -> None:
    shown = README.read_text(encoding="utf-8")
    (further,) = {page.name for page in (ROOT / "examples").glob("*.md") if f"(examples/{page.name})" not in shown}
    assert further == "simswap.md"  # of which training.md tells


# --- what ARCHITECTURE.md teaches: its code is run as it stands there

Teach = Callable[[str], ModuleType]


def code_for(name: str) -> str:
    """The block of code that follows the line on which the page names a file."""
    page = (ROOT / "faceswap_cli" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"{re.escape(name)}[^\n]*\n\n```python\n(.*?)```", page, re.S)
    return code


@pytest.fixture
def teach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Teach:
    """Import the page's code for a file, as if it lay there."""

    def taught(file: str) -> ModuleType:
        path = tmp_path / Path(file).name
        path.write_text(code_for(f"`{file}`"), encoding="utf-8")
        name = f"faceswap_cli.{file.removesuffix('.py').replace('/', '.')}"
        spec = spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return taught


def test_the_pages_correction_is_ordered_switchable_and_passes_its_test(teach: Teach) -> None:
    step = teach("portrait/corrections/shine.py").Shine()
    at = RECIPE.steps.index(Grain())
    recipe = Recipe((*RECIPE.steps[:at], step, *RECIPE.steps[at:]))
    assert recipe.corrections == (*RECIPE.corrections[:-1], "shine", "grain")
    assert recipe.without(("shine",)) == RECIPE
    assert recipe.of_frame(after_generator=True)[-2:] == [step, Grain()]
    teach("tests/test_portrait_corrections_shine.py").test_no_channel_is_brighter_than_the_target()


def test_the_pages_correction_takes_less_than_forty_lines() -> None:
    files = ("portrait/corrections/shine.py", "tests/test_portrait_corrections_shine.py")
    lines = [line for file in files for line in code_for(f"`{file}`").splitlines() if line.strip()]
    others = 6  # two of the recipe, one of its tests, one of the page of names, two of the record of numbers
    assert len(lines) + others == 36


def test_the_pages_network_is_written_and_swaps(
    teach: Teach, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach("networks/plain.py")
    monkeypatch.chdir(tmp_path)
    exec(code_for("by hand it is"), {})
    options = Options(model=str(tmp_path / "plain.onnx"), device="cpu", threads=1)
    assert swap_image(portrait, portrait, tmp_path / "swapped.png", options).faces_swapped == 1


def test_the_pages_command_counts_frames(teach: Teach, short_clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teach("cli/frames.py").frames(short_clip)
    assert capsys.readouterr().out == "12\n"
