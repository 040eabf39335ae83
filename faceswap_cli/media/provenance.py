"""Read what a photo or clip, from us or not, says about how it was made.

Looked at: IPTC's digital source type and the tools named in XMP, EXIF and a container's tags, and C2PA manifests. All
of it is easily removed, so finding nothing proves nothing.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree

from PIL import Image, UnidentifiedImageError

from ..errors import MediaError, UsageError
from .disclosure import STATEMENT_HEAD
from .photo import LIBRARY_ERRORS
from .reader import open_clip
from .sequence import is_sequence
from .sniff import kind_of

SEARCHED_BYTES = 1 << 20  # of a file's beginning and end
# IPTC's digital source types that mean: a trained model had a part in the picture.
AI_SOURCE_TYPES = frozenset({"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"})
IPTC, XMP = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}", "{http://ns.adobe.com/xap/1.0/}"
XMP_ELEMENTS = (b"x:xmpmeta", b"rdf:RDF")  # the outer one is optional
# The head of a manifest store: a JUMBF superbox whose description bears C2PA's type (C2PA specification, section 11.1).
C2PA_STORE = re.compile(rb"jumb.{4}jumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71", re.DOTALL)
C2PA_PACKAGE = "c2pa"
C2PA_SETTINGS = {"verify": {"remote_manifest_fetch": False}}  # no network is touched for a manifest kept elsewhere
STATEMENT = re.compile(
    rf"{STATEMENT_HEAD} a face was swapped by (?P<software>\S+ \S+?)(?: with the model (?P<model>.{{1,200}}?))?"
    r"\. Digital source type: (?P<source_type>\S+)"
)
# Where a kind of file is known by which bytes; of the ISO base format's brands, the rest is taken for MP4.
MIME_SIGNATURES = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG", "image/png"),
    (8, b"WEBP", "image/webp"),
    (0, b"GIF8", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (4, b"ftypqt  ", "video/quicktime"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyphei", "image/heic"),
    (4, b"ftypmif1", "image/heif"),
    (4, b"ftyp", "video/mp4"),
)
EXIF_SOFTWARE_TAG = 0x0131
LARGEST_BOX = 64 << 20  # bytes that are read of one
PIXEL_BOXES = (b"mdat", b"free", b"skip")  # of the ISO base format; never hold metadata of clips


@dataclass(frozen=True, slots=True)
class Sign:
    """One place in a file that says how it was made."""

    place: str  # "XMP", "EXIF", "tags" or "C2PA"
    source_type: str = ""  # last word of IPTC's address, such as compositeWithTrainedAlgorithmicMedia
    software: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The C2PA manifest of a file."""

    state: str  # "none", "not looked at", "elsewhere", "unreadable", or C2PA's own "Invalid", "Valid", "Trusted"
    signer: str = ""
    problems: tuple[str, ...] = ()  # C2PA's own codes


@dataclass(frozen=True, slots=True)
class Provenance:
    """All that a file says about how it was made."""

    signs: tuple[Sign, ...]
    manifest: Manifest
    holds_manifest: bool  # whether the bytes of a manifest are there, looked at or not

    @property
    def edited_with_ai(self) -> bool:
        """Whether anything says that a trained model had a part in the picture."""
        return any(sign.source_type in AI_SOURCE_TYPES for sign in self.signs)


def read_provenance(path: Path) -> Provenance:
    """Read what a photo or clip says of its making; MediaError when the file cannot be read."""
    if is_sequence(path):
        raise UsageError(f"{path} names numbered pictures: give one of them")
    kind = kind_of(path)
    blocks = list(_blocks(path, kind == "photo"))
    signs = _photo_signs(path, blocks) if kind == "photo" else _clip_signs(path, blocks)
    holds_manifest = any(C2PA_STORE.search(block) for block in blocks)
    manifest, told = _read_manifest(path, _mime(path, blocks[0]))
    if holds_manifest and manifest.state == "none":
        manifest = Manifest("unreadable")
    return Provenance(tuple(dict.fromkeys([*signs, *told])), manifest, holds_manifest)


def _blocks(path: Path, is_photo: bool) -> Iterator[bytes]:
    """Yield the parts of a file that may hold metadata: all of a photo, of a clip what is not pictures or sound."""
    try:
        with path.open("rb") as file:
            if is_photo:
                yield file.read()
            elif file.read(8)[4:] == b"ftyp":
                yield from _boxes(file, path.stat().st_size)
            else:
                file.seek(0)
                yield file.read(SEARCHED_BYTES)
                file.seek(max(file.tell(), path.stat().st_size - SEARCHED_BYTES))
                yield file.read()
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror or error}") from error


def _boxes(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the top-level boxes of an ISO file (ISO 14496-12, section 4.2) that may hold metadata."""
    place = 0
    while place + 8 <= size:
        file.seek(place)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        length = length if length >= 8 else size - place  # 0: up to the file's end
        if head[4:8] not in PIXEL_BOXES:
            file.seek(place)
            yield file.read(min(length, LARGEST_BOX))
        place += length


def _photo_signs(path: Path, blocks: list[bytes]) -> list[Sign]:
    try:
        with Image.open(path) as image:
            software = str(image.getexif().get(EXIF_SOFTWARE_TAG, "")).strip("\0 ")
            packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    except UnidentifiedImageError:
        if blocks[0][4:8] != b"ftyp":  # HEIC and its like are not decoded here, but their metadata lies open
            raise MediaError(f"{path.name} is of a kind of photo that cannot be read here") from None
        software, packet = "", b""
    except LIBRARY_ERRORS as error:
        raise MediaError(f"{path.name} is broken or cut off: {' '.join(str(error).split())}") from error
    packet = packet.encode() if isinstance(packet, str) else packet
    exif = [Sign("EXIF", software=software)] if software else []
    return [*_xmp_signs([packet, *blocks]), *exif]


def _clip_signs(path: Path, blocks: list[bytes]) -> list[Sign]:
    with open_clip(path) as clip:
        tags = {name.lower(): value for name, value in clip.metadata.items()}
    signs = _xmp_signs(blocks)
    said = STATEMENT.search(tags.get("comment", ""))
    if said:
        signs.append(Sign("tags", _last_word(said["source_type"]), said["software"], said["model"] or ""))
    elif "digital_source_type" in tags or "encoder" in tags:
        signs.append(Sign("tags", _last_word(tags.get("digital_source_type", "")), tags.get("encoder", "")))
    return signs


def _last_word(address: str) -> str:
    return address.strip().rpartition("/")[2]


def _xmp_signs(blocks: list[bytes]) -> list[Sign]:
    """Read every XMP packet in the blocks; what is no XML is passed over."""
    signs = []
    for packet in (packet for block in blocks for name in XMP_ELEMENTS for packet in _elements(block, name)):
        try:
            root = ElementTree.fromstring(packet)
        except (ElementTree.ParseError, ValueError, LookupError):
            continue
        sign = Sign(
            "XMP",
            _last_word(_property(root, f"{IPTC}DigitalSourceType")),
            _property(root, f"{XMP}CreatorTool"),
            _property(root, f"{IPTC}AISystemUsed"),
        )
        if sign != Sign("XMP"):
            signs.append(sign)
    return signs


def _elements(block: bytes, name: bytes) -> Iterator[bytes]:
    """Cut every element of a name out of a block; what lies inside is not looked at."""
    begin = block.find(b"<" + name)
    while begin >= 0:
        end = block.find(b"</" + name + b">", begin)
        if end < 0:
            return
        yield block[begin : end + len(name) + 3]
        begin = block.find(b"<" + name, end)


def _property(root: ElementTree.Element, name: str) -> str:
    """Find a property in either of XMP's two spellings, element or attribute."""
    for element in root.iter():
        if element.tag == name:
            return "".join(element.itertext()).strip()
        if name in element.attrib:
            return element.attrib[name].strip()
    return ""


def _mime(path: Path, head: bytes) -> str:
    """Say the kind of a file by what it holds, by its name where that is not enough: names change on the way."""
    for place, signature, kind in MIME_SIGNATURES:
        if head.startswith(signature, place):
            return kind
    return path.suffix.lower().lstrip(".")


def _read_manifest(path: Path, kind: str) -> tuple[Manifest, list[Sign]]:
    if find_spec(C2PA_PACKAGE) is None:
        return Manifest("not looked at"), []
    import c2pa

    try:
        context = c2pa.Context.from_dict(C2PA_SETTINGS)
        with path.open("rb") as file, c2pa.Reader(kind, file, context=context) as reader:
            store = json.loads(reader.json())
        return _judged(store), list(_manifest_signs(store))
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.NotSupported):  # the second: of such a container
        return Manifest("none"), []
    except c2pa.C2paError.RemoteManifest as error:
        return Manifest("elsewhere", problems=(" ".join(str(error).split()),)), []
    except c2pa.C2paError as error:
        return Manifest("unreadable", problems=(" ".join(str(error).split()),)), []
    except (LookupError, TypeError, AttributeError, ValueError):  # a store of another shape than C2PA's
        return Manifest("unreadable"), []


def _judged(store: dict[str, Any]) -> Manifest:
    signature = store["manifests"][store["active_manifest"]].get("signature_info") or {}
    names = dict.fromkeys(str(signature[key]) for key in ("common_name", "issuer") if signature.get(key))
    problems = tuple(str(status["code"]) for status in store.get("validation_status") or [])
    return Manifest(store.get("validation_state") or "unreadable", ", ".join(names), problems)


def _manifest_signs(store: dict[str, Any]) -> Iterator[Sign]:
    """Yield what the actions of every manifest in the store say, the latest first."""
    active = store["active_manifest"]
    for label in [active, *(each for each in store["manifests"] if each != active)]:
        manifest = store["manifests"][label]
        generators = manifest.get("claim_generator_info") or [{}]
        software = f"{generators[0].get('name', '')} {generators[0].get('version', '')}".strip()
        software = software or str(manifest.get("claim_generator", ""))  # as claims of version 1 name it
        for action in _actions(manifest):
            model = str((action.get("parameters") or {}).get("model", ""))
            yield Sign("C2PA", _last_word(str(action.get("digitalSourceType", ""))), software, model)


def _actions(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for assertion in manifest.get("assertions") or []:
        if str(assertion.get("label", "")).startswith("c2pa.actions"):
            yield from (action for action in assertion["data"]["actions"] if action.get("digitalSourceType"))
