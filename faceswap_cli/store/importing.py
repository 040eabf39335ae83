"""Bring published files into the user's store: checkpoints become ONNX, ONNX files get our names, packs are unpacked.

A file is known by its SHA-256, by its tensors, or by the name the user gives it. Nothing inside it is run.
"""

import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ..errors import MediaError, UsageError, WeightsError
from ..extras import load
from ..media.sniff import kind_of
from . import models
from .download import Progress, Remote, download
from .models import Entry

if TYPE_CHECKING:
    import onnx

CLIP_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif"})
LARGEST_PACK = 4 << 30  # bytes; a zip that unpacks to more is none of insightface's
CONTRACTS = {  # inputs, outputs -> what a network of ours is
    (("target", "identity"), ("image",)): "generator",
    (("target", "identity", "portrait"), ("image",)): "generator",
    (("image",), ("embedding",)): "encoder",
    (("image",), ("logits",)): "parser",
    (("image",), ("points",)): "points",
    (("image",), ("points", "beard")): "points",
}
DETECTOR_OUTPUTS = 9
SAID = (  # parts of an entry that a file of ours may say in its metadata
    "space", "template", "points", "input_range", "output_range", "encoder", "identity_norm", "identity_template",
)  # fmt: skip
ZIP_ERRORS = (  # what the library raises for archives that lie, are locked or packed in unknown ways
    zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, LookupError, OverflowError, OSError,
)  # fmt: skip


def fetch(entry: Entry, progress: Progress | None = None) -> Entry:
    """Download a published network, check it and install it; raise WeightsError for one without an address."""
    if not entry.fetchable:
        raise WeightsError(models.how_to_get(entry))
    target = models.home() / "downloads" / entry.official
    path = download(Remote(entry.url, entry.sha256, entry.bytes), target, progress)
    installed = import_file(path, entry.name)
    path.unlink()
    return installed


def import_file(path: Path, name: str | None = None, *, half: bool = False) -> Entry:
    """Install a network, or a pack of them, from a file or folder; `name` is a catalogue name or one of the user's own.

    Weights of a checkpoint stay as they are; `half` stores them as float16. Raises WeightsError for a file we cannot
    use, UsageError for a name that cannot be meant and for halving what is no checkpoint.
    """
    if half and (os.path.isdir(path) or path.suffix.lower() in (".onnx", ".zip")):
        raise UsageError(f"{path} is no checkpoint: only a checkpoint's weights can be stored as float16")
    if os.path.isdir(path):
        return _import_folder(path, name or path.name)
    if not os.path.isfile(path):  # nor a pipe, which would be waited for
        raise WeightsError(f"{path} does not exist or is no file: give a checkpoint, an ONNX file or a pack")
    _refuse_media(path)
    if zipfile.is_zipfile(path) and not _is_checkpoint(path):
        return _import_zip(path, name)
    return _import_onnx(path, name) if path.suffix.lower() == ".onnx" else _import_checkpoint(path, name, half)


def _refuse_media(path: Path) -> None:
    """Refuse a photo or clip, before anything that reads checkpoints is asked for."""
    try:
        is_media = path.suffix.lower() in CLIP_SUFFIXES or kind_of(path) == "photo"
    except MediaError:
        return
    if is_media:
        raise WeightsError(f"{path.name} is a photo or clip, not a checkpoint, an ONNX file or a pack of networks")


def _is_checkpoint(path: Path) -> bool:
    with _archive(path) as archive:
        return any(name.endswith("data.pkl") for name in archive.namelist())


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip; WeightsError for one that cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except WeightsError:
        raise
    except ZIP_ERRORS as error:
        raise WeightsError(f"{path} is a damaged zip archive ({error}): get it again") from error


def _import_folder(folder: Path, name: str) -> Entry:
    files = sorted(folder.glob("*.onnx"))
    if not files:
        raise WeightsError(f"{folder} holds no ONNX files: give the folder of an insightface pack")
    return models.install(_describe(name, "pack", folder), files)


def _import_zip(path: Path, name: str | None) -> Entry:
    known = models.published_as(models.sha256_of(path))
    with tempfile.TemporaryDirectory() as folder:
        _unpack(path, Path(folder))
        entry = replace(known, name=name or known.name) if known else _describe(name or path.stem, "pack", path)
        entry = replace(entry, imported=models.sha256_of(path))
        return models.install(entry, sorted(Path(folder).iterdir()))


def _unpack(path: Path, folder: Path) -> None:
    """Take the ONNX files out of a zip, each by its bare name: a path in an archive may lead anywhere."""
    with _archive(path) as archive:
        members = [one for one in archive.infolist() if one.filename.lower().endswith(".onnx")]
        if not members or sum(one.file_size for one in members) > LARGEST_PACK:
            raise WeightsError(f"{path} is a zip, but neither a checkpoint nor a pack of ONNX files")
        for one in members:
            target = folder / PurePosixPath(one.filename).name
            with archive.open(one) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)


def _import_checkpoint(path: Path, name: str | None, half: bool) -> Entry:
    """Read the tensors, tell the network, write it as ONNX."""
    published = load("faceswap_cli.networks.readers.published")
    state, framework = published.read_published(path)
    known = models.published_as(models.sha256_of(path))
    if name is not None and name in published.PUBLISHED:
        known = models.entry(name)
    entry = known or models.entry(published.recognise(state, framework))
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, entry.file)
        published.write_published(entry.name, state, written, _contract(entry), half=half)
        kept = _kept_as(entry, name, path)
        return models.install(replace(kept, note=f"{kept.note}; weights as float16") if half else kept, [written])


def _import_onnx(path: Path, name: str | None) -> Entry:
    import onnx

    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
        said = {_text(one.key): _text(one.value) for one in model.metadata_props}
        kind = _kind_of(model.graph)
    except Exception as error:  # protobuf and onnx raise their own kinds for a damaged file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{path} is no ONNX file: {reason}") from error
    entry = _entry_of(path, said, kind, name)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, entry.file)
        _rename_ends(model.graph, entry.kind)
        onnx.helper.set_model_props(model, said | _contract(entry))
        onnx.save(model, written)
        return models.install(_kept_as(entry, name, path), [written])


def _entry_of(path: Path, said: dict[str, str], kind: Any, name: str | None) -> Entry:
    """Tell what an ONNX file is: by its digest, by the name given, or, when it is ours, by its metadata."""
    known = models.published_as(models.sha256_of(path)) or models.catalogue().get(name or "")
    if known is not None:
        return known
    if "network" not in said or kind is None:
        raise WeightsError(f"{path} is no network of ours and no published one we know: say which it is with --as NAME")
    text: dict[str, Any] = {key: said[key] for key in SAID if key in said}
    ours = replace(_describe(name or path.stem, kind, path), file=path.name, size=_size(path, said), **text)
    if kind != "generator":
        return ours
    identity = {"encoder": "encoder", "identity_norm": "l2", "identity_template": "arcface"} | text
    return replace(ours, identity_size=112, **identity)


def _text(words: Any) -> str:
    """Return words of an ONNX file; protobuf gives bytes where they are no text."""
    return words.decode() if isinstance(words, bytes) else words


def _size(path: Path, said: dict[str, str]) -> int:
    size = said.get("size", "0")
    if not (size.isascii() and size.isdigit() and len(size) < 6):
        raise WeightsError(f"{path} says that its crops are {size[:20]!r} pixels wide: export it again")
    return int(size)


def _kind_of(graph: "onnx.GraphProto") -> Any:
    ends = tuple(one.name for one in graph.input), tuple(one.name for one in graph.output)
    return CONTRACTS.get(ends) or ("detector" if len(graph.output) == DETECTOR_OUTPUTS else None)


def _rename_ends(graph: "onnx.GraphProto", kind: str) -> None:
    """Give a generator's inputs our names: the picture is the one of rank 4, whatever its publisher called it."""
    if kind != "generator":
        return
    ranks = {one.name: len(one.type.tensor_type.shape.dim) for one in graph.input}
    if ranks.keys() == {"target", "identity", "portrait"}:
        return
    if sorted(ranks.values()) != [2, 4]:
        raise WeightsError(
            f"a generator takes a picture and an identity; this one takes {', '.join(ranks) or 'nothing'}"
        )
    names = {name: "target" if rank == 4 else "identity" for name, rank in ranks.items()}
    for one in graph.input:
        one.name = names[one.name]
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]


def _contract(entry: Entry) -> dict[str, str]:
    """Return the part of an entry that travels inside its file."""
    keys = ("space", "template", "points", "size", "input_range", "output_range")
    return {key: str(getattr(entry, key)) for key in keys if getattr(entry, key)}


def _kept_as(entry: Entry, name: str | None, path: Path) -> Entry:
    return replace(entry, name=name or entry.name, note=f"from {path.name}", imported=models.sha256_of(path))


def _describe(name: str, kind: Any, path: Path) -> Entry:
    """Describe what the catalogue does not know, or what carries the name of one of its packs."""
    known = models.catalogue().get(name)
    if known is not None and known.kind == kind:
        return known
    if known is not None:
        raise UsageError(
            f"{name!r} is a {known.kind} in the catalogue, {path} is a {kind}: give another name with --as"
        )
    return Entry(name=name, kind=kind, licence="not stated in the file", source=str(path))
