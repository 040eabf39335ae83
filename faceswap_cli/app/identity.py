"""Make a source once: who somebody is, and the best picture of their face, in a file for any number of swaps."""

from pathlib import Path

from ..errors import OutputError, UsageError
from ..media.face_file import SUFFIX, is_face_file, write_face_file
from ..options import Options
from ..portrait.open_bundle import OpenBundle
from ..stages.bundle import find_bundle
from ..store.models import sha256_of
from .source_photos import Photos, paths_of, photo_path, read_photos


def save_identity(source: Photos, output: str | Path, options: Options | None = None) -> list[str]:
    """Write the person in the source photo, or photos, into a `.face` file, and return notes for the user.

    The file stands wherever a source photo may. It keeps a portrait, the identity as the model's encoder tells it
    (another one tells it anew from the portrait), and the SHA-256 of the photos. Raises UsageError for another ending
    or photos of different people, OutputError for a file that is there or cannot be written, and what photos raise.
    """
    options, output = options or Options(), Path(output)
    if not is_face_file(output):
        raise UsageError(f"{output.name} is no name for an identity: let it end in {SUFFIX}")
    if not output.parent.is_dir():
        raise OutputError(f"folder {output.parent} does not exist: make it first")
    paths = paths_of(source)
    opened = OpenBundle(find_bundle(options), options)
    rgb, known = opened.known(read_photos(paths), opened.detector())
    write_face_file(output, rgb, known, [sha256_of(photo_path(path)) for path in paths], options.force)
    return opened.notes
