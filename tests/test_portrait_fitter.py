"""Laying a portrait: points go where they belong, a face over itself stays itself, eyes and teeth stay free."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.engines.select import open_network
from faceswap_cli.options import Options
from faceswap_cli.portrait.corrections.coverage import Coverage
from faceswap_cli.portrait.corrections.fold_guard import FoldGuard
from faceswap_cli.portrait.corrections.source_mask import ValidMask
from faceswap_cli.portrait.corrections.steadying import Steadying
from faceswap_cli.portrait.fitter import Fitter
from faceswap_cli.portrait.history import History
from faceswap_cli.portrait.landmarks import EYES, OPENING, LandmarkFinder, frontality, with_forehead
from faceswap_cli.portrait.records import FaceState, Portrait
from faceswap_cli.portrait.source import Portraitist, prepared
from faceswap_cli.portrait.warp import SPLINE, ThinPlateSpline
from faceswap_cli.stages.align import crop_face
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.stages.parse import Parser
from faceswap_cli.store.models import entry, locate
from faceswap_cli.types import Crop, Face

SIZE = 224
EYE_CORNERS = (slice(36, 42), slice(42, 48))


def face_points() -> np.ndarray:
    """A face drawn by hand, in shares of the side."""
    turn = np.linspace(np.pi, 0, 17)
    jaw = np.column_stack([0.5 + 0.33 * np.cos(turn), 0.5 + 0.42 * np.sin(turn)])
    brows = np.column_stack([[0.25, 0.3, 0.35, 0.4, 0.45, 0.55, 0.6, 0.65, 0.7, 0.75], np.full(10, 0.36)])
    nose = [(0.5, y) for y in (0.44, 0.5, 0.55, 0.6)] + [(x, 0.63) for x in (0.44, 0.47, 0.5, 0.53, 0.56)]
    lids = np.array([(-1, 0), (-0.4, -0.5), (0.4, -0.5), (1, 0), (0.4, 0.5), (-0.4, 0.5)]) * 0.05
    eyes = np.vstack([lids + np.array(centre) for centre in ((0.36, 0.45), (0.64, 0.45))])
    around = np.linspace(np.pi, 3 * np.pi, 13)[[1, 2, 3, 4, 5, 7, 8, 9, 10, 11]]  # without the corners
    lips = np.column_stack([0.5 + 0.1 * np.cos(around), 0.76 + 0.06 * np.sin(around)])
    inner = [
        (0.41, 0.76),
        (0.45, 0.74),
        (0.5, 0.73),
        (0.55, 0.74),
        (0.59, 0.76),
        (0.55, 0.79),
        (0.5, 0.8),
        (0.45, 0.79),
    ]
    return np.vstack([jaw, brows, nose, eyes, lips, inner]).astype(np.float32)


def at(field: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Read a (C, C, 2) field of cell centres at a place in shares of the side."""
    row = cv2.remap(field, *(np.float32([[value * field.shape[0] - 0.5]]) for value in place), cv2.INTER_LINEAR)
    return row[0, 0]


def test_every_point_comes_from_its_origin() -> None:
    points = face_points()
    origins = points + np.random.default_rng(0).normal(0, 0.01, points.shape).astype(np.float32) + (0.03, -0.02)
    field = ThinPlateSpline(96).sampling_grid(points, origins.astype(np.float32))
    misses = [np.abs(at(field, point) - origin).max() for point, origin in zip(points[17:], origins[17:], strict=True)]
    assert np.mean(misses) < 0.005
    assert np.abs(points - origins).mean() > 0.02


def test_a_face_laid_over_itself_does_not_move() -> None:
    field = ThinPlateSpline(16).sampling_grid(face_points(), face_points())
    side = (np.arange(16) + 0.5) / 16
    np.testing.assert_allclose(field, np.stack(np.meshgrid(side, side), axis=-1), atol=1e-5)


def test_what_lies_around_follows_a_turn_of_the_whole() -> None:
    angle = np.radians(10)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    origins = ((face_points() - 0.5) @ turn.T + 0.5).astype(np.float32)
    corner = np.array([0.05, 0.05])
    np.testing.assert_allclose(
        at(ThinPlateSpline(64).sampling_grid(face_points(), origins), corner), (corner - 0.5) @ turn.T + 0.5, atol=5e-3
    )


def test_a_portrait_covers_the_face_but_neither_eyes_nor_teeth() -> None:
    points = face_points()
    cover = Coverage().mask(points, SIZE)

    def share(place: np.ndarray) -> float:
        x, y = np.rint(place * SIZE - 0.5).astype(int)
        return float(cover[y, x])

    assert share(np.array([0.4, 0.62])) > 0.95  # a cheek
    assert share(points[30]) > 0.95  # the nose
    assert share(np.array([0.5, 0.3])) > 0.5  # the forehead
    assert max(share(points[eye].mean(axis=0)) for eye in EYES) < 0.1
    assert share(points[OPENING].mean(axis=0)) < 0.25
    assert share(np.array([0.03, 0.03])) == 0


def test_of_a_closed_eye_only_the_line_of_lashes_stays() -> None:
    def kept(points: np.ndarray) -> float:
        return float((1 - Coverage().mask(points, SIZE))[80:125, 60:105].sum())

    closed = face_points()
    for eye in EYES:
        closed[eye, 1] = closed[eye, 1].mean()
    assert 0 < kept(closed) < 0.55 * kept(face_points())


def test_where_the_spline_folds_or_squeezes_the_target_stays() -> None:
    side = (np.arange(SPLINE.cells, dtype=np.float32) + 0.5) / SPLINE.cells
    straight = np.stack(np.meshgrid(side, side), axis=-1)
    assert FoldGuard().unfolded(straight, face_points()).min() == 1
    assert FoldGuard().unfolded(straight, np.full((66, 2), 0.5, np.float32)).min() == 1
    for steps in (-1.0, 12.0):  # of the portrait, for one column of the face
        across = np.ones(SPLINE.cells, np.float32)
        across[22:26] = steps
        folded = straight.copy()
        folded[..., 0] = np.cumsum(across) / SPLINE.cells
        kept = FoldGuard().unfolded(folded, face_points())
        assert kept[SPLINE.cells // 2, SPLINE.cells // 2] < 0.1
        assert kept[:, : SPLINE.cells // 3].min() > 0.99
        assert kept[:, -SPLINE.cells // 3 :].min() > 0.99


def test_the_forehead_lies_above_the_brows() -> None:
    points = face_points()
    assert with_forehead(points).shape == (72, 2)
    assert with_forehead(points)[66:, 1].max() < points[17:27, 1].min()
    assert with_forehead(np.stack([points, points])).shape == (2, 72, 2)


def crop_at(x: float) -> Crop:
    """A crop of a frame in which it lies x pixels further right than the crop of the first frame."""
    to_crop = np.array([[1, 0, -x], [0, 1, 0]], np.float64)
    face = Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0, track=0)
    return Crop(np.zeros((SIZE, SIZE, 3), np.uint8), to_crop, face)


def steady(crops: list[Crop], points: list[np.ndarray], history: History) -> list[np.ndarray]:
    nobody = Portrait(crops[0].image, np.ones((SIZE, SIZE), np.float32), face_points())
    faces = [FaceState(nobody, crop, each) for crop, each in zip(crops, points, strict=True)]
    return [face.landmarks for face in Steadying().over(faces, history)]


def trembling(frames: int) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [face_points() + rng.normal(0, 0.003, (66, 2)).astype(np.float32) for _ in range(frames)]


def test_trembling_points_are_steadied_while_the_head_moves() -> None:
    history, found = History(), trembling(12)
    calm = [steady([crop_at(5 * number)], [points], history)[0] for number, points in enumerate(found)]
    assert np.std(calm[Steadying.history :], axis=0).mean() < 0.75 * np.std(found, axis=0).mean()
    assert np.abs(np.mean(calm, axis=0) - face_points()).max() < 0.004


def test_a_blink_is_not_smoothed_away() -> None:
    history, closed = History(), face_points()
    closed[EYES[0], 1] = closed[EYES[0], 1].mean()
    for _ in range(Steadying.history):
        steady([crop_at(0)], [face_points()], history)
    seen = steady([crop_at(0)], [closed], history)[0]
    opening, was = np.ptp(seen[EYES[0], 1]), np.ptp(face_points()[EYES[0], 1])
    assert opening < 0.1 * was


def test_a_resumed_run_steadies_points_alike() -> None:
    found, history, again = trembling(8), History(), History()
    whole = [steady([crop_at(0)], [points], history)[0] for points in found]
    resumed = [steady([crop_at(0)], [points], again)[0] for points in found[5 - Steadying.history :]]
    for one, other in zip(whole[5:], resumed[Steadying.history :], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_turned_face_does_not_look_frontality() -> None:
    points = face_points()
    turned = points.copy()
    turned[27:36, 0] += 0.25  # the nose, nearly at the edge of the cheek
    assert frontality(points) > 0.95
    assert frontality(turned) < 0.2


@pytest.fixture(scope="module")
def finder() -> LandmarkFinder:
    return LandmarkFinder(open_network(locate("points"), "cpu", 1), entry("points"))


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser(open_network(locate("parser"), "cpu", 1), entry("parser"))


@pytest.fixture(scope="module")
def portraitist(finder: LandmarkFinder, parser: Parser) -> Portraitist:
    return Portraitist(finder, parser, SIZE)


@pytest.fixture(scope="module")
def seen(large_portrait: Path) -> tuple[np.ndarray, Face]:
    rgb = cv2.cvtColor(cv2.imread(str(large_portrait)), cv2.COLOR_BGR2RGB)
    return rgb, open_detector(None, Options(threads=1, device="cpu")).detect(rgb)[0]


def test_points_lie_where_the_detector_sees_eyes_nose_and_mouth(
    finder: LandmarkFinder, seen: tuple[np.ndarray, Face]
) -> None:
    crop = crop_face(*seen, finder.template, SIZE)
    points = finder.find(crop.image) * SIZE
    five = seen[1].points @ crop.to_crop[:, :2].T + crop.to_crop[:, 2]
    span = np.linalg.norm(five[0] - five[1])
    found = np.stack([*(points[eye].mean(axis=0) for eye in EYE_CORNERS), points[30], points[58], points[62]])
    assert np.linalg.norm(found - five, axis=1).max() < 0.15 * span


def test_a_portrait_laid_over_its_own_photo_is_that_photo(
    finder: LandmarkFinder, parser: Parser, portraitist: Portraitist, seen: tuple[np.ndarray, Face]
) -> None:
    (crop,) = parser.parse_crops([crop_face(*seen, finder.template, SIZE)])
    warped = Fitter(prepared(portraitist.observe(crop.image)), finder).fit([crop])[0].warped
    assert np.abs(warped[..., :3].astype(int) - crop.image).mean() < 1
    assert warped[SIZE // 2, SIZE // 2, 3] > 200
    assert warped[2, 2, 3] == 0


def test_hair_and_background_are_no_part_of_a_portrait(portraitist: Portraitist, seen: tuple[np.ndarray, Face]) -> None:
    valid_mask = portraitist.take(*seen).valid_mask
    assert valid_mask[int(0.62 * SIZE), int(0.38 * SIZE)] > 0.9  # a cheek
    assert valid_mask[: SIZE // 20].max() < 0.1  # the hair above


def test_without_a_parser_all_of_a_portrait_is_used(finder: LandmarkFinder, seen: tuple[np.ndarray, Face]) -> None:
    assert Portraitist(finder, None, SIZE).take(*seen).valid_mask.min() == 1


def test_a_shadow_in_the_midst_of_a_face_is_usable_and_hair_or_teeth_there_are_not() -> None:
    labels = np.zeros((160, 160), int)
    for label, (x, y), radius in ((1, (80, 80), 60), (0, (60, 60), 10), (17, (100, 60), 10), (11, (80, 110), 10)):
        rows, columns = np.mgrid[:160, :160]
        labels[np.hypot(columns - x, rows - y) < radius] = label
    valid_mask = ValidMask().valid(np.eye(19, dtype=np.float32)[labels].transpose(2, 0, 1), 160)
    assert valid_mask[60, 60] > 0.95  # the parser took it for background
    assert valid_mask[60, 100] < 0.05
    assert valid_mask[110, 80] < 0.05
    assert valid_mask[5, 5] == 0


def test_of_a_photo_and_a_smaller_one_the_larger_is_the_better_source(
    portraitist: Portraitist, seen: tuple[np.ndarray, Face]
) -> None:
    rgb, face = seen
    small = cv2.resize(rgb, None, fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA)
    smaller = replace(face, box=face.box / 10, points=face.points / 10)
    assert portraitist.quality(rgb, face).merit > portraitist.quality(small, smaller).merit


def test_training_lays_portraits_as_the_swapper_does() -> None:
    torch = pytest.importorskip("torch", reason="training needs the [train] extra")
    from faceswap_cli.training.data.portraits import warp

    points, image = face_points(), np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 3)
    origins = points + np.float32([0.02, 0.03]) + np.random.default_rng(2).normal(0, 0.005, points.shape)

    class Known:
        """Knows the points of the target beforehand."""

        def find_settled(self, picture: np.ndarray) -> tuple[np.ndarray, float]:
            return points, 0.0

    whole = Portrait(image, np.ones((SIZE, SIZE), np.float32), origins.astype(np.float32))
    crop = Crop(image, np.eye(2, 3), Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0))
    ours = Fitter(prepared(whole), Known()).fit([crop])[0].warped[..., :3].astype(np.float32) / 255
    layers = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    theirs = warp(layers, torch.from_numpy(whole.landmarks)[None], torch.from_numpy(points)[None], SIZE)
    inner = slice(SIZE // 5, -SIZE // 5)
    assert np.abs(ours - theirs[0].permute(1, 2, 0).numpy())[inner, inner].max() < 0.03
