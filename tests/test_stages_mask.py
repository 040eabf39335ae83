"""Masks: inside the face, soft, in proportion, and nothing at the crop's border."""

from dataclasses import replace

import numpy as np
import pytest

from faceswap_cli.options import MOST_BLUR
from faceswap_cli.portrait.history import History
from faceswap_cli.stages.align import TEMPLATES, similarity, transform
from faceswap_cli.stages.glasses import _brightness, _sides
from faceswap_cli.stages.mask import MASKS_BACK, OvalMask, ParsedMask, _worn, soften
from faceswap_cli.stages.parse import FACE_CLASSES, GLASSES, HAIR, Parser, averaged
from faceswap_cli.stages.soft import HISTORY
from faceswap_cli.stages.visible import _eyes, covered, face_probability, visible_face, visible_share, within_face
from faceswap_cli.store.models import entry
from faceswap_cli.types import Crop, Face

SIZE = 128
YY, XX = np.mgrid[:SIZE, :SIZE]


def crop(size: int = SIZE, turn: float = 0.0) -> Crop:
    points = TEMPLATES["simswap-frontal"][0] * 200 - 100
    points = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + 150
    face = Face(np.zeros(4, np.float32), points.astype(np.float32), 1.0)
    to_crop = similarity(points, "simswap-frontal", size)
    return Crop(np.full((size, size, 3), 128, np.uint8), to_crop, face)


class Labels:
    """A parser that gives fixed labels: what is tested is what becomes of them."""

    inputs = ("image",)

    def __init__(self, labels: np.ndarray) -> None:
        self.metadata = {"size": str(labels.shape[0])}
        self._logits = 12.0 * (np.arange(19)[:, None, None] == labels)[None].astype(np.float32)

    def run(self, image: np.ndarray) -> list[np.ndarray]:
        assert image.shape[2:] == self._logits.shape[2:]
        return [self._logits]


def parsed(labels: np.ndarray, blur: float = 0.06) -> np.ndarray:
    return ParsedMask(blur).mask(seen_by(Labels(labels), crop()))[0]


def seen_by(network: Labels, one: Crop) -> list[Crop]:
    return Parser(network, entry("parser")).parse_crops([one])


def disc(radius: float, x: float = SIZE / 2, y: float = SIZE / 2) -> np.ndarray:
    return (XX - x) ** 2 + (YY - y) ** 2 < radius**2


def test_the_softest_mask_there_may_be_leaves_the_middle_to_the_swap_alone() -> None:
    """A face as large in its crop as most are; at half the crop's side, once allowed, 7 % of the swap were left."""
    face = parsed(np.where(disc(0.36 * SIZE), 1, 0), MOST_BLUR)
    assert face.max() > 0.98
    assert OvalMask(MOST_BLUR).mask([crop()])[0].max() > 0.98
    assert parsed(np.where(disc(0.36 * SIZE), 1, 0), 0.5).max() < 0.2


def test_the_parsers_classes_share_every_pixel() -> None:
    labels = np.arange(SIZE * SIZE).reshape(SIZE, SIZE) % 19
    classes = seen_by(Labels(labels), crop())[0].class_probs
    assert classes.dtype == np.float32
    assert np.allclose(classes.sum(axis=0), 1, atol=1e-5)
    assert np.array_equal(classes.argmax(axis=0), labels)


def test_the_middle_of_the_face_is_swapped_and_the_rest_is_not() -> None:
    mask = parsed(np.where(disc(45), 1, 0))
    assert mask[64, 64] > 0.99
    assert mask[~disc(50)].max() < 0.05


def test_hair_over_the_face_stays_in_front() -> None:
    mask = parsed(np.where(disc(45), np.where(YY < 50, 17, 1), 0))
    assert mask[80, 64] > 0.95
    assert mask[30, 64] < 0.01


def test_a_glint_on_glasses_is_no_hole() -> None:
    assert parsed(np.where(disc(45), np.where(disc(6, 50, 55), 0, 1), 0))[55, 50] > 0.99


def eye_in_crop() -> tuple[int, int]:
    one = crop()
    x, y = transform(one.face.points, one.to_crop)[1]
    return round(x), round(y)


@pytest.mark.parametrize("label", [0, 17])
def test_a_shaded_eye_taken_for_something_else_is_swapped(label: int) -> None:
    x, y = eye_in_crop()
    bite = (x - 8 < XX) & (y - 6 < YY) & (y + 6 > YY)
    assert parsed(np.where(disc(45), np.where(bite, label, 1), 0), blur=0.0)[y, x] > 0.9


@pytest.mark.parametrize("label", [0, 16])
def test_a_hand_or_a_cloth_over_an_eye_stays_in_front(label: int) -> None:
    x, y = eye_in_crop()
    hand = (x - 24 < XX) & (y - 36 < YY) & (y + 24 > YY)
    assert parsed(np.where(disc(45), np.where(hand, label, 1), 0), blur=0.0)[y, x] < 0.1


def shown(foreign: np.ndarray, rest: int = 1) -> Crop:
    """Return a crop whose pixels (128, 128) are so far a thing, and else skin or another class."""
    shares = np.zeros((19, SIZE, SIZE), np.float32)
    shares[0], shares[rest] = foreign, 1 - foreign
    return replace(crop(), class_probs=shares)


def test_what_is_half_a_thing_beside_one_is_that_thing_and_doubt_alone_is_none() -> None:
    """A strip of share 0.3 lies between doubt, 0.15, and certainty, 0.5: (0.3 - 0.15) / (0.5 - 0.15) is 3/7."""
    doubted = np.where((YY > 90) & (XX > 60) & (XX < 80), 0.3, 0.0)
    beside = np.where((YY > 90) & (XX >= 80), 0.95, doubted)
    assert covered(shown(beside))[110, 70] == pytest.approx(3 / 7, abs=1e-3)
    assert covered(shown(beside))[110, 100] == 1
    assert not covered(shown(doubted)).any()
    weights = [ParsedMask(0.0).mask([shown(foreign)])[0][110, 70] for foreign in (doubted, beside)]
    assert weights == pytest.approx([1.0, 4 / 7], abs=0.02), "in the midst of a face doubt is filled, a thing is not"


def test_a_fingertip_that_stands_alone_in_a_face_stays_in_front() -> None:
    mask = parsed(np.where(disc(45), np.where(disc(6, 64, 95), 0, 1), 0), blur=0.0)
    assert mask[95, 64] == 0
    assert mask[80, 64] > 0.99


def test_a_hole_beside_glasses_is_a_shadow() -> None:
    x, y = eye_in_crop()
    worn = np.where((abs(XX - x) < 30) & (abs(YY - y) < 24), GLASSES, 1)
    assert parsed(np.where(disc(45), np.where(disc(5, x - 24, y + 26), 0, worn), 0), blur=0.0)[y + 26, x - 24] > 0.99


def test_hair_above_a_band_is_no_eye() -> None:
    _, y = eye_in_crop()
    labels = np.where(y - 2 > YY, 17, np.where(y + 22 > YY, 0, 1))
    assert parsed(np.where(disc(45), labels, 0), blur=0.0)[: y - 3].max() == 0


def test_a_second_face_in_the_crop_is_left_alone() -> None:
    mask = parsed(np.where(disc(40, 50) | disc(12, 110), 1, 0))
    assert mask[64, 110] == 0


@pytest.mark.parametrize("label", FACE_CLASSES)
def test_every_class_of_the_face_counts(label: int) -> None:
    shares = np.zeros((19, 2, 2), np.float32)
    shares[label] = 1
    assert face_probability(shares).min() > 0.99


def test_a_face_over_the_whole_crop_still_ends_at_zero() -> None:
    mask = soften(np.ones((SIZE, SIZE), np.float32), 0.0)
    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0
    assert np.abs(np.diff(mask, axis=0)).max() < 0.35
    assert mask[20, 20] == 1


def test_the_edge_softens_in_proportion_to_the_crop() -> None:
    edges = []
    for size in (128, 512):
        half = np.zeros((size, size), np.float32)
        half[:, : size // 2] = 1
        row = soften(half, 0.1)[size // 2]
        edges.append(((row > 0.1) & (row < 0.9) & (np.arange(size) > size // 4)).sum() / size)
    assert edges[0] == pytest.approx(edges[1], rel=0.25)
    assert edges[0] > 0.05


def test_weights_lie_between_0_and_1() -> None:
    mask = parsed(np.where(disc(45), 1, 0))
    assert mask.dtype == np.float32
    assert mask.min() == 0
    assert mask.max() <= 1 + 1e-6


def test_no_face_gives_an_empty_mask() -> None:
    assert parsed(np.zeros((SIZE, SIZE), int)).max() == 0


@pytest.mark.parametrize("turn", [0.0, 0.6])
def test_the_oval_holds_the_features_and_leaves_the_corners(turn: float) -> None:
    one = crop(turn=turn)
    mask = OvalMask(0.06).mask([one])[0]
    for x, y in transform(one.face.points, one.to_crop):
        assert mask[round(y), round(x)] > 0.9
    assert mask[:12, :12].max() == mask[-8:, -8:].max() == 0


class SoftDisc(Labels):
    """A parser that is less sure of a face the nearer its edge."""

    def __init__(self, radius: float) -> None:
        super().__init__(np.zeros((SIZE, SIZE), int))
        self._logits[0, 1] = 12 + (radius - np.hypot(XX - SIZE / 2, YY - SIZE / 2)) / 2


def masks_of(parsers: list[Labels], history: History, moves: list[float], track: int = 0) -> list[np.ndarray]:
    """The masks of consecutive frames; the points of each are off by so many pixels of the frame."""
    masks = []
    for parser, move in zip(parsers, moves, strict=True):
        one = crop()
        to_crop = one.to_crop.copy()
        to_crop[:, 2] -= to_crop[:, :2] @ (move, 0)
        placed = replace(one, to_crop=to_crop, face=replace(one.face, track=track))
        masks += ParsedMask(0.06).mask(seen_by(parser, placed), history)
    return masks


def test_a_trembling_edge_is_steadied() -> None:
    parsers: list[Labels] = [SoftDisc(radius) for radius in [45, 46] * 4]
    alone = [masks_of([parser], History(), [0.0])[0] for parser in parsers]
    steadied = masks_of(parsers, History(), [0.0] * 8)
    change = [np.abs(np.diff(np.stack(masks[MASKS_BACK:]), axis=0)).max() for masks in (alone, steadied)]
    assert change[1] < 0.6 * change[0]


def test_a_face_that_stands_still_in_the_frame_stays_where_it_is_seen_while_the_points_tremble() -> None:
    moves = [0.0, 2.0, 0.0, 2.0]
    labels = [np.where(disc(45, 64 - move * crop().to_crop[0, 0]), 1, 0) for move in moves]
    steadied = masks_of([Labels(each) for each in labels], History(), moves)
    for mask, each in zip(steadied, labels, strict=True):
        assert np.abs(mask - parsed(each)).max() < 0.03


def test_a_hand_is_in_front_in_the_frame_in_which_it_comes() -> None:
    bare, covered = np.where(disc(45), 1, 0), np.where(disc(45) & (XX < 80), 1, 0)
    *_, last = masks_of([Labels(bare), Labels(bare), Labels(covered)], History(), [0.0] * 3)
    assert np.abs(last - parsed(covered)).max() < 0.05


def test_what_was_before_depends_on_few_frames_alone() -> None:
    parsers: list[Labels] = [SoftDisc(45 + number % 3) for number in range(8)]
    whole = masks_of(parsers, History(), [0.0] * 8)
    resumed = masks_of(parsers[5 - MASKS_BACK :], History(), [0.0] * (3 + MASKS_BACK))
    assert all(np.array_equal(one, other) for one, other in zip(whole[5:], resumed[MASKS_BACK:], strict=True))


def test_one_track_says_nothing_of_another() -> None:
    history = History()
    masks_of([SoftDisc(46)] * 2, history, [0.0] * 2, track=1)
    (mask,) = masks_of([SoftDisc(45)], history, [0.0], track=2)
    assert np.array_equal(mask, masks_of([SoftDisc(45)], History(), [0.0])[0])


def dark_where(labels: np.ndarray) -> Crop:
    """A crop of grey skin, nearly black where sunglasses are."""
    one = crop()
    return replace(one, image=np.where((labels == GLASSES)[..., None], 20, one.image).astype(np.uint8))


def eyes_behind(side: int) -> np.ndarray:
    """All is skin but a square for each eye."""
    labels = np.ones((SIZE, SIZE), np.uint8)
    for x, y in np.rint(TEMPLATES["simswap-frontal"][0][:2] * SIZE).astype(int):
        labels[y - side // 2 : y + side // 2, x - side // 2 : x + side // 2] = GLASSES
    return labels


def test_glasses_seen_for_a_moment_are_none_and_those_lost_for_a_moment_stay() -> None:
    bare, worn = eyes_behind(0), eyes_behind(30)
    x, y = np.rint(TEMPLATES["simswap-frontal"][0][0] * SIZE).astype(int)
    for usual, once, seen in ((bare, worn, False), (worn, bare, True)):
        history, masker = History(), ParsedMask(0.0, keeps_glasses=True)
        for labels in [usual] * HISTORY + [once]:
            masker.mask(seen_by(Labels(labels), dark_where(labels)), history)
        (after,) = masker.mask(seen_by(Labels(usual), dark_where(usual)), history)
        assert (after[y, x] < 0.2) == seen


def test_whether_glasses_are_worn_depends_on_few_frames_alone() -> None:
    labels = [np.ones((SIZE, SIZE), np.uint8) for _ in range(24)]
    for number, each in enumerate(labels):
        half = 8 + number % 5 * 4
        each[SIZE // 2 - half : SIZE // 2 + half, SIZE // 2 - half : SIZE // 2 + half] = GLASSES
    crops = [seen_by(Labels(each), crop()) for each in labels]

    def masks(of: list[list[Crop]]) -> list[np.ndarray]:
        history, masker = History(), ParsedMask(0.0, keeps_glasses=True)
        return [masker.mask(each, history)[0] for each in of]

    reach = ParsedMask(0.0, keeps_glasses=True).history
    whole, resumed = masks(crops), masks(crops[20 - reach :])
    assert all(np.array_equal(one, other) for one, other in zip(whole[20:], resumed[reach:], strict=True))


@pytest.mark.parametrize(("side", "seen"), [(30, True), (8, False)])
def test_the_targets_sunglasses_stay_where_a_portrait_is_laid(side: int, seen: bool) -> None:
    labels = eyes_behind(side)
    kept, painted = (
        ParsedMask(0.0, keeps_glasses=keeps).mask(seen_by(Labels(labels), dark_where(labels)))[0]
        for keeps in (True, False)
    )
    x, y = np.rint(TEMPLATES["simswap-frontal"][0][0] * SIZE).astype(int)
    assert painted[y, x] > 0.9
    assert (kept[y, x] < 0.1) == seen
    assert kept[SIZE // 2, SIZE // 8] > 0.9


def test_the_face_behind_a_targets_clear_lenses_is_swapped_and_the_rims_are_not() -> None:
    labels = eyes_behind(32)
    one = crop()
    x, y = np.rint(TEMPLATES["simswap-frontal"][0][0] * SIZE).astype(int)
    rims = np.maximum(np.abs(XX - x), np.abs(YY - y)) == 16  # a thin square of dark rim around the eye
    shown = replace(one, image=np.where(rims[..., None], 20, one.image).astype(np.uint8))
    mask = ParsedMask(0.0, keeps_glasses=True).mask(seen_by(Labels(labels), shown))[0]
    assert mask[rims].max() < 0.2
    assert mask[y - 8 : y + 8, x - 8 : x + 8].min() > 0.9


def clear_rim(seen: bool) -> Crop:
    """A crop with glasses, of which a rim on the left stands out from the skin or does not."""
    labels = eyes_behind(32)
    x, y = np.rint(TEMPLATES["simswap-frontal"][0][0] * SIZE).astype(int)
    rims = np.maximum(np.abs(XX - x), np.abs(YY - y)) == 16
    one = replace(crop(), image=np.where((rims & seen)[..., None], 40, crop().image).astype(np.uint8))
    return seen_by(Labels(labels), one)[0]


def test_a_clear_rim_that_is_found_in_every_second_frame_is_half_in_front_and_steady() -> None:
    x, y = np.rint(TEMPLATES["simswap-frontal"][0][0] * SIZE).astype(int)
    y += 16  # a rim
    masker, history = ParsedMask(0.0, keeps_glasses=True), History()
    weights = [masker.mask([clear_rim(number % 2 == 0)], history)[0][y, x] for number in range(2 * HISTORY)]
    alone = [masker.mask([clear_rim(seen)])[0][y, x] for seen in (True, False)]
    assert alone == pytest.approx([0, 1], abs=0.05), "a photo shows what it shows"
    assert weights[HISTORY:] == pytest.approx([0.5] * HISTORY, abs=0.06)


def test_shares_of_a_large_parser_are_averaged_to_the_side_that_is_reckoned_with() -> None:
    shares = np.zeros((19, 4, 4), np.float32)
    shares[3, :, :3], shares[8, :, 3:] = 1, 1
    small = averaged(shares, 2)
    assert small[3].tolist() == [[1, 0.5], [1, 0.5]]
    assert small[8].tolist() == [[0, 0.5], [0, 0.5]]
    assert averaged(shares, 4) is shares is averaged(shares, None)


def test_doubt_along_the_outline_is_no_cover_and_within_it_is() -> None:
    """Both beside what is surely background: at the left edge of a face, and where something comes in from below."""
    shares = np.zeros((19, SIZE, SIZE), np.float32)
    shares[1] = disc(48)
    shares[1, 100:, 60:68] = 0  # something before the chin
    shares[1, 60:68, 16:19] *= 0.7  # 0.3 of doubt, of which 3/7 is a cover: (0.3 - 0.15) / (0.5 - 0.15)
    shares[1, 92:100, 60:68] = 0.7
    shares[0] = 1 - shares[1]
    seen = visible_face(replace(crop(), class_probs=shares))
    assert seen[64, 18] == pytest.approx(0.7, abs=1e-3)
    assert seen[96, 64] == pytest.approx(4 / 7, abs=0.01)


def test_an_uncovered_eye_is_face_in_a_disc_around_it_and_its_brow() -> None:
    """A parser may take it for hair; the discs are 0.38 of the way from mouth to eyes wide, and 0.15 higher."""
    one = crop()
    points = TEMPLATES["simswap-frontal"][0] * SIZE
    up = points[:2].mean(axis=0) - points[3:].mean(axis=0)
    radius = 0.38 * np.linalg.norm(up)
    x, y = (points[:2] + 0.15 * up).T
    wanted = (np.hypot(XX - x[0], YY - y[0]) <= radius) | (np.hypot(XX - x[1], YY - y[1]) <= radius)
    (hair,) = seen_by(Labels(np.where(wanted, HAIR, 1)), one)
    assert hair.class_probs is not None
    eyes = _eyes(hair, hair.class_probs, face_probability(hair.class_probs))
    assert (eyes.max(), eyes.min()) == (1, 0)
    assert ((eyes > 0.5) != wanted).sum() <= 8  # pixels that the circle's line runs through


def test_glasses_are_worn_from_a_share_of_the_crop_on_and_surely_from_twice_that() -> None:
    """0.03 of a crop may be a glint or a socket, 0.06 is a pair; halfway between, they count half."""
    shares = [np.zeros((19, 4, 4), np.float32) for _ in range(5)]
    for each, share in zip(shares, (0.0, 0.03, 0.045, 0.06, 0.12), strict=True):
        each[GLASSES] = share
    crops = [replace(crop(), class_probs=each) for each in shares]
    assert _worn(crops, None) == pytest.approx([0, 0, 0.5, 1, 1], abs=1e-5)


def test_the_visible_share_is_of_what_lies_between_eyes_and_mouth() -> None:
    """Rows 58 to 99, of 39 pixels at the eyes and 32 at the mouth: the first 22 of the 42 hold 0.55 of them."""
    (seen,) = seen_by(Labels(np.where(YY < 80, 1, 0)), crop())
    assert visible_share(seen) == pytest.approx(0.549, abs=0.01)


def test_what_is_within_a_face_that_leans_is_an_ellipse_that_leans() -> None:
    """From eyes around (50, 50) to a mouth around (70, 70) it is 28.3: half-axes of 31.1 that way, 24.0 across."""
    points = np.array([(40, 60), (60, 40), (60, 60), (62, 78), (78, 62)], np.float32)
    leaning = replace(crop(), to_crop=np.eye(2, 3), face=replace(crop().face, points=points))
    within = within_face(leaning, SIZE)
    middle = np.array([59, 59])  # 0.45 of the way
    for way, inside, outside in (((1, 1), 19, 23), ((-1, -1), 19, 23), ((1, -1), 15, 18), ((-1, 1), 15, 18)):
        (x, y), (far_x, far_y) = middle + inside * np.array(way), middle + outside * np.array(way)
        assert (within[y, x], within[far_y, far_x]) == (1, 0)


def test_a_pixel_is_on_the_side_of_the_eye_it_is_nearer_to() -> None:
    """Between eyes at (29.5, 39.5) and (69.5, 49.5), four times as far apart across as down."""
    one, other = _sides(np.array([(0.3, 0.4), (0.7, 0.5)]), 100)
    assert [one[y, x] for x, y in ((49, 44), (50, 45), (58, 9), (60, 10))] == [1, 0, 1, 0]
    assert np.array_equal(other, 1 - one)


def test_brightness_is_a_share_of_the_skin_s_and_blind_to_grain_either_way() -> None:
    """A pixel 155 levels above 100, spread over a deviation of 0.00275 x 448: 100 + 155 / (2 pi 1.232^2)."""
    image, skin = np.full((448, 448, 3), 100, np.uint8), np.ones((448, 448), np.float32)
    image[200, 200] = 255
    found = _brightness(image, skin)
    assert found[100, 100] == pytest.approx(100 / (100 / 1.001 + 1), rel=1e-4)
    assert found[200, 200] == pytest.approx((100 + 155 / (2 * np.pi * 1.232**2)) / (100 / 1.001 + 1), abs=0.003)
    assert found[201, 200] == pytest.approx(found[200, 201])


@pytest.mark.parametrize(("label", "eye"), [(0, 0), (16, 0), (HAIR, 1)])
def test_of_an_eye_with_little_face_around_it_a_thing_is_before_it_and_hair_is_it_in_shade(
    label: int, eye: int
) -> None:
    """0.35 of face around an eye is enough to take hair for it, and too little to take background or cloth for it."""
    points = TEMPLATES["simswap-frontal"][0] * SIZE
    up = points[:2].mean(axis=0) - points[3:].mean(axis=0)
    discs = [np.hypot(XX - x, YY - y) <= 0.38 * np.linalg.norm(up) for x, y in points[:2] + 0.15 * up]
    shares = np.zeros((19, SIZE, SIZE), np.float32)
    shares[label] = np.where(discs[0] | discs[1], 1, 0.65)
    shares[1] = 1 - shares[label]
    assert _eyes(replace(crop(), class_probs=shares), shares, face_probability(shares)).max() == eye
