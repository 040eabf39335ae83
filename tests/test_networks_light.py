"""A portrait in the target's light, and the small copies that networks think at."""

import pytest

torch = pytest.importorskip("torch", reason="the networks need PyTorch")

from faceswap_cli.networks.layers import enlarged, resized, shrunk  # noqa: E402
from faceswap_cli.networks.light import LightMatch, _slope, lit, luma  # noqa: E402

SIZE = 112
VALID_MASK = torch.ones(1, 1, SIZE, SIZE)
PALE, BROWN, DARK = (0.78, 0.63, 0.55), (0.47, 0.39, 0.31), (0.43, 0.39, 0.35)


def flat(colour: tuple[float, float, float]) -> torch.Tensor:
    """Skin of one colour with a little grain, the same whenever it is asked for."""
    grain = torch.randn(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    return torch.tensor(colour).reshape(1, 3, 1, 1) + 0.01 * grain


def with_brows(face: torch.Tensor) -> torch.Tensor:
    face = face.clone()
    face[..., 40:44, 30:80] = torch.tensor(BROWN).reshape(1, 3, 1, 1)
    return face


def test_skin_gets_the_targets_colour() -> None:
    result = lit(flat(PALE), LightMatch()(flat(DARK), flat(PALE), VALID_MASK))
    torch.testing.assert_close(result[..., 16:-16, 16:-16], flat(DARK)[..., 16:-16, 16:-16], atol=0.02, rtol=0)


def test_brown_brows_stay_brown_on_darker_skin() -> None:
    face = with_brows(flat(PALE))
    red, green, blue = lit(face, LightMatch()(with_brows(flat(DARK)), face, VALID_MASK))[0, :, 42, 55].tolist()
    assert red >= green - 0.005
    assert green > blue - 0.01


def with_stubble(face: torch.Tensor) -> torch.Tensor:
    face = face.clone()
    face[..., 80:100, 30:80] = 0.36  # grey
    return face


def test_grey_stubble_does_not_turn_blue_on_pale_skin() -> None:
    face = with_stubble(flat(BROWN))
    red, _, blue = lit(face, LightMatch()(with_brows(flat(PALE)), face, VALID_MASK))[0, :, 90, 55].tolist()
    assert blue < red


def test_red_lips_stay_red() -> None:
    face = flat(PALE)
    face[..., 80:86, 40:70] = torch.tensor((0.7, 0.2, 0.25)).reshape(1, 3, 1, 1)
    red, green, blue = lit(face, LightMatch()(with_brows(flat(BROWN)), face, VALID_MASK))[0, :, 83, 55].tolist()
    assert red - max(green, blue) > 0.2


def test_colours_are_as_much_weaker_as_the_target_is_darker() -> None:
    face = flat(PALE)
    face[..., 80:86, 40:70] = torch.tensor((0.8, 0.35, 0.35)).reshape(1, 3, 1, 1)
    tanned = flat((0.42, 0.28, 0.17))
    result = lit(face, LightMatch()(tanned, face, VALID_MASK))
    lips, skin = (result[0, :2, row, 55] for row in (83, 60))
    redder = float((lips[0] - lips[1]) - (skin[0] - skin[1]))
    assert redder == pytest.approx(0.5 * (0.8 - 0.35 - 0.78 + 0.63), abs=0.05)


def under_a_lamp(brightness: torch.Tensor) -> torch.Tensor:
    """Skin whose colour goes from pale where it is light to orange where it is dark, as under a warm lamp."""
    pale, orange = (torch.tensor(colour).reshape(1, 3, 1, 1) for colour in ((0.8, 0.64, 0.56), (0.4, 0.22, 0.08)))
    share = (brightness - luma(orange)) / (luma(pale) - luma(orange))
    return orange + share * (pale - orange)


def spotted(low: float, high: float) -> torch.Tensor:
    """Brightness in spots of 14 pixels: smaller than the neighbourhoods in which skin is averaged."""
    rows, columns = torch.meshgrid(torch.arange(SIZE) // 14, torch.arange(SIZE) // 14, indexing="ij")
    return torch.where((rows + columns) % 2 == 0, low, high)[None, None]


def test_the_colour_of_the_sources_shadows_stays_behind() -> None:
    face = under_a_lamp(spotted(0.35, 0.6))
    result = lit(face, LightMatch()(flat(PALE), face, VALID_MASK))[..., 16:-16, 16:-16]
    tone = result / luma(result)
    pale = torch.tensor(PALE).reshape(1, 3, 1, 1) / luma(torch.tensor(PALE).reshape(1, 3, 1, 1))
    assert float((tone - pale).abs().max()) < 0.06  # orange itself would be off by 0.6


def test_lips_are_no_shadow_of_a_face_under_a_lamp() -> None:
    face = under_a_lamp(spotted(0.45, 0.6))
    face[..., 80:86, 40:70] = torch.tensor((0.7, 0.2, 0.25)).reshape(1, 3, 1, 1)
    red, green, blue = lit(face, LightMatch()(flat(PALE), face, VALID_MASK))[0, :, 83, 55].tolist()
    assert red - max(green, blue) > 0.25


def test_grey_brows_of_a_face_in_red_light_do_not_turn_green() -> None:
    """They lie off the line, which has red where they are dark; beside the face's tone they have no colour."""
    face = under_a_lamp(spotted(0.35, 0.6))
    face[..., 40:44, 30:80] = 0.15
    red, green, blue = lit(face, LightMatch()(flat(PALE), face, VALID_MASK))[0, :, 42, 55].tolist()
    pale, brow = (float(luma(torch.tensor(colour).reshape(1, 3, 1, 1))) for colour in (PALE, (red, green, blue)))
    assert pale / brow * (red - blue) == pytest.approx(
        PALE[0] - PALE[2], abs=0.05
    )  # the line alone would leave a third of it


def test_what_lies_off_the_line_hardly_turns_it() -> None:
    line = under_a_lamp(spotted(0.35, 0.6))
    painted = line.clone()
    painted[..., :20, :] = torch.tensor((0.2, 0.3, 0.7)).reshape(1, 3, 1, 1)  # a fifth of the face is blue
    plain, found = _slope(line, VALID_MASK), _slope(painted, VALID_MASK)
    expected = (0.8 - 0.4) / float(luma(torch.tensor((0.4, 0.42, 0.48)).reshape(1, 3, 1, 1)))
    assert float(plain[0, 0]) == pytest.approx(expected, rel=0.03)  # the mean tone counts a sixteenth
    torch.testing.assert_close(found, plain, atol=0.1, rtol=0)


def test_a_black_and_white_film_stays_one() -> None:
    face = with_brows(flat(PALE))
    face[..., 80:86, 40:70] = torch.tensor((0.7, 0.2, 0.25)).reshape(1, 3, 1, 1)
    result = lit(face, LightMatch()(flat((0.6, 0.6, 0.6)), face, VALID_MASK))
    torch.testing.assert_close(result, result.mean(dim=1, keepdim=True).expand_as(result), atol=0.01, rtol=0)


def test_hard_light_is_softened_and_soft_light_is_not_made_hard() -> None:
    rows, columns = torch.meshgrid(torch.arange(SIZE) / SIZE, torch.arange(SIZE) / SIZE, indexing="ij")
    waves = (
        0.12 * torch.sin(8 * torch.pi * rows) * torch.sin(8 * torch.pi * columns)
    )  # patches of an eighth of the side
    hard, soft = flat(PALE) + waves, flat(PALE)
    inner = slice(16, -16)
    softened = lit(hard, LightMatch()(soft, hard, VALID_MASK))[0, 1, inner, inner]
    assert softened.std() < 0.6 * hard[0, 1, inner, inner].std()
    kept = lit(soft, LightMatch()(hard, soft, VALID_MASK))[0, 1, inner, inner]
    assert kept.std() < 1.3 * soft[0, 1, inner, inner].std()


def test_only_what_may_be_used_is_compared() -> None:
    valid_mask = VALID_MASK.clone()
    valid_mask[..., 56:] = 0
    face = flat(PALE)
    face[..., 56:] = 0  # hair, say
    result = lit(face, LightMatch()(flat(DARK), face, valid_mask))
    torch.testing.assert_close(result[..., 16:-16, 8:40], flat(DARK)[..., 16:-16, 8:40], atol=0.02, rtol=0)


@pytest.mark.parametrize("side", [112, 128, 224])
def test_a_small_copy_has_the_pictures_averages(side: int) -> None:
    picture = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    small = shrunk(picture, 112)
    assert small.shape[-1] == 112
    torch.testing.assert_close(small.mean(dim=(2, 3)), picture.mean(dim=(2, 3)), atol=0.01, rtol=0)
    assert side > 112 or torch.equal(small, picture)


@pytest.mark.parametrize(("side", "size"), [(448, 192), (256, 112), (250, 112)])
def test_a_copy_at_any_size_is_that_of_adaptive_pooling(side: int, size: int) -> None:
    """Groups of 7 pixels become 3, of 16 become 7; of 125 none are made."""
    picture = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    usual = torch.nn.functional.adaptive_avg_pool2d(picture, size)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        small = shrunk(picture, size)
    torch.testing.assert_close(small, usual, atol=1e-6, rtol=0)


def test_cells_are_enlarged_as_an_interpolation_does() -> None:
    fields, like = [torch.rand(2, 3, cells, cells) for cells in (14, 28)], torch.empty(2, 1, 448, 448)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        larger = enlarged(fields, like)
    for field, found in zip(fields, larger, strict=True):
        torch.testing.assert_close(found, resized(field, like), atol=1e-6, rtol=0)


def test_thick_brows_do_not_darken_the_skin_around_them() -> None:
    target = flat(DARK)
    target[..., 36:48, 20:90] *= 0.3
    result = lit(flat(PALE), LightMatch()(target, flat(PALE), VALID_MASK))
    torch.testing.assert_close(result[..., 28:34, 30:80], flat(DARK)[..., 28:34, 30:80], atol=0.03, rtol=0)


def test_no_step_is_left_where_a_portrait_ends() -> None:
    valid_mask = VALID_MASK.clone()
    valid_mask[..., :40, :] = 0  # a fringe
    target = flat(DARK)
    target[..., :44, :] += 0.2  # a forehead in the light
    result = lit(flat(PALE), LightMatch()(target, flat(PALE), valid_mask))
    step = (result - target)[..., 40:43, 30:80].mean()
    assert abs(float(step)) < 0.08  # of 0.2
    assert abs(float((result - flat(DARK))[..., 70:90, 30:80].mean())) < 0.02


def test_an_open_mouth_is_no_edge() -> None:
    valid_mask = VALID_MASK.clone()
    valid_mask[..., 70:84, 40:70] = 0
    target = flat(DARK)
    target[..., 66:88, 36:74] = torch.tensor((0.6, 0.2, 0.2)).reshape(1, 3, 1, 1)  # lips
    result = lit(flat(PALE), LightMatch()(target, flat(PALE), valid_mask))
    around = result[..., 88:92, 36:74].mean(dim=(0, 2, 3))
    torch.testing.assert_close(around, torch.tensor(DARK), atol=0.08, rtol=0)


def test_brows_on_dark_skin_are_not_bolder_than_they_are() -> None:
    face, valid_mask = with_brows(flat(PALE)), VALID_MASK
    target = flat(DARK) * 0.6 + 0.06 * torch.randn(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    result = luma(lit(face, LightMatch()(target, face, valid_mask)))
    shares = [float(each[..., 40:44, 40:70].mean() / each[..., 50:60, 40:70].mean()) for each in (luma(face), result)]
    assert shares[1] > shares[0] - 0.08
