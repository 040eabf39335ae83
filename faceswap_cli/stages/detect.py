"""Find the faces of a frame: the first step of its way.

insightface does the finding, with any folder of ONNX files it understands; its BGR and its Face end at this door.
A photo is searched (`search`) at two sizes, as faces that fill the picture are only seen small and distant ones only
large; turned by quarters, for faces that lie; and in tiles, for small ones. A clip is watched (`Watch`, in watch.py):
once the faces are known, much less is enough.
"""

from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from ..engines.metadata import count_outputs
from ..engines.onnx import providers_for, session_options
from ..errors import WeightsError
from ..options import Options
from ..store.models import locate
from ..types import BELOW_THRESHOLD, TOO_SMALL, Detections, Face, PassedOver
from .align import inverse, transform
from .doubles import is_inside, once, surest
from .views import (
    GOOD_WIDTH,
    SIDES,
    TURNS,
    WHOLE,
    Tile,
    Views,
    is_central,
    standing,
    tilt,
    turn_of,
    turned,
    turned_back,
)
from .views import tiles as tiles_of

THRESHOLD = 0.75  # our detector finds 337 of the 337 faces in the clips' sampled frames above it, and 2 false ones
PACK_THRESHOLD = 0.5  # insightface's own, for the packs published with it: each network has its own scale
# Shares of the threshold from which a find that falls short of it is counted: alone in a picture, and beside a face.
# Three portraits of 500 were missed, with finds at 0.5, 0.7 and 1.0 of it. In 1,900 frames and photos, most with a
# face, 543 finds lie from 0.5 on and 18 from 0.8 on; of 60 looked at all were shoes, hands, plants, prints on clothes.
_UNSURE_ALONE, _UNSURE_BESIDE = 0.5, 0.8
# Degrees from the nearest quarter from which points are looked for anew: from 0.04 to 0.06 of the eyes' distance away
# at 30, 0.15 at 45, and 0.03 and 0.05 anew; the same face seen in another frame's size differs by 0.04.
_LEANING = 25.0
_CLOSE_UP = 256  # pixels a side of what the detector sees of a face that leans
_STRIDE = 32  # sides of the detector's input are multiples of its coarsest stride
_DETECTOR_OUTPUTS = 5  # from so many on insightface takes a network for a detector


class Detect(Protocol):
    """Whatever finds faces."""

    file: Path  # the network
    min_face: int  # Options.min_face

    def detect(self, rgb: np.ndarray, views: Views = WHOLE) -> Detections:
        """Return the faces of an upright (H, W, 3) uint8 picture, the largest first."""
        ...

    def search(self, rgb: np.ndarray) -> Detections:
        """Return the faces of an upright (H, W, 3) uint8 photo, any way up, from `min_face` on, the largest first."""
        ...


class InsightDetect:
    """insightface's detector from one folder."""

    def __init__(self, folder: Path, threshold: float, options: Options) -> None:
        self._network = _open_pack(folder, options)
        self.file = Path(self._network.model_file)
        self.min_face = options.min_face
        self._threshold = threshold

    def detect(self, rgb: np.ndarray, views: Views = WHOLE) -> Detections:
        """Return the faces, the largest first; where two sizes show one face, the first size named wins."""
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        found, weak = self._whole(bgr, views.sides, views.turns)
        small = [self._in_tile(bgr, tile, 0) for tile in views.tiles]
        return self._settle(bgr, self._with_small(bgr, found, small), weak)

    def search(self, rgb: np.ndarray) -> Detections:
        """Return the faces of a photo; small ones are looked for as the others stand, else every way up."""
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        found, weak = self._whole(bgr, WHOLE.sides, TURNS)
        turns = sorted({turn_of(face) for face in found}) or TURNS
        tiles = list(tiles_of(rgb.shape, self.min_face, SIDES[-1]))
        small = [surest({turn: self._in_tile(bgr, tile, turn) for turn in turns}) for tile in tiles]
        return self._settle(bgr, self._with_small(bgr, found, small), weak)

    def _whole(self, bgr: np.ndarray, sides: tuple[int, ...], turns: tuple[int, ...]) -> tuple[list[Face], list[Face]]:
        """Return the faces of the whole picture, and what falls short of the threshold and stands as one of them does.

        Beside an upright face a tie's knot may look a little like a face upside down.
        """
        looks = {turn: [self._look(bgr, side, turn) for side in sides] for turn in turns}
        found = surest({turn: once([sure for sure, _ in by_side], []) for turn, by_side in looks.items()})
        stood = {turn_of(face) for face in found} or set(turns)
        return found, [face for turn in stood.intersection(turns) for _, weak in looks[turn] for face in weak]

    def _with_small(self, bgr: np.ndarray, found: list[Face], in_tiles: list[list[Face]]) -> list[Face]:
        """Return all faces: those whose points jitter in the whole picture, or that it hides, as a tile shows them."""
        small = GOOD_WIDTH[0] * max(bgr.shape[:2]) / SIDES[-1]
        large = [face for face in found if float(face.box[2] - face.box[0]) >= small]
        closer = [
            [
                face
                for face in faces
                if float(face.box[2] - face.box[0]) < small and not any(is_inside(face, each) for each in large)
            ]
            for faces in in_tiles
        ]
        return once([large, *closer, found], []) if in_tiles else found

    def _settle(self, bgr: np.ndarray, found: list[Face], weak: list[Face]) -> Detections:
        """Leave out what is too small, note what is passed over, and look closer at what leans."""
        large = self._large(found)
        seen = sorted((self._straightened(bgr, face) for face in large), key=lambda face: -face.area)
        small = [PassedOver(face, TOO_SMALL) for face in found if face not in large]
        unsure = [PassedOver(face, BELOW_THRESHOLD) for face in self._unsure(weak, found)]
        return Detections(tuple(seen), (*small, *unsure))

    def _unsure(self, weak: list[Face], found: list[Face]) -> list[Face]:
        """Return what is worth a word though it falls short, each find at the size that shows it best."""
        least = (_UNSURE_BESIDE if found else _UNSURE_ALONE) * self._threshold
        surest = sorted((face for face in weak if face.score >= least), key=lambda face: -face.score)
        return self._large(once([[face] for face in surest], found))

    def _large(self, faces: list[Face]) -> list[Face]:
        return [face for face in faces if min(face.box[2:] - face.box[:2]) >= self.min_face]

    def _straightened(self, bgr: np.ndarray, face: Face) -> Face:
        """Return a face that leans with points found where it stands: they are beside the mark the more it leans."""
        if abs(tilt(face, turn_of(face))) <= _LEANING:
            return face
        for _ in range(2):  # where the points are so wrong that the face leans otherwise, once more
            to_seen = standing(face, _CLOSE_UP)
            seen = cv2.warpAffine(bgr, to_seen, (_CLOSE_UP, _CLOSE_UP))
            finds = [find for find in self._find(seen, _CLOSE_UP)[0] if is_central(find, _CLOSE_UP)]
            if not finds:
                break
            before, face = face, replace(face, points=transform(finds[0].points, inverse(to_seen)).astype(np.float32))
            if abs(tilt(face, 0) - tilt(before, 0)) <= _LEANING:
                break
        return face

    def _look(self, bgr: np.ndarray, side: int, turn: int) -> tuple[list[Face], list[Face]]:
        """Return the faces of a whole picture seen at one size, one way up, and what falls short of the threshold."""
        if min(bgr.shape[:2]) * side < 2 * max(bgr.shape[:2]):
            return [], []  # a line, which vanishes when it is scaled
        if not turn:
            return self._find(bgr, side)
        whole = Tile(0, 0, bgr.shape[1], bgr.shape[0], side / max(bgr.shape[:2]))
        sure, weak = self._turned(whole.cut(bgr), turn)
        return [whole.to_picture(face) for face in sure], [whole.to_picture(face) for face in weak]

    def _in_tile(self, bgr: np.ndarray, tile: Tile, turn: int) -> list[Face]:
        """Return the faces of a tile that are whole in it."""
        faces = [tile.to_picture(face) for face in self._turned(tile.cut(bgr), turn)[0]]
        return [face for face in faces if tile.shows_whole(face, bgr.shape)]

    def _turned(self, bgr: np.ndarray, turn: int) -> tuple[list[Face], list[Face]]:
        height, width = bgr.shape[:2]
        looks = self._find(turned(bgr, turn), max(height, width))
        sure, weak = ([turned_back(face, turn, width, height) for face in faces] for faces in looks)
        return sure, weak

    def _find(self, bgr: np.ndarray, side: int) -> tuple[list[Face], list[Face]]:
        """Return the faces the network finds, and what falls short of the threshold."""
        least = _UNSURE_ALONE * self._threshold
        boxes, points = self._network.detect(bgr, input_size=_input_size(bgr, side), det_thresh=least)
        faces = [
            Face(box[:4].astype(np.float32), five.astype(np.float32), float(box[4]))
            for box, five in zip(boxes, points, strict=True)
        ]
        sure = int((boxes[:, 4] >= self._threshold).sum())  # they come first
        return faces[:sure], faces[sure:]


def detector_key(options: Options) -> Hashable:
    """Return all that a detector depends on."""
    thresholds = (options.det_threshold, options.min_face)
    return ("detector", options.face_pack, *thresholds, options.device, options.threads)


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
    if getattr(network, "input_dtype", np.float32) is np.float32:
        network._prepare_input_blob = _blob_of(network.input_mean, network.input_std)
    if not getattr(network, "use_kps", False):
        raise WeightsError(f"the first detector in {folder} finds no five points: give a folder with a SCRFD file")
    return network


def _blob_of(mean: float, deviation: float) -> Callable[[np.ndarray, tuple[int, int]], np.ndarray]:
    """Return what makes a detector's input (1, 3, h, w) float32 of a BGR picture (h, w, 3) uint8, for a library's own.

    The same to the bit as OpenCV's `blobFromImage`, which insightface calls, in a tenth of the time.
    """

    def blob(bgr: np.ndarray, input_size: tuple[int, int]) -> np.ndarray:
        planes = np.empty((1, 3, *bgr.shape[:2]), np.float32)
        for plane, channel in zip(planes[0], cv2.split(bgr)[::-1], strict=True):
            np.subtract(channel, np.float32(mean), out=plane)
        planes *= np.float32(1 / deviation)
        return planes

    return blob


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
