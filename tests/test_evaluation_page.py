"""The page of figures: what is measured is what is printed, and a bar is reached only where it is."""

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from faceswap_cli.evaluation.options import MEASURES
from faceswap_cli.evaluation.splits import part_of

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example, imported as it imports its neighbour."""
    monkeypatch.setenv("FACESWAP_DATA", "somewhere")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    sys.modules.pop("evaluation_page", None)
    import evaluation_page  # type: ignore[import-not-found]

    return evaluation_page


def figures(page: ModuleType, **values: float | bool | None) -> object:
    """Figures that reach every bar but retrieval, changed by `values` on portraits and clips alike."""
    good = {"retrieval": 0.5, "cosine_gain": 0.3, "pose_degrees": 1.0, "pose_l2": 2.125, "expression": 0.1}
    good |= {"crop_psnr": 31.25, "jitter": 1.1, "flicker": 1.2, "sound_equal": True}
    part = page.Part(good | values, swaps=48, self_swaps=36, gallery=190)
    other = replace(part, values=good | {"retrieval": 0.625})
    generators = {
        "lite": page.Judged(part, replace(part, swaps=9)),
        "mobile": page.Judged(other, other, ("cut short",)),
    }
    return page.Figures(generators, (0.613, 0.312), 50, 2, 2.0, {"Python": "3"}, {"lite": "82aad89d92c8"})


def line_of(text: str, *words: str) -> str:
    (found,) = [line for line in text.splitlines() if all(word in line for word in words)]
    return found


def test_the_page_shows_every_measure_twice_with_its_meaning(page: ModuleType) -> None:
    text = page.render(figures(page))
    for name, measure in MEASURES.items():
        rows = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        assert len(rows) == 2
        assert all(measure.meaning in row and measure.unit in row for row in rows)
    assert text.count("| `crop_psnr` | 31.25 | 31.25 | dB | more |") == 2
    assert text.count("| `sound_equal` | yes | yes |") == 2
    assert text.count("| `retrieval` | 0.500 | 0.625 |") == 2
    assert "Note on mobile: cut short." in text


def test_a_bar_is_reached_at_its_limit_and_missed_beyond_it(page: ModuleType) -> None:
    at = page.render(figures(page, crop_psnr=28.0, pose_degrees=2.5, expression=0.15))
    beyond = page.render(figures(page, crop_psnr=27.9, pose_degrees=2.6, expression=0.16))
    for what in (
        "lite, self-swap PSNR in the crop, clips",
        "lite, pose change, portraits",
        "lite, expression change, clips",
    ):
        assert line_of(at, what).startswith("- reached")
        assert line_of(beyond, what).startswith("- MISSED")
    assert line_of(at, "retrieval", "CPU").startswith("- reached: lite")
    assert line_of(at, "lite, retrieval", "GPU").endswith(">= 90 %: **50 %**")
    assert line_of(at, "mobile, retrieval", "GPU").endswith(">= 85 %: **62.5 %**")


def test_what_was_not_measured_reaches_nothing(page: ModuleType) -> None:
    text = page.render(figures(page, retrieval=None, jitter=None))
    assert line_of(text, "lite", "jitter, clips").startswith("- not measured")
    assert "| `retrieval` | - | 0.625 |" in text
    assert line_of(text, "**lite, clips**").endswith("| - | 2.125 |")


def test_published_figures_stand_beside_ours_with_the_warning(page: ModuleType) -> None:
    text = page.render(figures(page))
    assert "other data (FaceForensics++) and other judges" in text
    assert line_of(text, "| SimSwap |") == "| SimSwap | 224 | 92.83 | 1.53 |"
    assert line_of(text, "**lite, portraits**") == "| **lite, portraits** (gallery of 190) | 448 | 50.00 | 2.125 |"


def test_sources_and_targets_are_drawn_of_the_reporting_people_first(page: ModuleType) -> None:
    people = ["congress_0022", "congress_0016", "congress_0030", "congress_0044", "congress_0048", "congress_0062"]
    drawn = page.reporting_first(people)
    assert [part_of(person) for person in drawn] == ["reporting"] * 3 + ["tuning"] * 3
    assert sorted(drawn) == sorted(people)
    assert drawn == page.reporting_first(people[::-1])


def test_the_page_says_what_two_photos_of_one_person_have_by_either_judge(page: ModuleType) -> None:
    text = page.render(figures(page))
    assert "a mean cosine of 0.613 (50 people" in text
    assert "dlib's distance of them is 0.312" in text
