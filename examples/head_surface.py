"""Make the mean head's surface that `faceswap_cli/training/data/shading.py` lights triplets by.

    python examples/head_surface.py DATA PACK [--output faceswap_cli/training/data/head_surface.npz]

DATA holds MediaPipe FaceMesh (Apache-2.0), PACK is what `faceswap prepare` made. FaceMesh's 468 points of faces that
look ahead, people of the training split alone, are brought into the frame of `portrait/geometry.py`'s mean face by the
pose of its 66 landmarks, and averaged; normals are those of the triangles around each point.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import Delaunay

from faceswap_cli.engines.select import open_network
from faceswap_cli.evaluation.judges import MESH_FILE
from faceswap_cli.evaluation.splits import part_of
from faceswap_cli.options import Options
from faceswap_cli.portrait.geometry import fit_pose, rotation
from faceswap_cli.portrait.landmarks import open_landmarks
from faceswap_cli.training.data.pack import read_crop, read_rows

SIDE = 192  # of the picture FaceMesh takes
MOST_TURNED = np.radians(15)  # yaw and pitch of faces that are averaged
BRIDGE = 168  # FaceMesh's number of the point whose depth is 0


def main() -> None:
    """Look at the faces, average, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--output", type=Path, default=Path("faceswap_cli/training/data/head_surface.npz"))
    given = parser.parse_args()
    points = mean_surface(given.data, given.pack, given.count)
    points, normals = with_middles(points, normals_of(points))
    np.savez(given.output, points=points.astype(np.float16), normals=normals.astype(np.float16))


def mean_surface(data: Path, pack: Path, count: int) -> np.ndarray:
    """Return the points (468, 3) of a mean head in distances of the eyes; z grows away from the camera."""
    mesh = open_network(data / MESH_FILE, "cpu", 1)
    finder = open_landmarks(Options(threads=1))
    assert finder is not None
    surfaces: list[np.ndarray] = []
    for row in read_rows(pack):
        if part_of(row.person) != "training":
            continue
        image = read_crop(pack, row)
        pose = fit_pose(finder.find(image))
        if max(np.abs(pose.angles[:2])) > MOST_TURNED:
            continue
        seen = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        found = mesh.run(**{mesh.inputs[0]: seen[None].astype(np.float32) / 255})[0].reshape(-1, 3) / SIDE
        places = (found - [*pose.place, found[BRIDGE, 2]]) / pose.scale
        surfaces.append(places @ rotation(*pose.angles))
        if len(surfaces) == count:
            break
    print(f"{len(surfaces)} faces")
    return np.median(surfaces, axis=0)


def normals_of(points: np.ndarray) -> np.ndarray:
    """Return outward normals (N, 3), z below 0 towards the camera, of a surface of points (N, 3) seen from ahead."""
    normals = np.zeros_like(points)
    for corners in Delaunay(points[:, :2]).simplices:
        first, second, third = points[corners]
        normal = np.cross(second - first, third - first)
        normals[corners] += normal * -np.sign(normal[2])
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def with_middles(points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a surface's points and normals, both (N, 3), and those in the middle of each side of its triangles."""
    corners = Delaunay(points[:, :2]).simplices
    sides = np.unique(np.sort(np.vstack([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]), axis=1), axis=0)
    middles = normals[sides].mean(axis=1)
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    return np.vstack([points, points[sides].mean(axis=1)]), np.vstack([normals, middles])


if __name__ == "__main__":
    main()
