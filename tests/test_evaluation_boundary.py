"""The trembling of a mask's edge: nothing where only points tremble or the face moves evenly, more where it does."""

from pathlib import Path

import numpy as np
import pytest

from faceswap_cli.evaluation.boundary import RAYS, edge_tremble, points_tremble, radii
from faceswap_cli.evaluation.measures import tremble
from faceswap_cli.options import Options
from faceswap_cli.stages.align import TEMPLATES, similarity, transform
from faceswap_cli.types import Crop, Face

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SIZE, FRAMES = 256, 40
POINTS = TEMPLATES["simswap-frontal"][0] * 200 + 100
EYES = float(POINTS[1, 0] - POINTS[0, 0])
MIDDLE = POINTS.mean(axis=0)


def crop_at(shift: np.ndarray, trembling: np.ndarray) -> Crop:
    points = POINTS + shift + trembling
    to_crop = similarity(points, "simswap-frontal", SIZE)
    return Crop(np.zeros((SIZE, SIZE, 3), np.uint8), to_crop, Face(np.zeros(4, np.float32), points, 1.0))


def disc(crop: Crop, middle: np.ndarray, radius: float) -> np.ndarray:
    """A soft disc that lies in the frame."""
    x, y = transform(middle[None], crop.to_crop)[0]
    scale = float(np.hypot(*crop.to_crop[0, :2]))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return np.clip(0.5 + (radius * scale - np.hypot(columns - x, rows - y)) / 8, 0, 1)


def film(tremble_points: float, tremble_edge: float) -> tuple[list[Crop], list[np.ndarray]]:
    """A face that moves evenly; points and edge tremble by so many pixels."""
    random = np.random.default_rng(0)
    crops, masks = [], []
    for number in range(FRAMES):
        shift = number * np.array([1.5, 0.5])
        crops.append(crop_at(shift, tremble_points * random.standard_normal((5, 2))))
        masks.append(disc(crops[-1], MIDDLE + shift, 60 + tremble_edge * random.standard_normal()))
    return crops, masks


def test_the_edge_is_where_it_was_drawn() -> None:
    crop = crop_at(np.zeros(2), np.zeros(2))
    found = radii(crop, disc(crop, MIDDLE, 60), MIDDLE, np.array([0, -1]), EYES)
    assert found.shape == (RAYS,)
    assert found == pytest.approx(60, abs=0.1)


def test_rays_that_meet_no_edge_say_nothing() -> None:
    crop = crop_at(np.zeros(2), np.zeros(2))
    assert np.isnan(radii(crop, np.zeros((SIZE, SIZE)), MIDDLE, np.array([0, -1]), EYES)).all()


def test_the_first_ray_goes_up_and_they_go_round() -> None:
    crop = crop_at(np.zeros(2), np.zeros(2))
    found = radii(crop, disc(crop, MIDDLE - (0, 20), 60), MIDDLE, np.array([0, -1]), EYES)
    assert found[0] == pytest.approx(80, abs=0.2)
    assert found[RAYS // 2] == pytest.approx(40, abs=0.2)


def test_a_steady_edge_has_none_although_the_points_tremble() -> None:
    crops, masks = film(tremble_points=1.0, tremble_edge=0.0)
    assert points_tremble([crop.face for crop in crops]) > 20
    assert edge_tremble(crops, masks) < 3


def test_a_trembling_edge_has_more_the_more_it_trembles() -> None:
    still, little, much = (edge_tremble(*film(0.0, edge)) for edge in (0.0, 0.5, 1.0))
    assert still < 1 < little < much
    assert much == pytest.approx(2 * little, rel=0.1)


def test_edge_and_points_are_told_in_one_unit() -> None:
    """White noise of one deviation, in x, in y or along a ray, has one mean second difference."""
    crops, masks = film(tremble_points=0.0, tremble_edge=1.0)
    edge = edge_tremble(crops, masks)
    points = points_tremble([crop.face for crop in film(1.0, 0.0)[0]])
    assert edge == pytest.approx(points, rel=0.25)
    assert points == pytest.approx(1000 * np.sqrt(6) * np.sqrt(2 / np.pi) / EYES, rel=0.1)


def test_even_motion_is_no_trembling() -> None:
    values = np.arange(10.0)[:, None] * [1, 2, 3]
    assert tremble(values, np.full(10, 5.0)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", ["vr_1.mp4", "intel_asl_milk.mkv"])
def test_the_shipped_parsers_edge_is_as_steady_as_the_points(
    name: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large face and one of 65 pixels."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from judge_mask import Judge  # type: ignore[import-not-found]

    figures = Judge(Options(threads=1, device="cpu")).measure(data / "clips" / name, frames=40)
    assert figures.frames == 40
    assert figures.edge <= figures.points < figures.points_found, figures
    assert figures.edge < 0.8 * figures.edge_alone, figures
