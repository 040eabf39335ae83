"""Faces lit anew by their surface: where a lamp, its shade and its shine fall; and hair before them."""

from dataclasses import replace

import numpy as np
import pytest

from faceswap_cli.portrait.geometry import Pose, mean_face, project
from faceswap_cli.training.data import triplet_data
from faceswap_cli.training.data.shading import (
    SIDE,
    Lamp,
    Shading,
    draw_lamp,
    draw_shading,
    shaded,
    shading_of,
    surface_normals,
)
from faceswap_cli.training.data.triplet_pack import Triplet

WHITE = np.ones(3)
HALF = np.full(3, 0.5)


def head(yaw: float = 0.0) -> np.ndarray:
    """Return landmarks (66, 2) of the mean face in the middle of a crop."""
    return project(mean_face(), Pose(0.3, np.array([0.5, 0.45]), np.array([yaw, 0.0, 0.0])))


def lamp(direction: tuple[float, float, float], **given: float) -> Lamp:
    return Lamp(np.array(direction), colour=WHITE, **({"wrapped": 0.0, "shine": 0.0, "gloss": 1.0} | given))


def at(normals: np.ndarray, x: float, y: float) -> np.ndarray:
    return normals[int(y * SIDE), int(x * SIDE)]


def test_a_face_that_looks_ahead_has_cheeks_to_either_side_and_a_chin_below() -> None:
    normals = surface_normals(head())
    assert np.allclose(np.linalg.norm(normals, axis=2), 1, atol=1e-5)
    assert at(normals, 0.27, 0.58)[0] < -0.4 and at(normals, 0.73, 0.58)[0] > 0.4
    assert at(normals, 0.5, 0.87)[1] > 0.4
    assert at(normals, 0.5, 0.4)[2] < -0.9  # between the eyes
    assert np.allclose(at(normals, 0.03, 0.03), [0, 0, -1], atol=0.02)  # around the face


def test_both_sides_of_a_nose_look_away_from_each_other() -> None:
    normals = surface_normals(head())
    left, right = at(normals, 0.46, 0.58), at(normals, 0.54, 0.58)
    assert left[0] < -0.2 and right[0] > 0.2


@pytest.mark.parametrize("yaw", [0.4, -0.4])
def test_normals_turn_with_the_head(yaw: float) -> None:
    """The nose of a face turned by more than 0 points to the picture's left."""
    bridge = surface_normals(head(yaw))[int(0.42 * SIDE), SIDE // 2]
    assert np.sign(bridge[0]) == -np.sign(yaw)


def test_light_falls_by_lamberts_law() -> None:
    """Towards the lamp 0.5 + 0.5, 60 degrees away 0.5 + 0.25, beside it 0.5: over their mean, 0.75."""
    normals = np.array([[[1, 0, 0], [0.5, 0, -(0.75**0.5)], [0, 0, -1]]])
    shading = shading_of(normals, HALF, [lamp((1, 0, 0))])
    assert np.allclose(shading.gain[0, :, 0] * 0.75, [1.0, 0.75, 0.5])
    assert not shading.shine.any()


def test_a_large_lamp_reaches_around_the_form() -> None:
    """Beside it (0 + 0.5) / 1.5 = 1/3 of the lamp, towards it all: without other light 0.5 and 1.5 times their mean."""
    normals = np.array([[[0, 0, -1], [1, 0, 0]]])
    shading = shading_of(normals, np.zeros(3), [lamp((1, 0, 0), wrapped=0.5)])
    assert np.allclose(shading.gain[0, :, 0], [0.5, 1.5])


def test_a_large_lamp_is_no_brighter_for_it() -> None:
    """Towards it 0.5 + 0.5 still, beside it 0.5 + 0.5 x 1/3: over their mean, 5/6."""
    normals = np.array([[[1, 0, 0], [0, 0, -1]]])
    shading = shading_of(normals, HALF, [lamp((1, 0, 0), wrapped=0.5)])
    assert np.allclose(shading.gain[0, :, 0], [1.2, 0.8])


def test_lamps_share_what_is_not_ambient() -> None:
    """0.5 + 0.25 towards one of two, 0.5 + 0.25 x (0.6 + 0.8) between them, 0.5 away from both: over the mean, 0.7."""
    normals = np.array([[[1, 0, 0], [0.6, 0, -0.8], [-1, 0, 0]]])
    two = shading_of(normals, HALF, [lamp((1, 0, 0)), lamp((0, 0, -1))])
    assert np.allclose(two.gain[0, :, 0] * 0.7, [0.75, 0.85, 0.5])


def test_lamps_and_what_is_around_have_colours() -> None:
    normals = np.array([[[1, 0, 0], [0, 0, -1]]])
    red = Lamp(np.array([1.0, 0, 0]), 0.0, np.array([1.5, 1, 1]), 0.0, 1.0)
    gain = shading_of(normals, np.array([0.5, 0.5, 0.25]), [red]).gain
    assert np.allclose(gain[0, 0] / gain[0, 0, 1], [1.25, 1, 1])
    assert np.allclose(gain[0, 1] / gain[0, 1, 1], [1, 1, 0.5])


def test_shine_lies_halfway_between_lamp_and_camera() -> None:
    """At 45 degrees between both all of it, ahead cos(45)^2 = a half of it."""
    halfway = 0.5**0.5
    normals = np.array([[[halfway, 0, -halfway], [0, 0, -1], [-1, 0, 0]]])
    shine = shading_of(normals, HALF, [lamp((1, 0, 0), shine=0.4, gloss=2.0)]).shine
    assert np.allclose(shine[0, :, 0], [0.4, 0.2, 0])


def test_shine_of_a_lamp_nearly_ahead() -> None:
    """Halfway to (0.6, 0, -0.8) is (0.6, 0, -1.8) over 1.897: ahead its cosine is 0.949, whose square is 0.9."""
    shading = shading_of(np.array([[[0, 0, -1]]]), HALF, [lamp((0.6, 0, -0.8), shine=0.4, gloss=2.0)])
    assert np.allclose(shading.shine, 0.36)


def test_pictures_are_multiplied_in_linear_light() -> None:
    """100 under twice the light is 100 x 2^(1/2.2) = 137.04, then a fifth of what is missing to white: 160.6."""
    picture = np.full((8, 8, 3), 100, np.uint8)
    gain, shine = np.full((2, 2, 3), 2, np.float32), np.full((2, 2, 1), 0.2, np.float32)
    assert (shaded(picture, Shading(gain, 0 * shine)) == 137).all()
    assert (shaded(picture, Shading(gain, shine)) == 161).all()
    assert (shaded(picture + 120, Shading(gain, 0 * shine)) == 255).all()  # 301: no brighter than white


def test_lamps_stand_before_the_face() -> None:
    draw = np.random.default_rng(5)
    lamps = [draw_lamp(draw) for _ in range(200)]
    assert np.allclose([np.linalg.norm(each.direction) for each in lamps], 1)
    assert max(each.direction[2] for each in lamps) < 0
    for axis in (0, 1):
        side = [each.direction[axis] for each in lamps]
        assert min(side) < -0.8 and max(side) > 0.8
        assert np.mean(np.array(side) > 0) == pytest.approx(0.5, abs=0.1)
    assert np.mean([each.shine > 0 for each in lamps]) == pytest.approx(0.4, abs=0.1)
    assert np.mean([np.ptp(each.colour) > 0.25 for each in lamps]) == pytest.approx(0.17, abs=0.07)
    assert np.mean([each.colour for each in lamps]) == pytest.approx(1, abs=0.05)


def test_a_face_ahead_is_lit_alike_from_either_side() -> None:
    normals = surface_normals(head())
    assert np.abs(normals - normals[:, ::-1] * [-1, 1, 1]).mean() < 0.01


def test_a_light_drawn_twice_is_the_same_and_brightness_stays_about_as_it_is() -> None:
    normals = surface_normals(head())
    first, again = (draw_shading(normals, np.random.default_rng(7)) for _ in range(2))
    assert (first.gain == again.gain).all() and (first.shine == again.shine).all()
    means = [float(draw_shading(normals, np.random.default_rng(seed)).gain.mean()) for seed in range(40)]
    assert 0.8 <= min(means) < 0.9 and 1.1 < max(means) <= 1.2


def triplet(landmarks: np.ndarray | None) -> Triplet:
    picture = np.full((96, 96, 3), 120, np.uint8)
    return Triplet(
        target=picture,
        warped=np.dstack([picture, np.full((96, 96), 200, np.uint8)]),
        answer=picture.copy(),
        mask=np.full((96, 96), 255, np.uint8),
        identity=np.ones(1, np.float32),
        faces=np.zeros((112, 224, 3), np.uint8),
        person="anna",
        held_out=False,
        landmarks=landmarks,
    )


def test_target_and_answer_stand_in_one_light_and_the_portrait_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triplet_data, "SHADED", (1.0, 1.0))
    lit = triplet_data._shaded(triplet(head()), np.random.default_rng(2))
    assert (lit.target == lit.answer).all() and lit.target.std() > 2
    assert (lit.warped[..., :3] != lit.target).any() and (lit.warped[..., 3] == 200).all()


@pytest.mark.parametrize(("chances", "changed"), [((1.0, 0.0), (True, False)), ((0.0, 1.0), (False, True))])
def test_each_is_lit_by_its_own_chance(
    chances: tuple[float, float], changed: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triplet_data, "SHADED", chances)
    lit = triplet_data._shaded(triplet(head()), np.random.default_rng(2))
    assert ((lit.target != 120).any(), (lit.warped[..., :3] != 120).any()) == changed


def test_packs_without_landmarks_keep_their_light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triplet_data, "SHADED", (1.0, 1.0))
    plain = triplet(None)
    assert triplet_data._shaded(plain, np.random.default_rng(2)) is plain


def test_target_and_answer_wear_the_same_hairs_above_the_eyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triplet_data, "FRINGED", (1.0, 0.0))
    plain = triplet(head())
    plain.target[:20] = 40  # dark hair: the eyes are in row 43
    worn = triplet_data._fringed(plain, np.random.default_rng(4))
    drawn = (worn.target != plain.target).any(axis=2)
    assert drawn[20:43].sum() > 30 and not drawn[50:].any()
    assert worn.answer is not None and (worn.answer[20:] == worn.target[20:]).all()
    assert worn.target[20:43].min() < 100  # nearly as dark as what is above, though thin
    assert (worn.warped == plain.warped).all()


def test_a_portraits_hairs_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triplet_data, "FRINGED", (0.0, 1.0))
    plain = triplet(head())
    worn = triplet_data._fringed(plain, np.random.default_rng(4))
    drawn = (worn.warped != plain.warped).any(axis=2)
    assert drawn[:43].sum() > 30 and not drawn[50:].any() and (worn.warped[..., 3] == 200).all()
    assert worn.target is plain.target and worn.answer is plain.answer


def test_a_pair_without_an_answer_and_one_without_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triplet_data, "FRINGED", (1.0, 0.0))
    assert triplet_data._fringed(replace(triplet(head()), answer=None), np.random.default_rng(4)).answer is None
    plain = triplet(None)
    assert triplet_data._fringed(plain, np.random.default_rng(4)) is plain
