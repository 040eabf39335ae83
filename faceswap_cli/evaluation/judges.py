"""The judges: networks that no training of ours uses, and what each must be shown.

Identity is judged on a face aligned by its own points. Pose and expression are judged in one square, that of the
target's face, in the target and in the swap: so what differs is the picture, not the square.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..engines.select import Network, open_network
from ..errors import UsageError, WeightsError
from ..stages.align import crop_face, inverse, transform, warp
from ..stages.tensors import to_tensor
from ..store.models import sha256_of
from ..types import Face
from .dlib_judge import DlibJudge, open_dlib
from .options import RAW, JudgeFiles

LEAST_WIDTH = 64  # numbers in an identity vector; a network that gives fewer tells expressions or poses, not people
MESH_POINTS = 468

# Mean cosine of two photos of one person, by the SHA-256 of the judge. MobileFace V2: on varied press photos of actors;
# easier photos give more (0.63 grey LFW, 0.64 CelebA-HQ), photos of two people 0.03.
SAME_PERSON = {"b15a79e8aa1c4f2f": 0.475}

# Where the judges lie below the folder FACESWAP_DATA names.
FACE_FILE = "weights/identity/mobileface_id_v2.onnx"
POSE_FILES = ("weights/pose/fsanet-1x1-iter-688590.onnx", "weights/pose/fsanet-var-iter-688590.onnx")
MESH_FILE = "weights/landmark/facemesh468.onnx"
GAZE_FILE = "weights/landmark/openseeface_mnv3_gaze32_split_opt.onnx"

NO_DLIB = "dlib's recogniser is not installed (pip install 'faceswap-cli[judges]'): its measures are left out"

_POSE_SIZE, _POSE_SQUARE = 64, 1.5  # of 1.0 to 1.9 boxes the two networks agree best at 1.5, and heed its place least
_MESH_SIZE, _MESH_SQUARE = 192, 1.5  # MediaPipe's own square, turned so that the eyes lie level
_EYES = ((33, 133), (362, 263))  # FaceMesh's corners of either eye, left in the picture first
_EYE_SIZE, _EYE_BOX = 32, np.array([1.4, 1.2])  # width and height of the eye's picture, in eye widths
_EYE_CELLS = 8  # cells a side in the gaze network's map; its offsets are logits of so much a crop


class FaceJudge:
    """Tells people apart: any recogniser of aligned 112 px RGB faces that gives one vector a face.

    Pixels are fed in the range its metadata name as `input_range`, else in the one given: "0..255" (MobileFace V2
    normalises inside), "-1..1" (insightface's packs), "0..1" or "imagenet".
    """

    def __init__(self, path: Path, input_range: str = RAW, threads: int | None = None) -> None:
        self._network = _open(path, threads)
        self._range = self._network.metadata.get("input_range", input_range)
        self.same_person = SAME_PERSON.get(sha256_of(path)[:16])
        self._refuse_other(path)

    def embed(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        """Return the identity (D,) float32, L2 norm 1, of a face in an upright picture."""
        crop = crop_face(rgb, face, "arcface", 112).image
        tensor = 255 * to_tensor([crop], "0..1") if self._range == RAW else to_tensor([crop], self._range)
        vector = self._network.run(**{self._network.inputs[0]: tensor})[0][0]
        return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)

    def _refuse_other(self, path: Path) -> None:
        """Try it on a grey picture; WeightsError when it takes or gives something else than a recogniser."""
        try:
            outputs = self._network.run(**{self._network.inputs[0]: np.full((1, 3, 112, 112), 0.5, np.float32)})
        except Exception as error:  # each engine raises classes of its own
            raise WeightsError(f"{path.name} is no face encoder: it takes no picture of 112 x 112 pixels") from error
        shapes = [output.shape for output in outputs]
        if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][1] < LEAST_WIDTH:
            raise WeightsError(f"{path.name} is no face encoder: it gives {shapes}, not one vector a face")


class PoseJudge:
    """Tells how a head is turned: FSA-Nets (Yang et al. 2019), averaged.

    Each takes BGR, (x - 127.5) / 128, of a loose square of 64 px around the face, and gives yaw, pitch, roll.
    """

    def __init__(self, paths: tuple[Path, ...], threads: int | None = None) -> None:
        self._networks = [_open(path, threads) for path in paths]

    def angles(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        """Return yaw, pitch and roll (3,) in degrees."""
        bgr = _square(rgb, face, _POSE_SQUARE, _POSE_SIZE, level=False)[0][..., ::-1]
        tensor = ((bgr.astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
        return np.mean([network.run(**{network.inputs[0]: tensor})[0][0] for network in self._networks], axis=0)


class MeshJudge:
    """Finds 468 points of a face: MediaPipe FaceMesh, which takes (1, 192, 192, 3) RGB in 0..1."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._network = _open(path, threads)

    def points(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        """Return the points (468, 2) in pixels of the upright picture."""
        image, to_crop = _square(rgb, face, _MESH_SQUARE, _MESH_SIZE, level=True)
        output = self._network.run(**{self._network.inputs[0]: image[None].astype(np.float32) / 255})[0]
        return transform(output.reshape(MESH_POINTS, 3)[:, :2], inverse(to_crop)).astype(np.float32)


class GazeJudge:
    """Finds the iris of either eye: OpenSeeFace's gaze network, shown and read as its tracker.py does.

    It takes (2, 3, 32, 32), ImageNet's range, x before y, the second eye mirrored, and gives maps of 8 x 8 cells:
    whether the iris is in a cell, and how far from it along x and y.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._network = _open(path, threads)

    def irises(self, rgb: np.ndarray, mesh: np.ndarray) -> np.ndarray:
        """Return where each iris lies from the middle of its eye's corners, (2, 2), x and y in eye widths.

        x runs from the outer to the inner corner. The eyes are those of `mesh` (468, 2), seen in this picture or in
        another one of the same face.
        """
        tensor = to_tensor([_eye(rgb, mesh, number) for number in range(2)], "imagenet").transpose(0, 1, 3, 2)
        maps = self._network.run(**{self._network.inputs[0]: np.ascontiguousarray(tensor)})[0]
        return np.stack([(_peak(each) - 0.5) * _EYE_BOX for each in maps])


@dataclass(frozen=True, slots=True, eq=False)
class Judges:
    """The judges that are there; None for those whose file is absent."""

    face: FaceJudge | None
    dlib: DlibJudge | None
    pose: PoseJudge | None
    mesh: MeshJudge | None
    gaze: GazeJudge | None
    same_person: float | None  # mean cosine of two photos of one person with this recogniser
    notes: tuple[str, ...]  # what is left out, and why


def open_judges(files: JudgeFiles) -> Judges:
    """Open the judges; raise UsageError for a named file that is missing, WeightsError for one that is none."""
    face = _find([files.face] if files.face else [], (FACE_FILE,))
    pose = _find(list(files.pose), POSE_FILES)
    mesh = _find([files.mesh] if files.mesh else [], (MESH_FILE,))
    gaze = _find([files.gaze] if files.gaze else [], (GAZE_FILE,))
    absent = {
        "identity (cosine, retrieval): --judge": face,
        "pose: --pose-judge": pose,
        "expression and jitter: --mesh-judge": mesh,
        "gaze (which needs --mesh-judge too): --gaze-judge": gaze if mesh else [],
    }
    dlib = open_dlib()
    recogniser = FaceJudge(face[0], files.face_range, files.threads) if face else None
    return Judges(
        face=recogniser,
        dlib=dlib,
        pose=PoseJudge(tuple(pose), files.threads) if pose else None,
        mesh=MeshJudge(mesh[0], files.threads) if mesh else None,
        gaze=GazeJudge(gaze[0], files.threads) if gaze and mesh else None,
        same_person=files.same_person or (recogniser.same_person if recogniser else None),
        notes=(*_told_absent(absent), *([] if dlib else [NO_DLIB])),
    )


def _find(given: list[Path], usual: tuple[str, ...]) -> list[Path]:
    """Return the given files, or the usual ones below FACESWAP_DATA if all are there, or none."""
    for path in given:
        if not path.is_file():
            raise UsageError(f"no such judge: {path}")
    folder = os.environ.get("FACESWAP_DATA")
    found = [Path(folder, name) for name in usual] if folder else []
    return given or (found if all(path.is_file() for path in found) else [])


def _told_absent(files: Mapping[str, list[Path]]) -> list[str]:
    return [
        f"no judge of {what} names its file: those measures are left out" for what, found in files.items() if not found
    ]


def _open(path: Path, threads: int | None) -> Network:
    return open_network(path, "cpu", threads)


def _square(rgb: np.ndarray, face: Face, share: float, size: int, level: bool) -> tuple[np.ndarray, np.ndarray]:
    """Cut a square `share` times the box's longer side around it; `level` turns it so that the eyes lie level."""
    centre = (face.box[:2] + face.box[2:]) / 2
    scale = size / (share * float((face.box[2:] - face.box[:2]).max()))
    angle = np.arctan2(*(face.points[1] - face.points[0])[::-1]) if level else 0.0
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    to_crop = np.hstack([turn, ((size - 1) / 2 - turn @ centre)[:, None]])
    return warp(rgb, to_crop, (size, size), cv2.BORDER_REFLECT_101), to_crop


def _eye(rgb: np.ndarray, mesh: np.ndarray, number: int) -> np.ndarray:
    """Cut an eye, its corners level; the second one is mirrored, so that both look like the first."""
    start, end = (mesh[point].astype(float) for point in _EYES[number])
    width = max(float(np.linalg.norm(end - start)), 1e-6)
    cosine, sine = (end - start) / width
    scale = _EYE_SIZE / (_EYE_BOX * width) * ((1, 1) if number == 0 else (-1, 1))
    turn = scale[:, None] * np.array([[cosine, sine], [-sine, cosine]])
    to_crop = np.hstack([turn, ((_EYE_SIZE - 1) / 2 - turn @ (start + end) / 2)[:, None]])
    return warp(rgb, to_crop, (_EYE_SIZE, _EYE_SIZE), cv2.BORDER_REPLICATE)


def _peak(maps: np.ndarray) -> np.ndarray:
    """Return the iris (x, y) as shares of the eye's picture; `maps` (3, 8, 8): likelihood, offsets along x and y."""
    x, y = divmod(int(maps[0].argmax()), _EYE_CELLS)
    share = np.clip(maps[1:, x, y].astype(float), 1e-7, 1 - 1e-7)
    return (np.array([x, y]) + np.log(share / (1 - share))) / _EYE_CELLS
