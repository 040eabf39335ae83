"""Find the faces of a frame: the first step of its way.

insightface does the finding, with any folder of ONNX files it understands; its BGR and its Face end at this door.
A photo is searched at two sizes (`Detect`): faces that fill the picture are only seen small, distant ones only large.
A clip is watched (`Watch`): once the faces are known, the smallest size that still shows them well is enough.
"""

from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from ..engines import count_outputs
from ..engines.onnx import providers_for, session_options
from ..errors import WeightsError
from ..models import locate
from ..options import Options
from ..types import Face

# Longest side of what the detector sees, in pixels. Measured with SCRFD-2.5G on 22 clips: below 48 px of face width the
# points begin to jitter, above 330 px faces are missed.
SIDES = (320, 480, 640)
_GOOD_WIDTH = (48, 300)
THRESHOLD = 0.75  # our detector finds 337 of the 337 faces in the clips' sampled frames above it, and 2 false ones
PACK_THRESHOLD = 0.5  # insightface's own, for the packs published with it: each network has its own scale
# Shares of the threshold from which a find that falls short of it is counted: alone in a picture, and beside a face.
# Three portraits of 500 were missed, with finds at 0.5, 0.7 and 1.0 of it. In 1,900 frames and photos, most with a
# face, 543 finds lie from 0.5 on and 18 from 0.8 on; of 60 looked at all were shoes, hands, plants, prints on clothes.
_UNSURE_ALONE, _UNSURE_BESIDE = 0.5, 0.8
_SEARCH_EVERY = 6  # frames between two searches at every size
_STRIDE = 32  # sides of the detector's input are multiples of its coarsest stride
_SAME_FACE = 0.3  # overlap (IoU) from which two boxes show one face
_INSIDE = 0.8  # share of a weaker box inside a stronger one from which it is the same face at another scale
_DETECTOR_OUTPUTS = 5  # from so many on insightface takes a network for a detector


class Detect(Protocol):
    """Whatever finds faces."""

    file: Path  # the network
    too_small: int  # faces of the last picture that were left out, smaller than Options.min_face
    unsure: list[float]  # scores of what a somewhat lower threshold would have given, too small ones not among them

    def detect(self, rgb: np.ndarray, sides: tuple[int, ...] = (640, 320)) -> list[Face]:
        """Return the faces of an upright (H, W, 3) uint8 picture seen at these sizes, the largest first."""
        ...


class InsightDetect:
    """insightface's detector from one folder."""

    def __init__(self, folder: Path, threshold: float, options: Options) -> None:
        self._network = _open_pack(folder, options)
        self.file = Path(self._network.model_file)
        self._min_face = options.min_face
        self._threshold = threshold
        self.too_small, self.unsure = 0, list[float]()

    def detect(self, rgb: np.ndarray, sides: tuple[int, ...] = (640, 320)) -> list[Face]:
        """Return the faces, the largest first; where two sizes show one face, the first size named wins."""
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        looks = [self._look(bgr, side) for side in sides]
        found = _once([sure for sure, _ in looks], [])
        seen = self._large(found)
        self.too_small = len(found) - len(seen)
        self.unsure = self._unsure([face for _, weak in looks for face in weak], found)
        return sorted(seen, key=lambda face: -face.area)

    def _unsure(self, weak: list[Face], found: list[Face]) -> list[float]:
        """Return the scores of what is worth a word, each find at the size that shows it best."""
        least = (_UNSURE_BESIDE if found else _UNSURE_ALONE) * self._threshold
        surest = sorted((face for face in weak if face.score >= least), key=lambda face: -face.score)
        return [face.score for face in self._large(_once([[face] for face in surest], found))]

    def _large(self, faces: list[Face]) -> list[Face]:
        return [face for face in faces if min(face.box[2:] - face.box[:2]) >= self._min_face]

    def _look(self, bgr: np.ndarray, side: int) -> tuple[list[Face], list[Face]]:
        """Return the faces seen at one size, and what falls short of the threshold."""
        if min(bgr.shape[:2]) * side < 2 * max(bgr.shape[:2]):
            return [], []  # a line, which vanishes when it is scaled
        least = _UNSURE_ALONE * self._threshold
        boxes, points = self._network.detect(bgr, input_size=_input_size(bgr, side), det_thresh=least)
        faces = [
            Face(box[:4].astype(np.float32), five.astype(np.float32), float(box[4]))
            for box, five in zip(boxes, points, strict=True)
        ]
        sure = int((boxes[:, 4] >= self._threshold).sum())  # they come first
        return faces[:sure], faces[sure:]


class Watch:
    """Find the faces of consecutive frames with as little looking as keeps them all.

    Every few frames, and at once when a face is lost, all sizes are searched; between, one size is.
    """

    def __init__(self, detect: Detect) -> None:
        self._detect = detect
        self._side: int | None = None
        self._since_search = 0
        self._previous: list[Face] = []

    def look(self, rgb: np.ndarray) -> list[Face]:
        """Return the faces of the next frame, the largest first."""
        self._since_search += 1
        if self._side is not None and self._since_search < _SEARCH_EVERY:
            faces = self._detect.detect(rgb, (self._side,))
            if not self._lost_any(faces):
                self._previous = faces
                return faces
        return self._search(rgb)

    def _search(self, rgb: np.ndarray) -> list[Face]:
        """Look at all sizes, the one in use first, so that known faces keep the look of their points."""
        first = self._side or SIDES[-1]
        faces = self._detect.detect(rgb, (first, *(side for side in (SIDES[-1], SIDES[0]) if side != first)))
        self._side = _choose_side(faces, rgb.shape, self._side)
        self._since_search, self._previous = 0, faces
        return faces

    def _lost_any(self, faces: list[Face]) -> bool:
        if not faces:
            return True
        return any(not any(_overlap(old, new) > 0 for new in faces) for old in self._previous)


def open_detector(face_pack: Path | None, options: Options) -> Detect:
    """Open the detector of a folder, of the embedded pack where none is named; raise WeightsError where it has none."""
    own = THRESHOLD if face_pack is None else PACK_THRESHOLD
    threshold = own if options.det_threshold is None else options.det_threshold
    return InsightDetect(pack_folder(face_pack), threshold, options)


def pack_folder(face_pack: Path | None) -> Path:
    """Return the folder of the named pack, or of the embedded one; raise WeightsError where there is none."""
    if face_pack is None:
        return locate("detector").parent
    if not face_pack.is_dir():
        raise WeightsError(f"{face_pack} is no folder: --face-pack takes a folder with a face detector in ONNX files")
    return face_pack.absolute()


def _open_pack(folder: Path, options: Options) -> Any:
    """Open a pack's detector in insightface, which prints while it opens some others and is given none of them.

    To silence it would silence the whole program: stdout and the filters of warnings belong to every thread.
    """
    from insightface.model_zoo import get_model
    from insightface.model_zoo.package_manifest import has_model_package_manifest

    try:
        says_itself = has_model_package_manifest(folder)
        network = get_model(
            str(folder if says_itself else _detector_in(folder)),
            model_task="detection" if says_itself else None,
            providers=providers_for(options.device),
            sess_options=session_options(options.threads),
            static_shape_sessions=False,  # else every size of picture keeps a copy of the network
        )
    except Exception as error:  # insightface asserts, ONNX Runtime raises classes of its own
        raise WeightsError(f"no face detector could be opened in {folder}: {error or 'it has none'}") from error
    if not getattr(network, "use_kps", False):
        raise WeightsError(f"the first detector in {folder} finds no five points: give a folder with a SCRFD file")
    return network


def _detector_in(folder: Path) -> Path:
    """Return the file insightface would take, the first by name; raise WeightsError where none is a detector."""
    for path in sorted(folder.glob("*.onnx")):
        if count_outputs(path) >= _DETECTOR_OUTPUTS:
            return path
    raise WeightsError("none of its ONNX files is one")


def _input_size(image: np.ndarray, side: int) -> tuple[int, int]:
    """Return (width, height) of the detector's input: the picture's own shape, not a square to pad."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    columns, rows = (max(1, int(np.ceil(length * scale / _STRIDE - 1e-6))) for length in (width, height))
    return columns * _STRIDE, rows * _STRIDE


def _choose_side(faces: list[Face], shape: tuple[int, ...], current: int | None) -> int | None:
    """Return the smallest side at which every face is wide enough; the current one while it serves."""
    if not faces:
        return None
    widths = [float(face.box[2] - face.box[0]) / max(shape[:2]) for face in faces]
    fitting = [side for side in SIDES if min(widths) * side >= _GOOD_WIDTH[0] and max(widths) * side <= _GOOD_WIDTH[1]]
    if current in fitting:
        return current
    return fitting[0] if fitting else None


def _once(looks: list[list[Face]], known: list[Face]) -> list[Face]:
    """Return the faces of all looks that are none of those known, each as the first look with it shows it."""
    found: list[Face] = []
    for faces in looks:
        found += [face for face in faces if not any(_is_same(face, other) for other in (*known, *found))]
    return found


def _is_same(weak: Face, strong: Face) -> bool:
    if _overlap(weak, strong) > _SAME_FACE:
        return True
    low, high = np.maximum(weak.box[:2], strong.box[:2]), np.minimum(weak.box[2:], strong.box[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    return weak.score < strong.score and shared > _INSIDE * min(weak.area, strong.area)


def _overlap(one: Face, other: Face) -> float:
    """Return the intersection over union of two boxes."""
    low, high = np.maximum(one.box[:2], other.box[:2]), np.minimum(one.box[2:], other.box[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    return shared / max(one.area + other.area - shared, 1e-6)
