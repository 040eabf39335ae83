"""Read a photo with all it carries, and write it back with patches laid in.

Samples stay in their own depth and lie as they are stored; only the stages see an upright 8-bit view. EXIF, ICC
profile, XMP, resolution, transparency and 16 bits are kept where the output format holds them.
"""

import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from ..errors import MediaError, OutputError, UsageError
from ..options import Options
from ..types import Frame, Patch
from .disclosure import xmp_packet
from .exif import EXIF_PREFIX, without_preview
from .orientation import EXIF_ORIENTATIONS, UPRIGHT, Orientation
from .photo_formats import PHOTO_FORMATS, Metadata, encode_photo, png_chunks
from .plan import Seal, output_path, refuse_existing
from .planes import blend
from .segments import sync
from .sequence import EXIF_ORIENTATION_TAG
from .sniff import is_heif, kind_of

DEFAULTS = Options()
PICTURE_FORMATS = {(np.uint8, 1): "gray", (np.uint8, 3): "rgb24", (np.uint16, 1): "gray16le", (np.uint16, 3): "rgb48le"}
# TIFF 6.0: sizes, depth, compression, places of strips and tiles, colour map; resolution, XMP and profile go their way.
TIFF_STRUCTURE = frozenset(
    {*range(254, 267), 273, *range(277, 285), 296, 297, *range(317, 326), 330, *range(338, 348), 700, 34675}
)
MODES_WITH_OWN_PROFILE = {"RGB", "RGBA", "P", "PA", "L", "LA", "I;16"}
# What the libraries raise for files that lie about themselves.
LIBRARY_ERRORS = (
    OSError, ValueError, SyntaxError, EOFError, MemoryError, LookupError, TypeError, AttributeError, OverflowError,
    ZeroDivisionError, RuntimeError, struct.error, cv2.error, Image.DecompressionBombError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photo in memory: the picture the stages see and everything the file is written back with."""

    path: Path
    frame: Frame  # upright RGB; `picture` holds the stored samples without transparency, grey or RGB, 8 or 16 bit
    alpha: np.ndarray | None  # (H, W) of the samples' type, as stored
    orientation: Orientation  # from stored to upright
    metadata: Metadata
    notes: tuple[str, ...]  # what could not be taken as it is, for people


def read_photo(path: Path) -> Photo:
    """Read a photo.

    Raises MediaError when it is missing, broken or of a kind that cannot be read, UsageError when it is a clip.
    """
    if kind_of(path) == "clip":
        raise UsageError(f"{path.name} is a clip, not a photo: give a photo; `faceswap swap-video` swaps clips")
    if is_heif(path):
        _learn_heif(path)
    try:
        with Image.open(path) as image:
            return _read(path, image)
    except UnidentifiedImageError:
        raise MediaError(f"{path.name} is of a kind of photo that cannot be read here: convert it to PNG") from None
    except Image.DecompressionBombError as error:
        raise MediaError(f"{path.name} is too large: {error}") from error
    except LIBRARY_ERRORS as error:
        raise MediaError(f"{path.name} is broken or cut off: {' '.join(str(error).split())}") from error


def _learn_heif(path: Path) -> None:
    """Teach Pillow to read HEIC; UsageError where the package for it is not there."""
    try:
        import pillow_heif
    except ModuleNotFoundError:
        raise UsageError(
            f"{path.name} is a HEIC photo, which needs pillow-heif: run `pip install pillow-heif`, or make it a JPEG"
        ) from None
    pillow_heif.register_heif_opener(thumbnails=False)


def photo_output_path(photo: Photo, output: Path | None, force: bool) -> Path:
    """Settle where a photo is written to; raises as `plan.output_path` does."""
    return output_path(photo.path, output, tuple(PHOTO_FORMATS), force)


def write_photo(
    photo: Photo, patches: Sequence[Patch], output: Path, options: Options = DEFAULTS, seal: Seal | None = None
) -> tuple[str, ...]:
    """Lay `patches` over the photo and write it to `output`, whole or not at all.

    The format follows the extension; `seal` is given the whole file before it gets its name. Returns notes on what
    the format could not keep; raises OutputError when the file cannot be written.
    """
    output = photo_output_path(photo, output, options.force)
    content, notes = render_photo(photo, patches, output.suffix, options)
    refuse_existing(output, options.force)
    _write_whole(output, content, seal)
    return notes


def render_photo(
    photo: Photo, patches: Sequence[Patch], suffix: str, options: Options
) -> tuple[bytes, tuple[str, ...]]:
    """Lay `patches` over the photo and return the file's bytes, and notes on what the format could not keep."""
    samples = blend(photo.frame.picture, patches, photo.orientation).to_ndarray()
    metadata = photo.metadata
    if options.disclosure:
        metadata = replace(metadata, xmp=xmp_packet(metadata.xmp, options.model_name))
    content, notes = encode_photo(samples, photo.alpha, metadata, suffix.lower(), options.quality)
    return content, (*photo.notes, *notes)


def _write_whole(output: Path, content: bytes, seal: Seal | None) -> None:
    temporary = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        if seal is not None:
            seal(temporary)
        sync(temporary)
        temporary.replace(output)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # a name too long to be written is too long to be deleted
            temporary.unlink(missing_ok=True)


def _read(path: Path, image: Image.Image) -> Photo:
    pictures = getattr(image, "n_frames", 1)
    metadata = _metadata(path, image)
    orientation = EXIF_ORIENTATIONS.get(metadata.orientation, UPRIGHT)
    samples, notes = _samples(path, image, orientation)
    if pictures > 1:  # pages, layers, or the same moment otherwise
        notes = (*notes, f"further pictures in the file are left out: {pictures - 1} (they show the old face)")
    colour, alpha = _split(samples)
    kind = PICTURE_FORMATS[colour.dtype.type, 1 if colour.ndim == 2 else 3]
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(colour), format=kind)
    frame = Frame(rgb=orientation.to_upright(_rgb8(colour)), index=0, picture=picture)
    return Photo(path, frame, alpha, orientation, metadata, notes)


def _orientation_tag(image: Image.Image) -> int:
    value = image.getexif().get(EXIF_ORIENTATION_TAG, 1)
    return value if value in EXIF_ORIENTATIONS else 1


def _metadata(path: Path, image: Image.Image) -> Metadata:
    exif = _exif(image)
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    jpeg = image if isinstance(image, JpegImagePlugin.JpegImageFile) else None  # MPO included
    return Metadata(
        exif=without_preview(EXIF_PREFIX + exif.removeprefix(EXIF_PREFIX)) if exif else b"",  # WebP's is bare
        icc=image.info.get("icc_profile") if image.mode in MODES_WITH_OWN_PROFILE else None,
        xmp=xmp or b"",
        dpi=_dpi(image),
        orientation=_orientation_tag(image),
        jpeg_tables=dict(jpeg.quantization) if jpeg and jpeg.mode in ("L", "RGB") else None,
        jpeg_sampling=JpegImagePlugin.get_sampling(jpeg) if jpeg else -1,
        png_chunks=png_chunks(path.read_bytes()) if image.format == "PNG" else (),
        original_format=image.format or "",
    )


def _exif(image: Image.Image) -> bytes:
    """Return EXIF data as stored; of a TIFF, whose directories are EXIF's too, without what describes the samples."""
    stored: bytes | None = image.info.get("exif")
    if stored:
        return stored
    found = Image.Exif()
    found.load(image.getexif().tobytes())
    for tag in TIFF_STRUCTURE & found.keys():
        del found[tag]
    return found.tobytes() if found else b""


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    dpi = image.info.get("dpi")
    return (float(dpi[0]), float(dpi[1])) if dpi and all(value > 0 for value in dpi) else None


def _samples(path: Path, image: Image.Image, orientation: Orientation) -> tuple[np.ndarray, tuple[str, ...]]:
    """Give the stored samples, (H, W) or (H, W, 2..4), uint8 or uint16."""
    untouched = _with_other_library(path, image)
    if untouched is not None:
        return untouched, ()
    mode, is_tiff = image.mode, image.format == "TIFF"
    notes: tuple[str, ...] = ()
    if mode == "1":
        image = image.convert("L")
    elif mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif mode not in ("L", "LA", "RGB", "RGBA", "I;16"):
        image, notes = image.convert("RGB"), (f"colours are written as RGB, not {mode}",)
    samples = np.asarray(image)
    return (orientation.to_stored(samples) if is_tiff else samples), notes  # Pillow turns TIFFs alone, on loading


def _with_other_library(path: Path, image: Image.Image) -> np.ndarray | None:
    """Read with a library that keeps 16 bits and TIFF's stored order; None where Pillow serves as well."""
    if image.format == "PNG" and _png_depth(path) == 16:
        return _from_opencv(path)
    return _plain_tiff(path) if image.format == "TIFF" else None


def _png_depth(path: Path) -> int:
    with path.open("rb") as file:
        return file.read(25)[24]  # in the header chunk, which comes first


def _from_opencv(path: Path) -> np.ndarray:
    stored = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None:
        raise ValueError("its samples cannot be decoded")
    if stored.ndim == 2:
        return stored
    return cv2.cvtColor(stored, cv2.COLOR_BGR2RGB if stored.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def _plain_tiff(path: Path) -> np.ndarray | None:
    """Read a TIFF of grey or RGB samples side by side, 8 or 16 bit; None for every other kind."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        kinds = (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.MINISBLACK)
        plain = page.dtype in (np.uint8, np.uint16) and page.photometric in kinds
        if not plain or page.planarconfig != 1 or page.bitspersample not in (8, 16):
            return None
        try:
            samples = page.asarray()
        except ValueError:  # a compression that Pillow knows
            return None
    return samples if samples.ndim == 2 or samples.shape[2] <= 4 else None


def _split(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Part colour from transparency."""
    if samples.ndim == 2 or samples.shape[2] == 3:
        return samples, None
    if samples.shape[2] == 2:
        return samples[..., 0], samples[..., 1]
    return samples[..., :3], samples[..., 3]


def _rgb8(colour: np.ndarray) -> np.ndarray:
    if colour.dtype == np.uint16:
        colour = ((colour.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return np.repeat(colour[..., None], 3, axis=2) if colour.ndim == 2 else colour
