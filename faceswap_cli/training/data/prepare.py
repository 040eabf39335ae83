"""Turn a folder of pictures into a pack of aligned faces (`faceswap prepare`).

Every picture is looked at once: its largest face is brought to SimSwap's frontal template, or the picture is dropped
and the reason kept. The person is the picture's folder, unless an `identities.tsv` (image, identity) in it or above
says better. A `masks` folder of 19-class colour maps (CelebAMask's colours) beside the pictures is carried along.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...errors import FaceSwapError, NoFaceError, UsageError
from ...media.photo import read_photo
from ...options import Options
from ...stages.align import crop_face
from ...stages.detect import Detect, open_detector
from ...types import Crop, Face
from ..core.options import PrepareOptions, TrainOptions
from .labels import read_classes
from .pack import SEEN, PackWriter, is_pack, read_lines, read_rows

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
TEMPLATE = "simswap-frontal"
_SURE = (
    0.93  # score from which a face stands upright: one that stands on its head scored 0.67 in the mean, 0.89 at most
)


@dataclass(frozen=True, slots=True)
class PrepareReport:
    """What became of the pictures of one folder."""

    kept: int
    people: int
    outcomes: dict[str, int]  # reason -> pictures, "kept" among them; earlier runs on the same pack included


def prepare(
    source: Path,
    output: Path,
    options: PrepareOptions,
    progress: Callable[[int, int], None] | None = None,
) -> PrepareReport:
    """Write the pack of a folder of pictures, going on where an earlier run stopped."""
    pictures = sorted(
        path for path in source.rglob("*") if path.suffix.lower() in PICTURES and "masks" not in path.parts
    )
    if not pictures:
        raise UsageError(f"no pictures under {source}: --input takes a folder of jpg, png, webp, bmp or tiff files")
    people = _People(source)
    detect = open_detector(
        options.face_pack,
        Options(det_threshold=options.det_threshold, threads=options.threads, min_face=options.min_face),
    )
    done = {row["source"] for row in read_lines(output / SEEN)}
    with PackWriter(output) as pack:
        for number, path in enumerate(pictures, 1):
            name = people.name(path)
            if name not in done:
                pack.seen(name, _store(path, pack, people, detect, options))
            if progress is not None:
                progress(number, len(pictures))
    return _report(output)


def _store(path: Path, pack: PackWriter, people: "_People", detect: Detect, options: PrepareOptions) -> str:
    """Add one picture's face to the pack and return "kept", or return why not."""
    try:
        rgb = read_photo(path).frame.rgb
        face = _largest_face(rgb, detect, options.min_face)
    except FaceSwapError as error:
        return str(error) if isinstance(error, NoFaceError) else "unreadable"
    crop = crop_face(rgb, face, TEMPLATE, options.size)
    if _sharpness(crop.image) < options.min_sharpness:
        return "blurred"
    label = _label(path, crop, options.size)
    to_crop = crop.to_crop
    about = {
        "source": people.name(path),
        "person": people.of(path),
        "points": np.round(face.points @ to_crop[:, :2].T + to_crop[:, 2], 2).tolist(),
        "scale": round(float(np.hypot(*to_crop[:, 0])), 4),
        "grey": bool(np.ptp(crop.image.astype(np.int16), axis=2).mean() < 4),
    }
    pack.add(crop.image, label, about)
    return "kept"


def _largest_face(rgb: np.ndarray, detect: Detect, min_face: int) -> Face:
    """Return the largest face; look every way up where it is not sure, and with a border, as tight ones are missed."""
    faces = detect.detect(rgb)
    margin = 0
    if not faces or faces[0].score < _SURE:
        faces = detect.search(rgb)
    if not faces:
        margin = max(rgb.shape[:2]) // 2
        faces = detect.search(cv2.copyMakeBorder(rgb, margin, margin, margin, margin, cv2.BORDER_CONSTANT))
    if not faces:
        raise NoFaceError("no face")
    face = max(faces, key=lambda candidate: candidate.area)
    if min(face.box[2] - face.box[0], face.box[3] - face.box[1]) < min_face:
        raise NoFaceError("face too small")
    return Face(face.box - margin, face.points - margin, face.score)


def _sharpness(crop: np.ndarray) -> float:
    grey = cv2.cvtColor(cv2.resize(crop, (128, 128), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).std())


def _label(path: Path, crop: Crop, size: int) -> np.ndarray | None:
    """Return the crop of the picture's class map, (size, size) uint8, where a `masks` folder has one."""
    mask_path = path.parent.parent / "masks" / (path.stem + ".png")
    colours = cv2.imread(str(mask_path)) if mask_path.is_file() else None
    if colours is None:
        return None
    label = read_classes(colours[..., ::-1])
    return cv2.warpAffine(label, crop.to_crop, (size, size), flags=cv2.INTER_NEAREST)


class _People:
    """Who is in a picture: `identities.tsv` of the nearest folder that has one, else the picture's folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tables: dict[Path, dict[str, str]] = {}

    def of(self, path: Path) -> str:
        """Return the person in the picture."""
        for folder in path.parents:
            person = self._table(folder).get(path.relative_to(folder).as_posix()) or self._table(folder).get(path.name)
            if person is not None:
                return person
            if folder == self._root:
                break
        return path.parent.relative_to(self._root).as_posix() if path.parent != self._root else path.stem

    def name(self, path: Path) -> str:
        """Return the picture's path relative to the folder that is prepared."""
        return path.relative_to(self._root).as_posix()

    def _table(self, folder: Path) -> dict[str, str]:
        if folder not in self._tables:
            path = folder / "identities.tsv"
            lines = path.read_text(encoding="utf-8").splitlines()[1:] if path.is_file() else []
            self._tables[folder] = dict(line.split("\t")[:2] for line in lines if "\t" in line)
        return self._tables[folder]


def _report(output: Path) -> PrepareReport:
    rows = read_rows(output)
    outcomes = Counter(row["outcome"] for row in read_lines(output / SEEN))
    return PrepareReport(len(rows), len({row.person for row in rows}), dict(outcomes))


def packed(folder: Path, options: TrainOptions) -> Path:
    """Return the pack of a training folder, preparing raw pictures into a cache beside the run first."""
    if is_pack(folder):
        return folder
    cache = options.output.parent / f"{folder.name}-pack"
    prepare(folder, cache, PrepareOptions(face_pack=options.face_pack, threads=options.threads))
    return cache
