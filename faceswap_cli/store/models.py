"""Find, check and keep the files of the networks.

`weights/catalogue.toml` describes every network we know of, one table each. A file is looked for among the weights
inside the package, then in the user's store (FACESWAP_HOME), and is compared with its SHA-256 on every load. Nothing
here reads a network: `engines/` opens what `locate` returns.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ..errors import OutputError, UsageError, WeightsError

Kind = Literal["generator", "encoder", "detector", "parser", "points", "pack"]
State = Literal["ok", "altered", "missing"]

PACKAGE = Path(__file__).parents[1]
BLOCK = 1 << 20
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
CARD = "entry.json"  # lies beside the files of an installed entry; our own catalogue lines for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One network and the contract it keeps; a generator's entry is a bundle that names its encoder too."""

    name: str
    kind: Kind
    file: str = ""  # name inside weights/, or inside the entry's own folder of the store; empty for a pack
    licence: str
    source: str  # who published it, and where
    embedded: bool = False  # ships inside the package
    official: str = ""  # name of the published file, when that is what `models import` turns into `file`
    url: str = ""  # complete address of the published file; empty when it can only be imported
    sha256: str = ""  # of the published file (for an embedded one: of `file` itself)
    bytes: int = 0  # length of the same file; 0 when unknown
    also: tuple[str, ...] = ()  # digests of other published forms of the same network
    imported: str = ""  # sha256 of the file that an installed one was made of
    note: str = ""
    encoder: str = ""  # generator: entry whose embedding it understands
    points: str = ""  # generator that is shown a portrait: entry that finds the points it is laid by
    space: str = ""  # generator and encoder: name of the identity space
    template: str = ""  # five-point template its crop is aligned to
    size: int = 0  # side of that crop in pixels
    input_range: str = ""  # "0..1", "-1..1" or "imagenet", RGB
    output_range: str = ""
    identity_norm: str = ""  # "l2" when the embedding is normalised before it is used
    identity_template: str = ""  # generator: how the source photo is aligned before the encoder sees it
    identity_size: int = 0
    multiplications: float = 0.0  # generator: billions a frame; 0 when unknown, like the figures below
    retrieval: float = 0.0  # generator: per cent of its swaps that a judge finds nearest to their source
    cosine: float = 0.0  # generator: mean cosine of its swaps to their source, by that judge
    pose: float = 0.0  # generator: degrees, mean Euclidean change of (yaw, pitch, roll)
    measured: str = ""  # generator: on what these were measured, and who says so

    @property
    def published(self) -> bool | None:
        """Tell whether an installed one was made of the published file; None where its digest is not known."""
        digests = tuple(filter(None, (self.sha256, *self.also)))
        return self.imported in digests if digests and self.imported else None

    @property
    def fetchable(self) -> bool:
        """Tell whether it can be fetched: only a complete address with a digest can."""
        return bool(self.url and self.sha256)


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one file when it was compared with its digest."""

    entry: str
    path: Path
    state: State
    expected: str
    found: str


def weights_folder() -> Path:
    """Return the folder of the embedded weights: inside an installed package, beside it in a checkout."""
    for folder in (PACKAGE / "weights", PACKAGE.parent / "weights"):
        if (folder / "catalogue.toml").is_file():
            return folder
    raise WeightsError(f"no weights folder in or beside {PACKAGE}: install the package again")


def home() -> Path:
    """Return the user's store of networks: FACESWAP_HOME, or the platform's own place for such files."""
    chosen = os.environ.get("FACESWAP_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("faceswap", appauthor=False)


def catalogue() -> dict[str, Entry]:
    """Return every entry by name: the shipped catalogue, then what the user imported under other names."""
    known = dict(_shipped(weights_folder()))
    for card in sorted(_store().glob(f"*/{CARD}")):
        found = _read_card(card)[0]
        known.setdefault(found.name, found)
    return known


def entry(name: str, kind: Kind | None = None) -> Entry:
    """Return the entry of that name, and kind; raise UsageError, naming those there are, where there is none."""
    shipped = _shipped(weights_folder())
    known = shipped if name in shipped else catalogue()  # a damaged store must not stop what needs none of it
    if name in known and kind in (None, known[name].kind):
        return known[name]
    wrong = f"{name!r} is of the kind {known[name].kind}, not {kind}" if name in known else f"unknown model {name!r}"
    raise UsageError(f"{wrong}: choose one of {', '.join(names_of(kind))}")


def names_of(kind: Kind | None) -> list[str]:
    """Return the names of all entries of a kind, or of all."""
    return [each.name for each in catalogue().values() if kind in (None, each.kind)]


def locate(name: str) -> Path:
    """Return the checked file of an entry (of a pack: its folder); raise WeightsError when it is missing or altered."""
    wanted = entry(name)
    reports = list(check(wanted))
    for report in reports:
        if report.state == "missing":
            raise WeightsError(how_to_get(wanted))
        if report.state == "altered":
            raise WeightsError(
                f"{report.path} is not the file it should be: sha256 {report.found}, expected {report.expected}; "
                f"replace it ({how_to_get(wanted)})"
            )
    return reports[0].path.parent if wanted.kind == "pack" else reports[0].path


def file_of(given: Path) -> Path:
    """Return a path as it is, or the checked file of the entry that is called so where no such file exists."""
    name = str(given)
    return given if given.exists() or name not in catalogue() else locate(name)


def is_present(wanted: Entry) -> bool:
    """Tell whether the entry's files are here, without reading them."""
    return (weights_folder() / wanted.file).is_file() if wanted.embedded else (folder_of(wanted.name) / CARD).is_file()


def installed(name: str) -> Entry | None:
    """Return what the user's store says of an entry it holds: what it was made of, and from where."""
    card = folder_of(name) / CARD
    return _read_card(card)[0] if card.is_file() else None


def check(wanted: Entry) -> Iterator[Checked]:
    """Compare each file of an entry with its digest; an entry that is not here yields one `missing`."""
    if wanted.embedded:
        yield _compare(wanted.name, weights_folder() / wanted.file, wanted.sha256)
        return
    folder = folder_of(wanted.name)
    if not (folder / CARD).is_file():
        yield Checked(wanted.name, folder / wanted.file, "missing", "", "")
        return
    for name, digest in _read_card(folder / CARD)[1].items():
        yield _compare(wanted.name, folder / name, digest)


def published_as(digest: str) -> Entry | None:
    """Return the entry a published file belongs to, by its SHA-256; None for a file nobody told us of."""
    for known in _shipped(weights_folder()).values():
        if not known.embedded and digest in (known.sha256, *known.also):
            return known
    return None


def folder_of(name: str) -> Path:
    """Return the folder of the user's store that holds, or would hold, an entry."""
    return _store() / name


def install(new: Entry, files: list[Path]) -> Entry:
    """Copy the files of an entry into the user's store, all or nothing, with their digests; an older copy is replaced.

    Raises UsageError for the name of an embedded network, OutputError when the store cannot be written.
    """
    known = _shipped(weights_folder()).get(new.name)
    if known is not None and known.embedded:
        raise UsageError(f"{new.name!r} is the name of an embedded network: give another with --as NAME")
    if not NAME.fullmatch(new.name):
        raise UsageError(f"{new.name!r} cannot be the name of a model: use letters, digits, dot, dash and underscore")
    kept = replace(new, embedded=False)
    try:
        _store().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_store(), prefix=".new-") as scratch:
            _fill(Path(scratch, "entry"), kept, files)
            _put_in_place(Path(scratch, "entry"), folder_of(kept.name))
    except OSError as error:
        raise OutputError(
            f"cannot write to the store {home()}: {error.strerror or error}; set FACESWAP_HOME"
        ) from error
    return kept


def remove(name: str) -> Path:
    """Delete what the user's store holds under a name, damaged or not, and return where it was.

    Raises UsageError for an embedded network and for a name that the store does not hold, OutputError where the store
    cannot be written.
    """
    folder = folder_of(name)
    if not NAME.fullmatch(name) or not folder.is_dir():
        shipped = _shipped(weights_folder()).get(name)
        if shipped is not None and shipped.embedded:
            raise UsageError(f"{name} is a part of faceswap itself: only what was fetched or imported can be removed")
        held = sorted(path.name for path in _store().glob("*") if NAME.fullmatch(path.name))
        there = f"it holds {', '.join(held)}" if held else "it is empty"
        raise UsageError(f"{name!r} is not in the store {home()}: {there}")
    try:
        with tempfile.TemporaryDirectory(dir=_store(), prefix=".old-") as scratch:
            folder.rename(Path(scratch, "entry"))
    except OSError as error:
        raise OutputError(f"cannot remove {folder}: {error.strerror or error}") from error
    return folder


def how_to_get(wanted: Entry) -> str:
    """Say in one line how an entry that is not here can be had."""
    if wanted.embedded:
        return (
            f"no embedded {wanted.name} yet: train one ({wanted.source}), fetch one (faceswap models list shows which) "
            f"or import one (faceswap models import FILE)"
        )
    if wanted.fetchable:
        return f"{wanted.name} is not installed: run `faceswap models fetch {wanted.name}`"
    published = wanted.official or wanted.file or "FILE"
    how = f"get {published} ({wanted.source}) and run `faceswap models import {published}`"
    return f"{wanted.name} is not installed: {how}"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in lower-case hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _store() -> Path:
    return home() / "models"


@cache
def _shipped(folder: Path) -> dict[str, Entry]:
    with (folder / "catalogue.toml").open("rb") as file:
        tables: dict[str, dict[str, Any]] = tomllib.load(file)
    return {name: Entry(name=name, also=tuple(table.pop("also", ())), **table) for name, table in tables.items()}


def _read_card(card: Path) -> tuple[Entry, dict[str, str]]:
    try:
        table = json.loads(card.read_text(encoding="utf-8"))
        known = {field.name for field in fields(Entry)}
        said = {key: value for key, value in table["entry"].items() if key in known}
        return Entry(**said | {"also": tuple(said.get("also", ()))}), dict(table["files"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{card} cannot be understood ({error}): delete its folder and import again") from error


def _compare(name: str, path: Path, expected: str) -> Checked:
    if not path.is_file():
        return Checked(name, path, "missing", expected, "")
    found = sha256_of(path)
    return Checked(name, path, "ok" if found == expected else "altered", expected or "not in the catalogue", found)


def _fill(draft: Path, kept: Entry, files: list[Path]) -> None:
    draft.mkdir()
    names = [kept.file] if kept.file else [path.name for path in files]
    for path, name in zip(files, names, strict=True):
        shutil.copyfile(path, draft / name)
    card = {"entry": asdict(kept), "files": {name: sha256_of(draft / name) for name in names}}
    (draft / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")


def _put_in_place(draft: Path, final: Path) -> None:
    """Move a finished folder to its name; an older one goes into the scratch folder, which its owner removes."""
    if final.exists():
        final.rename(draft.with_name("replaced"))
    draft.rename(final)
