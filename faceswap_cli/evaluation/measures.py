"""The measures of a swap, as pure functions of what the judges saw: definition, unit and source of each.

Frames run along the first axis. A row of NaN is a frame without a face; every mean leaves such rows out, and is NaN
where nothing is left. Angles are degrees, points pixels of the upright frame, pixels uint8.
"""

import cv2
import numpy as np

# FaceMesh's numbers of the points that tell how open mouth and eyes are, and how tall the face is (MediaPipe's mesh).
_LIPS = (13, 14)  # inner edge of the upper and of the lower lip
_EYE_LIDS = ((159, 145), (386, 374))  # upper and lower lid of either eye
_FACE = (10, 152)  # top of the forehead, tip of the chin

_BLOCKS = 16  # a side, of a crop: what pops up is looked for in one by one
POP = 16.0  # levels that catch the eye where nothing else changes

LEAST_SPAN_FRAMES = 20  # faces below which the usual range of an expression says nothing


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean cosine of two faces' identity vectors, -1..1: 1 is the same face (ArcFace, Deng et al. 2019).

    `one` is (F, D), `other` (F, D) or (D,); vectors need not be normalised.
    """
    return _mean((_unit(one) * _unit(other)).sum(axis=-1))


def identity_gain(before: float, after: float) -> float:
    """Return how much nearer the swap came to the source: its cosine to the source less the unswapped target's."""
    return after - before


def share_of_same_person(value: float, ceiling: float) -> float:
    """Return a cosine to the source as a share of `ceiling`, the mean of two photos of one person with that judge."""
    return value / ceiling


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean Euclidean distance of two faces' vectors, how dlib compares them: 0 is the same face.

    `one` is (F, D), `other` (F, D) or (D,).
    """
    return _mean(np.linalg.norm(one - other, axis=-1))


def retrieval(results: np.ndarray, wanted: int, gallery: np.ndarray) -> float:
    """Return the share of frames, 0..1, whose nearest face of a gallery is the wanted one (identity retrieval, top-1).

    `results` is (F, D), `gallery` (G, D) holds sources and targets, `wanted` is a row of it: the source's, or the
    target's to see how often a swap is still taken for it. The protocol is FaceShifter's and SimSwap's (section 4:
    nearest by another recogniser's cosine).
    """
    return retrieval_by_distance(_unit(results), wanted, _unit(gallery))


def retrieval_by_distance(results: np.ndarray, wanted: int, gallery: np.ndarray) -> float:
    """Return the same where the nearest face is the one at the least Euclidean distance."""
    nearest = (np.square(gallery).sum(axis=1) - 2 * results @ gallery.T).argmin(axis=1)  # less each result's own square
    return _mean(np.where(_seen(results), nearest == wanted, np.nan))


def pose_error(target: np.ndarray, result: np.ndarray) -> float:
    """Return how far the head turned, degrees: mean absolute difference over yaw, pitch and roll, (F, 3) each."""
    return _mean(np.abs(target - result))


def pose_distance(target: np.ndarray, result: np.ndarray) -> float:
    """Return the mean Euclidean distance of (yaw, pitch, roll), degrees: the posture error of the papers' tables."""
    return _mean(np.linalg.norm(target - result, axis=1))


def apertures(meshes: np.ndarray) -> np.ndarray:
    """Return the apertures of mouth, left and right eye (F, 3), shares of the face's height; `meshes` (F, 468, 2)."""
    height = _distance(meshes, *_FACE)
    return np.stack([_distance(meshes, *pair) / height for pair in (_LIPS, *_EYE_LIDS)], axis=1)


def usual_span(apertures: np.ndarray) -> np.ndarray:
    """Return the width (3,) from the 5th to the 95th percentile of the targets' apertures (F, 3); NaN for few faces."""
    seen = apertures[_seen(apertures)]
    if len(seen) < LEAST_SPAN_FRAMES:
        return np.full(apertures.shape[1], np.nan)
    low, high = np.percentile(seen, (5, 95), axis=0)
    return high - low


def expression_error(target: np.ndarray, result: np.ndarray, span: np.ndarray) -> float:
    """Return the mean absolute error of mouth and eye apertures (F, 3) as a share of the targets' usual span (3,).

    0 keeps the expression. The definition is this project's.
    """
    return _mean(np.abs(target - result) / np.maximum(span, 1e-6))


def gaze_error(target: np.ndarray, result: np.ndarray) -> float:
    """Return the mean distance by which the irises moved, in eye widths; (F, 2, 2): frame, eye, x and y.

    0 keeps the gaze; 0.01 is an eye turned by about one and a half degrees, and the judge errs by 0.03. The definition
    is this project's.
    """
    return _mean(np.linalg.norm(target - result, axis=2))


def squared_error(one: np.ndarray, other: np.ndarray, where: np.ndarray | None = None) -> float:
    """Return the mean squared difference of two pictures (H, W, 3); `where` (H, W) bool limits it, NaN if empty."""
    difference = one.astype(np.float32) - other.astype(np.float32)
    chosen = difference if where is None else difference[where]
    return float(np.square(chosen).mean()) if chosen.size else float("nan")


def psnr(squared_errors: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio, dB, of the mean of the frames' squared errors; infinite for equal ones."""
    error = _mean(np.asarray(squared_errors, float))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def jitter(points: np.ndarray, sizes: np.ndarray) -> float:
    """Return how much points tremble: mean length of their second difference in time, in thousandths of the face.

    `points` (F, P, 2) of consecutive frames, `sizes` (F,) the face's width. An even motion gives 0.
    """
    second = points[:-2] - 2 * points[1:-1] + points[2:]
    return 1000 * _mean(np.linalg.norm(second, axis=2).mean(axis=1) / sizes[1:-1])


def tremble(values: np.ndarray, sizes: np.ndarray) -> float:
    """Return how much single coordinates tremble: mean absolute second difference in time, thousandths of `sizes`.

    `values` (F, N) of consecutive frames, in the unit of `sizes` (F,). Unlike `jitter` it takes lengths along one
    direction, so a contour's distance from a centre can be compared with the x and y of points.
    """
    second = values[:-2] - 2 * values[1:-1] + values[2:]
    return 1000 * _mean(np.abs(second) / sizes[1:-1, None])


def pop(before: tuple[np.ndarray, np.ndarray], now: tuple[np.ndarray, np.ndarray], flow: np.ndarray) -> float:
    """Return by how many levels, 0..255, a block of a swap changed more than its target's, where that is most.

    Both are pairs of target and swap (S, S, 3), and `flow` (S, S, 2) is the target's `motion` from one to the other.
    What comes, goes or changes its look at once, a patch of mask or face, gives a block another mean; noise does not.
    The definition is this project's.
    """
    own, swapped = (_changes(*pair, flow) for pair in zip(before, now, strict=True))
    return float((swapped - own).max())


def pops(found: np.ndarray) -> float:
    """Return the share of frames, 0..1, in which something popped by more than `POP` levels, of `pop` for each."""
    return _mean(np.where(np.isfinite(found), found > POP, np.nan))


def _changes(before: np.ndarray, now: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Return (16, 16): by how much the mean colour of each block changed, the channel that did most, along a flow."""
    changed = now.astype(np.float32) - moved_along(before, flow).astype(np.float32)
    blocks = cv2.resize(changed, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA)
    return np.asarray(np.abs(blocks).max(axis=2))


def motion_error(before: np.ndarray, now: np.ndarray, flow: np.ndarray) -> float:
    """Return the mean absolute difference, 0..255, of a picture and the one before it moved along `flow`.

    `flow` (H, W, 2) is `motion` of the target, for the target and for its swap alike: what then differs is flicker
    (the warping error of Lai et al. 2018, on the face alone).
    """
    return float(np.abs(moved_along(before, flow).astype(np.float32) - now.astype(np.float32)).mean())


def moved_along(before: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Return a picture (H, W, 3) moved along a flow (H, W, 2)."""
    height, width = flow.shape[:2]
    place = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32) + flow
    return cv2.remap(before, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def motion(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return the flow (H, W, 2) from a picture back to the one before it, pixels (Kroeger et al. 2016)."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (now, before)]
    still = np.zeros((*grey[0].shape, 2), np.float32)
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(grey[0], grey[1], still)


def relative(result: float, target: float) -> float:
    """Return a result's figure as a multiple of the target's own; NaN where the target has none."""
    return result / target if target > 0 else float("nan")


def detection_kept(before: np.ndarray, after: np.ndarray) -> float:
    """Return the share of frames, 0..1, still showing the face to the detector, of those that did; (F,) bool each."""
    return _mean(after[before].astype(float))


def _seen(rows: np.ndarray) -> np.ndarray:
    return np.isfinite(rows).all(axis=1)


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _distance(meshes: np.ndarray, one: int, other: int) -> np.ndarray:
    return np.linalg.norm(meshes[:, one] - meshes[:, other], axis=1)
