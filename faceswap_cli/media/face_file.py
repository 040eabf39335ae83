"""A source made once: who somebody is, and the pixels of their face, in one file that stands wherever a photo may.

A ZIP archive of face.json and portrait.png, nothing that runs; the first says the version, the encoder's space, the
SHA-256 of the portrait and of the photos it was made from. Points and box are in pixels of the portrait.
"""

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from .._version import __version__
from ..errors import MediaError, OutputError
from ..types import Face, Frame, Identity, KnownFace, SourcePhoto
from .plan import refuse_existing
from .segments import write_atomically

SUFFIX, FORMAT, VERSION = ".face", "faceswap face", 1
ROOM = 2.5  # times the face's longer side is what is kept around it
MOST_SIDE = 1024  # pixels a side of the portrait: a larger one is scaled
MOST_BYTES = 8 << 20  # of either part, unpacked
_RECORD, _PORTRAIT = "face.json", "portrait.png"
_BEGINNING = (1980, 1, 1, 0, 0, 0)  # of a ZIP archive's time: the same photos give the same file
_NORM = 1e-2  # how far from 1 an identity's norm may be


def is_face_file(path: Path) -> bool:
    """Tell by its name whether a source is such a file."""
    return path.suffix.lower() == SUFFIX


def write_face_file(path: Path, rgb: np.ndarray, known: KnownFace, photos: list[str], force: bool = False) -> None:
    """Write a face in an upright picture (H, W, 3) uint8; `photos` are the SHA-256 of all that tell who it is.

    Raises OutputError where the file cannot be written, or is there (without `force`).
    """
    refuse_existing(path, force)
    portrait, face = _cut(rgb, known.face)
    png = io.BytesIO()
    Image.fromarray(portrait).save(png, "PNG")
    record = {
        "format": FORMAT,
        "version": VERSION,
        "faceswap_version": __version__,
        "space": known.identity.space,
        "identity": [float(value) for value in known.identity.embedding],
        "box": face.box.tolist(),
        "points": face.points.tolist(),
        "score": face.score,
        "portrait_sha256": hashlib.sha256(png.getvalue()).hexdigest(),
        "photos_sha256": photos,
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(_RECORD, _BEGINNING), json.dumps(record, indent=1))
        archive.writestr(zipfile.ZipInfo(_PORTRAIT, _BEGINNING), png.getvalue())
    try:
        write_atomically(path, packed.getvalue())
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error


def read_face_file(path: Path) -> SourcePhoto:
    """Read a source; raise MediaError for a file that is missing, altered, or of another kind or version."""
    try:
        with zipfile.ZipFile(path) as archive:
            record, png = json.loads(_unpacked(archive, _RECORD)), _unpacked(archive, _PORTRAIT)
        _check(record, png)
        with Image.open(io.BytesIO(png)) as image:
            if max(image.size) > MOST_SIDE:
                raise ValueError(f"its portrait has {image.size[0]} x {image.size[1]} pixels")
            return SourcePhoto(Frame(np.array(image.convert("RGB")), 0), path.name, known=_known(record))
    except FileNotFoundError:
        raise MediaError(f"{path} does not exist: check the path") from None
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise MediaError(
            f"{path.name} is no whole {SUFFIX} file ({error}): make it anew with `faceswap identity save`"
        ) from error


def _cut(rgb: np.ndarray, face: Face) -> tuple[np.ndarray, Face]:
    """Return the face with room around it as far as the picture goes, its pixels untouched where they may be."""
    reach = ROOM / 2 * float((face.box[2:] - face.box[:2]).max())
    middle = (face.box[:2] + face.box[2:]) / 2
    x0, y0 = (max(0, int(value)) for value in middle - reach)
    x1, y1 = (int(np.ceil(value)) for value in middle + reach)
    portrait = np.ascontiguousarray(rgb[y0:y1, x0:x1])
    scale = min(1.0, MOST_SIDE / max(portrait.shape[:2]))
    if scale < 1:
        size = [max(1, int(side * scale)) for side in portrait.shape[1::-1]]
        portrait = cv2.resize(portrait, size, interpolation=cv2.INTER_AREA)
    corner = np.array([x0, y0], np.float32)
    box, points = (face.box - np.tile(corner, 2)) * scale, (face.points - corner) * scale
    return portrait, replace(face, box=box.astype(np.float32), points=points.astype(np.float32))


def _unpacked(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > MOST_BYTES:
        raise ValueError(f"{name} is too large")
    return archive.read(name)


def _check(record: dict[str, Any], png: bytes) -> None:
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError("it is something else")
    if record.get("version") != VERSION:
        raise ValueError(f"it is of version {record.get('version')!r}, {VERSION} is read here")
    if hashlib.sha256(png).hexdigest() != record["portrait_sha256"]:
        raise ValueError("its portrait was altered")


def _known(record: dict[str, Any]) -> KnownFace:
    embedding, box = np.array(record["identity"], np.float32), np.array(record["box"], np.float32)
    points = np.array(record["points"], np.float32)
    if embedding.ndim != 1 or not abs(float(np.linalg.norm(embedding)) - 1) < _NORM:
        raise ValueError("its identity is no vector of length 1")
    if box.shape != (4,) or points.shape != (5, 2) or not np.isfinite([*box, *points.ravel()]).all():
        raise ValueError("it does not say where the face is")
    return KnownFace(Face(box, points, float(record["score"])), Identity(embedding, str(record["space"])))
