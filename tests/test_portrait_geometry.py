"""The source's shape on the target's head: pose, shape, what may not leak in, and how the frame is warped."""

import numpy as np
import pytest

from faceswap_cli.options import Options
from faceswap_cli.portrait import geometry
from faceswap_cli.portrait.bending import Field, frame_warp, kept_within, warped_classes
from faceswap_cli.portrait.corrections.head_shape import HeadShape, Settings
from faceswap_cli.portrait.corrections.source_shape import SourceShape
from faceswap_cli.portrait.geometry import (
    HALF,
    LIMIT,
    Pose,
    _as_a_whole,
    change,
    deviation,
    fit_pose,
    goal,
    mean_face,
    project,
    rotation,
    shape_of,
    usual_shape,
    visible,
)
from faceswap_cli.portrait.history import History
from faceswap_cli.portrait.landmarks import BROWS, EYES, JAW, LIPS, MIRRORED, NOSE
from faceswap_cli.portrait.recipe import RECIPE
from faceswap_cli.portrait.records import FaceState, Portrait
from faceswap_cli.stages.align import TEMPLATES, crop_face
from faceswap_cli.stages.bars import Area
from faceswap_cli.stages.paste import overlaid
from faceswap_cli.types import Crop, Face, Patch

SCALE = 0.29  # distance of the eyes in a crop, a share of its side
AHEAD = Pose(SCALE, np.array([0.5, 0.42]), np.zeros(3))


def turned(yaw: float, pitch: float, roll: float) -> Pose:
    return Pose(SCALE, np.array([0.5, 0.42]), np.radians([yaw, pitch, roll]))


def somebody(seed: int, spread: float = 0.04) -> np.ndarray:
    """Return a made head (66, 3), as symmetric as the mean face: some seeds have long chins, others wide noses."""
    rng = np.random.default_rng(seed)
    head = mean_face().copy()
    for part in (JAW, BROWS, NOSE, *EYES, LIPS):
        across, down, wider = spread * rng.standard_normal(3)
        middle = head[part].mean(axis=0)
        head[part, 1] += down
        head[part, 0] *= 1 + wider
        head[part, 1] += across * (head[part, 1] - middle[1])
    return (head + head[MIRRORED] * [-1, 1, 1]) / 2


def seen(head: np.ndarray, pose: Pose = AHEAD) -> np.ndarray:
    return project(head, pose)


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, -10, 5), (-35, 15, -20), (50, 0, 40), (0, 25, 0)])
def test_a_pose_is_found_to_the_last_digits(angles: tuple[float, float, float]) -> None:
    pose = turned(*angles)
    found = fit_pose(seen(mean_face(), pose))
    np.testing.assert_allclose(np.degrees(found.angles), angles, atol=1e-3)
    np.testing.assert_allclose([found.scale, *found.place], [pose.scale, *pose.place], atol=1e-6)
    np.testing.assert_allclose(deviation(seen(mean_face(), pose), found), 0, atol=1e-5)


def test_a_mouth_a_brow_and_a_blink_turn_no_head() -> None:
    points = seen(somebody(1), turned(10, 5, 3))
    moved = points.copy()
    moved[LIPS, 1] += 0.05
    moved[BROWS, 1] -= 0.05
    moved[[37, 38, 43, 44], 1] += 0.02
    moved[4:13, 1] += 0.06
    np.testing.assert_allclose(fit_pose(moved).angles, fit_pose(points).angles, atol=1e-9)


def test_who_already_has_the_shape_keeps_every_point() -> None:
    points = seen(somebody(2), turned(15, -8, 4))
    shape = shape_of(points)
    np.testing.assert_array_equal(goal(points, change(shape, shape)), points)


def opened(head: np.ndarray) -> np.ndarray:
    """Open the mouth by 0.4 of the distance of the eyes, the chin with it."""
    head = head.copy()
    head[JAW, 1] += 0.32 * np.clip((6 - np.abs(np.arange(17) - 8)) / 6, 0, 1)
    head[[53, 54, 55, 56, 57, 63, 64, 65], 1] += 0.4
    head[[48, 52, 58, 62], 1] += 0.12
    return head


def with_brows_up(head: np.ndarray) -> np.ndarray:
    head = head.copy()
    head[BROWS, 1] -= 0.1
    return head


def blinking(head: np.ndarray) -> np.ndarray:
    head = head.copy()
    head[[37, 38, 43, 44], 1] += 0.12
    return head


def smiling(head: np.ndarray) -> np.ndarray:
    head = head.copy()
    head[LIPS, 0] *= 1.25
    head[[48, 52, 53, 57, 58, 62], 1] -= 0.05
    return head


EXPRESSIONS = {  # and how much of what moves may be taken for the face's own, in distances of the eyes
    "a mouth opened by 0.4": (opened, 0.012),
    "brows raised by 0.1": (with_brows_up, 0.02),
    "a blink of 0.12": (blinking, 0.002),
    "a mouth wider by 0.11 each side": (smiling, 0.045),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("seed", range(3))
def test_an_expression_does_not_leak_into_the_shape(name: str, seed: int) -> None:
    express, most = EXPRESSIONS[name]
    source, head = shape_of(seen(somebody(9))), somebody(seed)
    rest, moved = (change(source, shape_of(seen(each))) for each in (head, express(head)))
    assert np.linalg.norm(moved - rest, axis=1).max() < most


@pytest.mark.parametrize(("angles", "most"), [((20, 0, 0), 0.015), ((0, 15, 0), 0.03), ((20, -10, 15), 0.03)])
@pytest.mark.parametrize("seed", range(3))
def test_a_turn_does_not_leak_into_the_shape(angles: tuple[float, float, float], most: float, seed: int) -> None:
    source, head = shape_of(seen(somebody(9))), somebody(seed)
    ahead, aside = (change(source, shape_of(seen(head, pose))) for pose in (AHEAD, turned(*angles)))
    assert np.linalg.norm(aside - ahead, axis=1).max() < most


def test_a_noisy_track_has_a_steady_shape() -> None:
    """Points tremble by 1 % of the distance of the eyes; its shape by as much, the mean of 24 by a tenth at most."""
    rng, head, source = np.random.default_rng(5), somebody(3), shape_of(seen(somebody(4)))
    shapes = [
        shape_of(seen(head, turned(8 * np.sin(n / 9), 0, 0)) + SCALE * 0.01 * rng.standard_normal((66, 2)))
        for n in range(60)
    ]
    alone = np.array([change(source, each) for each in shapes])
    meant = np.array(
        [change(source, usual_shape(shapes[n - HeadShape.history : n])) for n in range(HeadShape.history, 60)]
    )
    trembling, steady = (np.abs(np.diff(each, axis=0)).mean() for each in (alone, meant))
    assert steady < 0.1 * trembling
    assert np.abs(np.diff(meant, axis=0)).max() < 0.01


def test_one_frame_gone_wrong_does_not_count() -> None:
    shapes = [shape_of(seen(somebody(3))) + 0.001 * n for n in range(9)]
    without = usual_shape(shapes)
    np.testing.assert_allclose(usual_shape([*shapes, shapes[0] + 0.5]), without, atol=0.001)


def test_a_point_goes_no_further_than_the_limit() -> None:
    move = change(shape_of(seen(somebody(1, spread=0.9))), shape_of(seen(somebody(2, spread=0.9))))
    lengths = np.linalg.norm(move, axis=1)
    assert lengths.max() == pytest.approx(LIMIT)


def test_the_goal_has_the_sources_proportions() -> None:
    """A jaw that is wider by a tenth makes the target's wider by as much as the filter keeps, whatever its pose."""
    wide, pose = mean_face().copy(), turned(8, 5, -30)
    wide[JAW, 0] *= 1.1
    points = seen(mean_face(), pose)
    moved = deviation(goal(points, change(shape_of(seen(wide)), shape_of(points))), pose)
    assert 0.05 < moved[14, 0] < 0.2
    np.testing.assert_allclose(moved[:, 0], -moved[MIRRORED, 0], atol=0.01)


def test_eyes_move_as_a_whole_and_stay_as_open() -> None:
    source, points = somebody(6), seen(somebody(7))
    source[[37, 38, 43, 44], 1] -= 0.1  # wide open
    there = goal(points, change(shape_of(seen(source)), shape_of(points)))
    for eye in EYES:
        before, after = points[eye], there[eye]
        np.testing.assert_allclose(after[5, 1] - after[1, 1], before[5, 1] - before[1, 1], atol=1e-3)


def test_the_side_turned_away_hardly_moves() -> None:
    points = seen(somebody(8), turned(-50, 0, 0))  # the nose points to the picture's right
    source = shape_of(seen(somebody(9, spread=0.2)))
    moved = np.linalg.norm(goal(points, change(source, shape_of(points))) - points, axis=1)
    assert moved[12:17].max() < 0.2 * moved[0:5].max()
    assert visible(fit_pose(points))[0:5].min() == 1


def test_angles_above_zero_turn_the_nose_left_and_down_and_the_head_to_the_right() -> None:
    """A quarter turn each: what points away (z) comes to lie to the right, then up, and what is down to the left."""
    quarter = np.pi / 2
    np.testing.assert_allclose(rotation(quarter, 0, 0) @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(rotation(0, quarter, 0) @ [0, 0, 1], [0, -1, 0], atol=1e-12)
    np.testing.assert_allclose(rotation(0, 0, quarter) @ [0, 1, 0], [-1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(rotation(quarter, 0, quarter) @ [0, 0, 1], [0, 1, 0], atol=1e-12)  # the yaw comes first
    any_way = rotation(0.3, -0.5, 0.7)
    np.testing.assert_allclose(any_way @ any_way.T, np.eye(3), atol=1e-12)


def test_a_side_turned_away_counts_less_from_a_tenth_of_a_radian_and_nothing_from_six() -> None:
    """Halfway, half; by how far from the middle a point lies, all of it from half the eyes' distance on."""
    left, nose, brow = 2, 30, 21
    share = 2 * abs(float(mean_face()[brow, 0]))
    assert 0 < share < 1
    for yaw, rest in ((0.1, 1.0), (0.35, 0.5), (0.6, 0.0), (0.9, 0.0)):
        seen_so = visible(Pose(1.0, np.zeros(2), np.array([yaw, 0, 0])))
        assert seen_so[[left, nose, brow]] == pytest.approx([rest, 1, 1 - (1 - rest) * share])
        assert seen_so[MIRRORED[left]] == 1
        np.testing.assert_allclose(visible(Pose(1.0, np.zeros(2), np.array([-yaw, 0, 0])))[MIRRORED], seen_so)


def test_the_usual_shape_is_a_mean_with_the_weights_that_tukey_gives_normal_ones() -> None:
    """Around 0 the usual distance is 0.1, the deviation 0.1 / 0.6745; from 4.685 of them, 0.695, on none counts."""
    near, far = (1 - (0.1 / 0.6946) ** 2) ** 2, (1 - (0.2 / 0.6946) ** 2) ** 2
    shapes = [np.full((38, 2), value) for value in (0.0, 0.1, -0.1, 0.2, -0.7)]
    np.testing.assert_allclose(usual_shape(shapes), 0.2 * far / (1 + 2 * near + far), rtol=1e-3)


def test_what_the_filter_keeps_is_given_back_by_its_gain_brows_by_less_and_nothing_further_than_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A filter that keeps all: 2.2 of what differs, of a brow's height 0.6 of that, 0.3 at most."""
    mean = mean_face()
    monkeypatch.setattr(geometry, "_stored", lambda: (mean, np.eye(76)))
    jaw, brow, nose = 2, 19, 29
    source, still = np.zeros((38, 2)), np.zeros((38, 2))
    for point, differs in ((jaw, (0.05, 0.02)), (brow, (0.05, 0.04)), (nose, (0.05, 0.2))):
        source[point == HALF] = differs
    moves = change(source, still)
    np.testing.assert_allclose(moves[jaw], [0.11, 0.044])
    np.testing.assert_allclose(moves[brow], [0.11, 0.0528])
    np.testing.assert_allclose(moves[nose], [0, 0.3])  # in the middle of a face nothing goes sideways
    for point in (jaw, brow):
        np.testing.assert_allclose(moves[MIRRORED[point]], moves[point] * [-1, 1])
    assert np.abs(moves[LIPS]).max() == np.abs(moves[EYES[0]]).max() == 0


@pytest.mark.parametrize(("wider", "stretched"), [(0.1, 0.1), (-0.1, -0.1), (0.5, 0.3), (-0.5, -0.3)])
def test_an_eye_is_shifted_by_the_mean_of_its_corners_and_made_wider_by_the_limit_at_most(
    wider: float, stretched: float
) -> None:
    own, told = np.zeros((66, 2)), np.zeros((66, 2))
    own[:3] = [(1, 2), (2, 2.5), (3, 2)]  # a corner, a lid and the other corner: 2 wide
    told[0], told[2] = (-wider, 0.02), (wider, 0.04)
    moves = _as_a_whole(own, told, slice(0, 3), (0, 2))
    np.testing.assert_allclose(moves, [(-stretched, 0.03), (0, 0.03), (stretched, 0.03)])


# ---- the frame is warped ----

SIDE = 300
WHOLE = Area(0, 0, 480, 480)  # a frame's picture


def crop_of(frame: np.ndarray, left: float = 90, top: float = 60, track: int = 0, angle: float = 0) -> Crop:
    around = np.radians(angle)
    turn = np.array([[np.cos(around), -np.sin(around)], [np.sin(around), np.cos(around)]])
    points = (TEMPLATES["simswap-frontal"][0] - 0.5) @ turn.T * SIDE + SIDE / 2 + [left, top]
    face = Face(np.array([left, top, left + SIDE, top + SIDE], np.float32), points.astype(np.float32), 0.9, track)
    return crop_face(frame, face, "simswap-frontal", 224)


def frame_points(crop: Crop, points: np.ndarray) -> np.ndarray:
    """Return points, shares of a crop's side, in pixels of the frame."""
    back = np.linalg.inv(np.vstack([crop.to_crop, [0, 0, 1]]))
    return (points * crop.image.shape[0] - 0.5) @ back[:2, :2].T + back[:2, 2]


def spot(place: np.ndarray, shape: tuple[int, int] = (480, 480)) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    bright = 255 * np.exp(-((columns - place[0]) ** 2 + (rows - place[1]) ** 2) / 4.5)
    return np.repeat(bright[..., None], 3, axis=2).round().astype(np.uint8)


def centre(picture: np.ndarray) -> np.ndarray:
    weights = picture[..., 0].astype(float)
    rows, columns = np.mgrid[: weights.shape[0], : weights.shape[1]]
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


def far_goals(points: np.ndarray) -> np.ndarray:
    return goal(points, change(shape_of(seen(somebody(5, spread=0.07))), shape_of(points)))


@pytest.mark.parametrize("number", [2, 8, 19, 30, 36, 55])
def test_a_marked_point_lands_on_its_goal(number: int) -> None:
    points = seen(mean_face())
    goals = far_goals(points)
    crop = crop_of(np.zeros((480, 480, 3), np.uint8))
    marked, wanted = frame_points(crop, points)[number], frame_points(crop, goals)[number]
    there = frame_warp(crop, Field(points, goals), WHOLE)
    assert there is not None
    patch = there.patch(spot(marked))
    assert patch is not None
    np.testing.assert_allclose(centre(patch.rgb) + np.array([patch.x, patch.y]), wanted, atol=0.5)


def test_around_the_face_every_pixel_stays() -> None:
    points = seen(mean_face())
    frame = np.random.default_rng(1).integers(0, 256, (480, 480, 3), np.uint8)
    there = frame_warp(crop_of(frame), Field(points, far_goals(points)), WHOLE)
    assert there is not None
    share = there.changed()
    for edge in (share[0], share[-1], share[:, 0], share[:, -1]):
        assert edge.max() == 0
    still = share == 0
    assert np.abs(there.moves[still]).max() <= 0.1
    assert 0.2 < still.mean() < 0.9
    patch = there.patch(frame)
    assert patch is not None
    for edge in (patch.alpha[0], patch.alpha[-1], patch.alpha[:, 0], patch.alpha[:, -1]):
        assert edge.max() > 0  # nothing that stays is carried along
    height, width = patch.alpha.shape
    assert (patch.rgb != frame[patch.y : patch.y + height, patch.x : patch.x + width]).any()


def test_nothing_folds_where_faces_are_most_unlike() -> None:
    points = seen(mean_face())
    for seed in range(4):
        goals = goal(points, change(shape_of(seen(somebody(seed, spread=0.12))), shape_of(points)))
        there = frame_warp(crop_of(np.zeros((480, 480, 3), np.uint8)), Field(points, goals), WHOLE)
        assert there is not None
        across, down = np.gradient(there.moves, axis=1), np.gradient(there.moves, axis=0)
        area = (1 + across[..., 0]) * (1 + down[..., 1]) - across[..., 1] * down[..., 0]
        assert area.min() > 0


@pytest.mark.parametrize("angle", [0, 25])
def test_classes_are_bent_along_with_the_picture(angle: float) -> None:
    points = seen(mean_face())
    field, crop = Field(points, far_goals(points)), crop_of(np.zeros((480, 480, 3), np.uint8), angle=angle)
    class_probs = np.zeros((19, 448, 448), np.float32)
    class_probs[1] = spot(points[30] * 448 - 0.5, (448, 448))[..., 0] / 255
    there = frame_warp(crop, field, WHOLE)
    assert there is not None
    np.testing.assert_allclose(
        centre(warped_classes(class_probs, crop, there)[1][..., None]), field.goals[30] * 448 - 0.5, atol=0.7
    )


def test_a_place_is_carried_to_where_it_is_seen() -> None:
    points = seen(mean_face())
    field = Field(points, far_goals(points))
    np.testing.assert_allclose(field.carried(points), field.goals, atol=2e-3)


def test_the_face_beside_it_stays() -> None:
    points = seen(mean_face())
    beside = points + np.array([0.75, 0])
    field = Field(points, far_goals(points), [beside])
    assert np.abs(field.at(beside)).max() < 1e-9
    assert np.abs(Field(points, far_goals(points)).at(beside)).max() > 0


def pasted(picture: np.ndarray, each: Patch) -> np.ndarray:
    picture = picture.copy()
    height, width = each.alpha.shape
    under = picture[each.y : each.y + height, each.x : each.x + width]
    under += each.alpha[..., None] * (each.rgb - under)
    return picture


def somebody_else(seed: int) -> Portrait:
    landmarks = seen(somebody(seed)).astype(np.float32)
    portrait = Portrait(np.zeros((224, 224, 3), np.uint8), np.ones((224, 224), np.float32), landmarks)
    return SourceShape().apply(portrait)


def bent_faces(
    frame: np.ndarray,
    crops: list[Crop],
    points: list[np.ndarray],
    strength: float = 1.0,
    history: History | None = None,
) -> list[FaceState]:
    faces = [
        FaceState(somebody_else(1), crop, each.astype(np.float32), frame=frame)
        for crop, each in zip(crops, points, strict=True)
    ]
    return HeadShape(Settings(strength)).over(faces, history)


def goals_of(track: list[np.ndarray]) -> list[np.ndarray]:
    frame, history = np.zeros((480, 480, 3), np.uint8), History()
    return [bent_faces(frame, [crop_of(frame)], [points], history=history)[0].landmarks for points in track]


def test_a_resumed_run_bends_as_a_whole_one() -> None:
    rng, head = np.random.default_rng(2), somebody(2)
    count = HeadShape.history
    track = [seen(head, turned(n, 0, 0)) + 0.003 * rng.standard_normal((66, 2)) for n in range(count + 6)]
    whole, rest = goals_of(track), goals_of(track[5:])
    for mine, yours in zip(whole[count + 4 :], rest[count - 1 :], strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_the_recipe_reaches_as_far_back_as_shapes_are_remembered() -> None:
    assert RECIPE.reach(16) >= HeadShape.history + 16
    assert RECIPE.shaped(0.0).reach(16) < HeadShape.history + 16


def test_no_strength_changes_no_pixel() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (480, 480, 3), np.uint8)
    crop, points = crop_of(frame), seen(somebody(2))
    (face,) = bent_faces(frame, [crop], [points], strength=0.0)
    np.testing.assert_array_equal(face.crop.image, crop.image)
    np.testing.assert_array_equal(face.landmarks, points.astype(np.float32))
    assert face.reshaped is None


def test_strength_0_has_no_step_and_another_strength_another_recipe() -> None:
    names = [type(step).__name__ for step in RECIPE.shaped(0.0).steps]
    assert "HeadShape" not in names and "SourceShape" not in names
    assert len({RECIPE.shaped(strength).digest for strength in (0.0, 0.5, 1.0)}) == 3
    assert RECIPE.shaped(0.0).digest == RECIPE.without(("shape",)).digest


def test_the_bent_crop_is_that_of_the_bent_frame() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (480, 480, 3), np.uint8)
    (face,) = bent_faces(frame, [crop_of(frame)], [seen(somebody(2))])
    picture = np.rint(pasted(frame.astype(float), face.reshaped)).astype(np.uint8)
    assert np.abs(picture.astype(int) - frame).max() > 20
    apart = np.abs(crop_of(picture).image.astype(int) - face.crop.image)
    assert apart.max() <= 1
    assert np.count_nonzero(apart) <= 3  # halves of a level, rounded this way and that


def test_a_second_face_is_bent_in_the_frame_the_first_has_left() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (480, 900, 3), np.uint8)
    crops, points = [crop_of(frame), crop_of(frame, left=400, track=1)], [seen(somebody(2)), seen(somebody(3))]
    faces = bent_faces(frame, crops, points)
    picture = frame.astype(float)
    for face in faces:
        picture = np.rint(pasted(picture, face.reshaped))
    for crop, left in zip(faces, (90, 400), strict=True):
        np.testing.assert_array_equal(crop_of(picture.astype(np.uint8), left=left).image, crop.crop.image)


def test_a_crop_without_its_frame_keeps_its_shape() -> None:
    crop = crop_of(np.zeros((480, 480, 3), np.uint8))
    faces = [FaceState(somebody_else(1), crop, seen(somebody(2)).astype(np.float32))]
    assert HeadShape().over(faces, None)[0] is faces[0]


def test_two_layers_become_one_that_does_what_both_do() -> None:
    rng = np.random.default_rng(0)

    def patch(x: int, y: int, height: int, width: int) -> Patch:
        alpha = rng.random((height, width)).astype(np.float32)
        return Patch(x, y, rng.integers(0, 256, (height, width, 3), np.uint8), alpha)

    frame, under, over = rng.integers(0, 256, (60, 70, 3)).astype(float), patch(10, 8, 40, 50), patch(5, 20, 30, 30)
    wanted = pasted(pasted(frame, under), over)
    np.testing.assert_allclose(pasted(frame, overlaid(under, over, 1.0)), wanted, atol=0.51)
    half = frame + 0.5 * (wanted - frame)
    np.testing.assert_allclose(pasted(frame, overlaid(under, over, 0.5)), half, atol=0.51)
    assert overlaid(under, None, 1.0) is None
    np.testing.assert_allclose(overlaid(None, over, 0.5).alpha, over.alpha / 2)


def test_the_strength_is_a_share() -> None:
    with pytest.raises(ValueError, match="shape is 1"):
        Options(shape=1.5)


BAR = 60  # pixels


def bent_frames(frames: list[np.ndarray], history: History | None = None) -> list[np.ndarray]:
    """Return frames, one after another, with a head beside a bar at the left bent to another's shape."""
    results = []
    for rgb in frames:
        patch = bent_faces(rgb, [crop_of(rgb, left=BAR - 30)], [seen(somebody(2))], history=history)[0].reshaped
        assert patch is not None
        results.append(np.rint(pasted(rgb.astype(float), patch)).astype(np.uint8))
    return results


def with_bar(seed: int = 0) -> np.ndarray:
    """A frame with a black bar at its left."""
    rgb = np.random.default_rng(seed).integers(90, 200, (480, 480, 3)).astype(np.uint8)
    rgb[:, :BAR] = 0
    return rgb


def test_a_bar_beside_a_head_stays_straight_and_none_of_it_gets_into_the_picture() -> None:
    rgb = with_bar()
    (result,) = bent_frames([rgb])
    assert (result != rgb)[:, BAR : BAR + 60].any(), "the head is reshaped up to the bar"
    np.testing.assert_array_equal(result[:, :BAR], rgb[:, :BAR])
    assert result[:, BAR:].min() > 50, "sampling noise from 90 on leaves no more than 39 levels below it"


def test_in_a_clip_a_bar_is_what_was_one_in_every_frame() -> None:
    """A scene as dark as its bar shows none, and the bar behind it bends, until that scene is forgotten."""
    dark, history = np.zeros((480, 480, 3), np.uint8), History()
    results = bent_frames([dark, *[with_bar()] * (HeadShape.history + 1)], history)
    bent = [bool(result[:, :BAR].any()) for result in results[1:]]
    assert bent == [*[True] * (HeadShape.history - 1), False, False]


def test_nothing_is_drawn_from_beyond_the_frame() -> None:
    """With 10 pixels to the edge a move of 5 stays, one of 10 becomes 7.5, one of 40 becomes 9.375; at the edge, 0."""
    last = np.array([100, 50])
    places = np.array([[90, 25], [90, 25], [90, 25], [100, 50], [10, 0]], float)
    moves = np.array([[5, 0], [10, 3], [40, -3], [7, 7], [-10, -4]], float)
    wanted = [[5, 0], [7.5, 3], [9.375, -3], [0, 0], [-7.5, 0]]
    np.testing.assert_allclose(kept_within(moves, places, last), wanted, atol=1e-6)
