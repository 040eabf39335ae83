"""Where the source's lips cannot do what the target's do, the target's own are painted, in the source's colour."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from faceswap_cli.portrait.corrections.own_lips import OwnLips, OwnLipsPainted
from faceswap_cli.portrait.corrections.source_mouth import Mouthless, SourceLips
from faceswap_cli.portrait.corrections.warp_views import blend
from faceswap_cli.portrait.mouth import MouthGauge
from faceswap_cli.portrait.records import Lips, Portrait
from faceswap_cli.portrait.source import prepared
from faceswap_cli.stages.parse import LIPS, MOUTH
from faceswap_cli.types import Crop, Face
from tests.test_portrait_fitter import SIZE, face_points

SKIN, RED, BROWN = (200, 160, 140), (180, 50, 60), (120, 80, 70)
MIDDLE = round(0.76 * SIZE), SIZE // 2  # of the mouth
POINTS = face_points()
WIDTH = float(np.linalg.norm(POINTS[58] - POINTS[62]))
EYES = float(np.linalg.norm(POINTS[36:42].mean(axis=0) - POINTS[42:48].mean(axis=0)))


def classes(width: float = WIDTH, opening: float = 0.0) -> np.ndarray:
    """What a parser says of a mouth so wide (shares of the side), open by so large a share of the points' width."""
    rows, columns = (np.indices((SIZE, SIZE), np.float32) + 0.5) / SIZE
    across = np.abs(columns - 0.5) < width / 2
    gap, high = opening * WIDTH / 2, opening * WIDTH / 2 + 0.04
    shares = np.zeros((19, SIZE, SIZE), np.float32)
    shares[MOUTH] = across * (np.abs(rows - 0.76) < gap)
    for label, side in zip(LIPS, (-1, 1), strict=True):
        below = side * (rows - 0.76)
        shares[label] = across * (below >= gap) * (below < high) * (below > 0)
    shares[1] = 1 - shares.sum(axis=0)
    return shares


def face(shares: np.ndarray, lips: tuple[int, int, int] = RED, skin: tuple[int, int, int] = SKIN) -> np.ndarray:
    image = np.full((SIZE, SIZE, 3), skin, np.uint8)
    image[shares[list(LIPS)].sum(axis=0) > 0.5] = lips
    image[shares[MOUTH] > 0.5] = 255
    return image


def lips_of(image: np.ndarray, shares: np.ndarray) -> Lips | None:
    return SourceLips().seen(Portrait(image, np.ones((SIZE, SIZE), np.float32), POINTS, shares))


def weight(lips: Lips, shares: np.ndarray) -> float:
    return OwnLips().weight(lips, POINTS, MouthGauge().measure(POINTS, shares))


def seen(shares: np.ndarray) -> Lips:
    found = lips_of(face(shares), shares)
    assert found is not None
    return found


def crop(shares: np.ndarray, image: np.ndarray) -> Crop:
    nobody = Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
    return Crop(image, np.eye(2, 3), nobody, shares)


def test_lips_are_told_by_colour_breadth_and_opening() -> None:
    lips = seen(classes(width=0.2, opening=0.2))
    assert np.abs(lips.colour - RED).max() < 3
    assert lips.width == pytest.approx(0.2 / EYES, rel=0.05)
    assert lips.aspect_ratio == pytest.approx(0.2, abs=0.03)
    assert lips_of(face(classes(width=0)), classes(width=0)) is None
    assert MouthGauge().width(POINTS, classes(width=0)) == 0


@pytest.mark.parametrize(
    ("source", "target", "wanted"),
    [
        ({}, {}, 0),  # at rest both
        ({"opening": 0.2}, {"opening": 0.2}, 0),  # laughing both
        ({"opening": 0.2}, {}, 1),  # a laugh over shut lips
        ({"opening": 0.05}, {}, 0),  # lips that are only parted
        ({"width": 1.35 * WIDTH}, {"width": 0.9 * WIDTH}, 1),  # a smile over pursed lips
        ({}, {"opening": 0.4}, 1),  # a shut mouth over a gaping one
        ({"opening": 0.2}, {"width": 0.4 * WIDTH}, 0),  # lips that a hand covers
    ],
)
def test_the_targets_lips_serve_where_the_sources_do_something_else(
    source: dict[str, float], target: dict[str, float], wanted: float
) -> None:
    assert weight(seen(classes(**source)), classes(**target)) == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("opening", np.linspace(0, 0.4, 9))
def test_a_mouth_that_opens_changes_by_and_by(opening: float) -> None:
    lips = seen(classes(opening=0.2))
    one, other = (weight(lips, classes(opening=each)) for each in (opening, opening + 0.01))
    assert abs(one - other) < 0.4


def test_a_portrait_without_a_mouth_has_skin_there() -> None:
    shares = classes(opening=0.2)
    bare = Mouthless().mouthless(Portrait(face(shares), 1 - shares[MOUTH], POINTS)).layers
    assert np.abs(bare[MIDDLE][:3].astype(int) - SKIN).max() < 12
    assert bare[MIDDLE][3] > 0.95 * 255
    np.testing.assert_array_equal(bare[: SIZE // 2, :, :3], face(shares)[: SIZE // 2])


def test_own_lips_have_anothers_colour_and_their_own_depth() -> None:
    shares = classes()
    image = face(shares, lips=(80, 80, 80))
    image[: MIDDLE[0]] //= 2  # the upper lip in shade
    warped = np.dstack([np.full((SIZE, SIZE, 3), SKIN, np.uint8), np.full((SIZE, SIZE), 255, np.uint8)])
    result = OwnLipsPainted().painted(warped, crop(shares, image), Lips(np.float32(BROWN), 1.0, 0.0), 1.0)
    upper, lower = (result[MIDDLE[0] + step, MIDDLE[1], :3].astype(float) for step in (-4, 4))
    assert 1.4 < lower.mean() / upper.mean() < 2
    for lip in (upper, lower):
        np.testing.assert_allclose(lip / lip.sum(), np.divide(BROWN, sum(BROWN)), atol=0.01)
    assert (lower + upper).mean() / 2 == pytest.approx(np.mean(BROWN), rel=0.1)
    np.testing.assert_array_equal(result[: SIZE // 2], warped[: SIZE // 2])
    np.testing.assert_array_equal(result[..., 3], warped[..., 3])
    half = OwnLipsPainted().painted(warped, crop(shares, image), Lips(np.float32(BROWN), 1.0, 0.0), 0.5)[
        MIDDLE[0] + 4, MIDDLE[1]
    ]
    assert half[0] == pytest.approx((lower[0] + SKIN[0]) / 2, abs=2)


def test_lips_that_nobody_sees_are_left_out() -> None:
    warped = np.full((SIZE, SIZE, 4), 90, np.uint8)
    hidden = classes(width=0)
    assert (
        OwnLipsPainted().painted(warped, crop(hidden, face(hidden)), Lips(np.float32(BROWN), 1.0, 0.0), 1.0) is warped
    )


def test_a_look_without_a_mouth_is_mixed_in_as_far_as_wanted() -> None:
    shares = classes(opening=0.2)
    portrait = Portrait(face(shares), 1 - shares[MOUTH], POINTS, lips=seen(shares))
    assert weight(seen(shares), classes()) == 1
    view = prepared(portrait).views[0]
    below = MIDDLE[0] + round((0.1 * WIDTH + 0.02) * SIZE), MIDDLE[1]  # the lower lip
    red = [float(blend(view, 0.0, bare, bare)[below][1]) for bare in (0.0, 0.5, 1.0)]
    assert red[0] == pytest.approx(RED[1], abs=3)
    assert red[0] < red[1] < red[2] == pytest.approx(SKIN[1], abs=12)
    assert prepared(replace(portrait, lips=None)).views[0].mouthless is None


def test_at_any_size() -> None:
    shares = classes()
    large = cv2.resize(face(shares), (2 * SIZE, 2 * SIZE), interpolation=cv2.INTER_NEAREST)
    lips = lips_of(large, shares)
    assert lips is not None
    assert np.abs(lips.colour - seen(shares).colour).max() < 2
    warped = np.zeros((2 * SIZE, 2 * SIZE, 4), np.uint8)
    result = OwnLipsPainted().painted(warped, crop(shares, large), lips, 1.0)
    assert np.abs(result[2 * MIDDLE[0] + 8, 2 * MIDDLE[1], :3].astype(int) - RED).max() < 12
