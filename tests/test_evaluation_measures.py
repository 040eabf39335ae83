"""The measures as functions: each moves the right way and has the value arithmetic gives it."""

import numpy as np
import pytest

from faceswap_cli.evaluation import measures


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def people(random: np.random.Generator, count: int) -> np.ndarray:
    return random.standard_normal((count, 64)).astype(np.float32)


def test_cosine_is_one_for_the_same_face_and_falls_with_distance(random: np.random.Generator) -> None:
    face, noise = people(random, 5), people(random, 5)
    near, far = face + 0.3 * noise, face + 2 * noise
    assert measures.cosine(face, 7 * face) == pytest.approx(1)
    assert 1 > measures.cosine(near, face) > measures.cosine(far, face) > 0


def test_frames_without_a_face_are_left_out_of_a_mean(random: np.random.Generator) -> None:
    faces = people(random, 4)
    gappy = faces.copy()
    gappy[2] = np.nan
    assert measures.cosine(gappy, faces) == pytest.approx(1)
    assert np.isnan(measures.cosine(np.full((3, 8), np.nan), np.ones(8)))


def test_gain_and_share_are_those_of_their_definitions() -> None:
    assert measures.identity_gain(0.1, 0.4) == pytest.approx(0.3)
    assert measures.share_of_same_person(0.38, 0.475) == pytest.approx(0.8)


def test_retrieval_finds_the_source_of_a_swap_and_not_that_of_a_copy(random: np.random.Generator) -> None:
    gallery = people(random, 20)
    swap = gallery[3] + 0.2 * people(random, 6)
    copy = np.repeat(gallery[10:11], 6, axis=0)
    assert measures.retrieval(swap, 3, gallery) == 1
    assert measures.retrieval(copy, 3, gallery) == 0
    assert measures.retrieval(np.vstack([swap[:3], copy[:1]]), 3, gallery) == pytest.approx(0.75)


def test_distance_is_euclids_and_the_nearest_is_at_the_least_of_it() -> None:
    gallery = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 2.0]])
    results = np.array([[0.6, 0.8], [np.nan, np.nan], [0.1, 2.0]])  # in the first one's direction, near the second
    assert measures.distance(np.array([[3.0, 4.0], [0.0, 1.0]]), np.zeros(2)) == pytest.approx(3)
    assert [measures.retrieval_by_distance(results, row, gallery) for row in range(3)] == [0, 0.5, 0.5]
    assert [measures.retrieval(results[:1], row, gallery[:1]) for row in range(1)] == [1]


def test_a_frame_without_a_face_counts_in_no_retrieval(random: np.random.Generator) -> None:
    gallery = people(random, 5)
    frames = np.vstack([gallery[2:3], np.full((1, 64), np.nan)])
    assert measures.retrieval(frames, 2, gallery) == 1


def test_pose_errors_are_mean_and_length_of_the_turn() -> None:
    still = np.full((2, 3), 10.0)
    turned = still + np.array([[3.0, -4.0, 0.0], [0.0, 0.0, 0.0]])
    assert measures.pose_error(still, turned) == pytest.approx(7 / 6)
    assert measures.pose_distance(still, turned) == pytest.approx(2.5)


def test_gaze_error_is_the_mean_distance_of_both_irises() -> None:
    still = np.zeros((3, 2, 2))
    moved = still.copy()
    moved[0, 0] = (0.03, -0.04)
    moved[2] = np.nan
    assert measures.gaze_error(still, still) == 0
    assert measures.gaze_error(still, moved) == pytest.approx(0.05 / 4)


def mesh(mouth: float, eyes: float) -> np.ndarray:
    """A face 100 px tall, so that openings are hundredths of it."""
    points = np.zeros((468, 2), np.float32)
    points[152] = 0, 100
    points[14] = 0, mouth
    points[145] = points[374] = 0, eyes
    return points


def test_apertures_do_not_depend_on_where_the_face_is() -> None:
    here = np.stack([mesh(20, 5)])
    np.testing.assert_allclose(measures.apertures(here + np.float32(300)), measures.apertures(here), rtol=1e-4)


def test_apertures_are_shares_of_the_face_height_at_any_size() -> None:
    small, large = measures.apertures(np.stack([mesh(20, 5), 3 * mesh(20, 5)]))
    assert small == pytest.approx([0.2, 0.05, 0.05])
    assert large == pytest.approx(small)


def test_expression_error_grows_as_the_mouth_is_lost_and_is_one_for_the_whole_span() -> None:
    moving = measures.apertures(np.stack([mesh(mouth, mouth) for mouth in np.linspace(0, 40, 41)]))
    span = measures.usual_span(moving)
    half, lost = moving / 2, np.zeros_like(moving)
    assert span == pytest.approx([0.36] * 3)
    assert measures.expression_error(moving, moving, span) == 0
    assert measures.expression_error(moving, lost, span) > measures.expression_error(moving, half, span) > 0
    assert measures.expression_error(moving, moving + span, span) == pytest.approx(1)


def test_few_faces_have_no_usual_span() -> None:
    assert np.isnan(measures.usual_span(np.zeros((measures.LEAST_SPAN_FRAMES - 1, 3)))).all()


def test_psnr_is_that_of_the_mean_error_and_endless_for_a_copy(random: np.random.Generator) -> None:
    picture = random.integers(0, 200, (40, 40, 3), np.uint8)
    error = measures.squared_error(picture, picture + np.uint8(5))
    assert error == pytest.approx(25)
    assert measures.psnr(np.array([25.0])) == pytest.approx(34.151, abs=1e-3)
    assert measures.psnr(np.array([0.0, 50.0])) == pytest.approx(measures.psnr(np.array([25.0])))
    assert measures.psnr(np.array([measures.squared_error(picture, picture)])) == float("inf")


def test_an_error_is_measured_only_where_asked() -> None:
    one, other = np.zeros((10, 10, 3), np.uint8), np.zeros((10, 10, 3), np.uint8)
    other[:5] = 90
    lower = np.zeros((10, 10), bool)
    lower[5:] = True
    assert measures.squared_error(one, other, lower) == 0
    assert measures.squared_error(one, other) == pytest.approx(4050)
    assert np.isnan(measures.squared_error(one, other, np.zeros((10, 10), bool)))


def test_even_motion_does_not_jitter_and_trembling_does(random: np.random.Generator) -> None:
    moving = np.arange(12.0)[:, None, None] * [2.0, 1.0] + random.uniform(0, 100, (1, 30, 2))
    trembling = moving + random.normal(0, 0.5, moving.shape)
    worse = moving + random.normal(0, 2.0, moving.shape)
    widths = np.full(12, 100.0)
    assert measures.jitter(moving, widths) == pytest.approx(0, abs=1e-9)
    assert measures.jitter(worse, widths) > 3 * measures.jitter(trembling, widths) > 0
    assert measures.jitter(2 * trembling, 2 * widths) == pytest.approx(measures.jitter(trembling, widths))


def test_jitter_is_unknown_for_fewer_than_three_frames() -> None:
    assert np.isnan(measures.jitter(np.zeros((2, 5, 2)), np.ones(2)))


def test_what_pops_up_in_the_swap_alone_is_told_in_levels() -> None:
    """A block is 8 of 128 pixels a side; half a block covered by 40 levels is 20 in the mean."""
    still = np.full((128, 128, 3), 100, np.uint8)
    spotted, flow = still.copy(), np.zeros((128, 128, 2), np.float32)
    spotted[40:48, 64:68, 1] += 40
    assert measures.pop((still, still), (still, spotted), flow) == pytest.approx(20)
    assert measures.pop((still, spotted), (still, still), flow) == pytest.approx(20)
    assert measures.pop((still, still), (spotted, spotted), flow) == 0, "the target changes as much"
    noisy = still + np.random.default_rng(0).integers(-20, 21, still.shape)
    assert measures.pop((still, still), (still, noisy.astype(np.uint8)), flow) < 6, "noise evens out"


def test_what_pops_is_looked_for_along_the_targets_motion() -> None:
    face = np.kron(np.random.default_rng(1).integers(0, 255, (16, 16, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    flow = np.zeros((128, 128, 2), np.float32)
    flow[..., 0] = -5
    moved = measures.moved_along(face, flow)
    assert measures.pop((face, face), (moved, moved), flow) == 0
    assert measures.pop((face, face), (moved, face), flow) > measures.POP, "the swap stands still"


def test_frames_that_pop_are_counted_from_over_16_levels() -> None:
    assert measures.pops(np.array([0, 16, 16.1, 40, np.nan])) == 0.5
    assert np.isnan(measures.pops(np.array([])))


def test_motion_explains_a_shift_and_flicker_remains(random: np.random.Generator) -> None:
    coarse = random.integers(0, 255, (12, 12, 3), np.uint8)
    scene = np.kron(coarse, np.ones((10, 10, 1), np.uint8))
    before, now = scene[4:100, 4:100], scene[4:100, 1:97]
    flow = measures.motion(before, now)
    assert np.median(flow[16:-16, 16:-16], axis=(0, 1)) == pytest.approx([-3, 0], abs=0.3)
    steady = measures.motion_error(before, now, flow)
    flickering = measures.motion_error(before, np.clip(now.astype(int) + 20, 0, 255).astype(np.uint8), flow)
    assert flickering > steady + 10
    assert steady < measures.motion_error(before, now, np.zeros_like(flow)) / 2


def test_a_relative_figure_needs_one_of_the_targets_own() -> None:
    assert measures.relative(3.0, 2.0) == 1.5
    assert np.isnan(measures.relative(3.0, 0.0))
    assert np.isnan(measures.relative(3.0, float("nan")))


def test_detection_kept_counts_only_frames_that_showed_the_face() -> None:
    before, after = np.array([True, True, False, True, True]), np.array([True, False, True, True, True])
    assert measures.detection_kept(before, after) == pytest.approx(0.75)
    assert measures.detection_kept(before, before) == 1


def test_apertures_are_taken_between_the_mesh_s_own_points(random: np.random.Generator) -> None:
    """Inner lips 13 and 14, lids 159 and 145, 386 and 374, forehead 10 and chin 152, as MediaPipe numbers them."""
    points = random.uniform(0, 100, (1, 468, 2))
    lips, left, right, height = (
        np.linalg.norm(points[0, one] - points[0, other])
        for one, other in ((13, 14), (159, 145), (386, 374), (10, 152))
    )
    assert measures.apertures(points)[0] == pytest.approx(np.array([lips, left, right]) / height)


def test_twenty_faces_have_a_usual_span() -> None:
    assert (measures.usual_span(np.zeros((20, 3))) == 0).all()


def test_trembling_is_the_mean_second_difference_in_thousandths_of_the_face() -> None:
    """One frame of five is off by 5 pixels: 5, 10 and 5 in faces of 10, 20 and 50 pixels."""
    points = np.zeros((5, 1, 2))
    points[2] = (3, 4)
    sizes = np.array([9.0, 10.0, 20.0, 50.0, 9.0])
    assert measures.jitter(points, sizes) == pytest.approx(1000 * (0.5 + 0.5 + 0.1) / 3)
    assert measures.tremble(points[:, 0, 1:], sizes) == pytest.approx(1000 * (0.4 + 0.4 + 0.08) / 3)


def test_motion_error_is_what_the_picture_before_differs_by_where_the_flow_leads() -> None:
    """A slope of 10 a column, looked at one to the right: 10, 20, 30 and, beyond the edge, 30 again."""
    before = np.broadcast_to(10.0 * np.arange(4)[None, :, None], (2, 4, 3)).astype(np.uint8)
    flow = np.zeros((2, 4, 2), np.float32)
    flow[..., 0] = 1
    assert measures.motion_error(before, np.zeros_like(before), flow) == pytest.approx((10 + 20 + 30 + 30) / 4)
    assert measures.motion_error(before, before, np.zeros_like(flow)) == 0
