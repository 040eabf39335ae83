"""Say in every output, in words machines read, that it was edited with AI.

The vocabulary is IPTC's digital source type; photos and MP4 or MOV files carry it as XMP, other containers as tags.
"""

import re
from pathlib import Path
from xml.sax.saxutils import escape

from .._version import __version__

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
SOFTWARE = f"faceswap {__version__}"
SILENT_SUFFIXES = (".bmp",)  # files that hold no metadata
STATEMENT_HEAD = "Edited with AI:"

# XMP specification part 3, section 1.2.7 (MPEG-4): the UUID of the box that holds XMP in files of the ISO base format.
XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
XMP_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
XMP_TAIL = '<?xpacket end="w"?>'


def xmp_packet(existing: bytes | None = None, model: str = "") -> bytes:
    """Make an XMP packet that discloses the edit; what an `existing` packet says is kept around it.

    The network's name goes into IPTC's "AI System Used" (Photo Metadata Standard 2025.1).
    """
    system = f"<Iptc4xmpExt:AISystemUsed>{escape(model)}</Iptc4xmpExt:AISystemUsed>" if model else ""
    description = (
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/">'
        f"<Iptc4xmpExt:DigitalSourceType>{escape(DIGITAL_SOURCE_TYPE)}</Iptc4xmpExt:DigitalSourceType>"
        f"{system}<xmp:CreatorTool>{escape(SOFTWARE)}</xmp:CreatorTool></rdf:Description>"
    )
    kept = _without_statement(existing.decode("utf-8", "replace")) if existing else ""
    if "</rdf:RDF>" in kept:
        return kept.replace("</rdf:RDF>", f"{description}</rdf:RDF>", 1).encode()
    body = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f"{description}</rdf:RDF></x:xmpmeta>"
    )
    return f"{XMP_HEAD}{body}{XMP_TAIL}".encode()


def _without_statement(packet: str) -> str:
    """Take out an earlier source type, model and tool, in either of XMP's two ways of writing a property."""
    for name in ("Iptc4xmpExt:DigitalSourceType", "Iptc4xmpExt:AISystemUsed", "xmp:CreatorTool"):
        packet = re.sub(rf'<{name}>.*?</{name}>|\s{name}="[^"]*"', "", packet, flags=re.DOTALL)
    return packet


def statement(model: str = "") -> str:
    """Return the disclosure as one sentence, for containers that hold no more than a comment."""
    tool = f"{SOFTWARE} with the model {model}" if model else SOFTWARE
    return f"{STATEMENT_HEAD} a face was swapped by {tool}. Digital source type: {DIGITAL_SOURCE_TYPE}"


def container_tags(existing: dict[str, str], free_names: bool, model: str = "") -> dict[str, str]:
    """Add the statement to a container's tags; a comment that is there stays before it.

    `free_names` says whether the container takes tags of any name: then the source type gets one of its own.
    """
    comment = next((value for name, value in existing.items() if name.lower() == "comment"), "")
    earlier = comment.split(STATEMENT_HEAD)[0].strip()
    kept = {name: value for name, value in existing.items() if name.lower() != "comment"}
    own = {"digital_source_type": DIGITAL_SOURCE_TYPE} if free_names else {}
    return kept | {"comment": f"{earlier} {statement(model)}".strip()} | own


def append_xmp_box(path: Path, model: str = "") -> None:
    """Append the XMP packet to an MP4 or MOV file, as a box of its own that players pass over."""
    packet = xmp_packet(model=model)
    with path.open("ab") as file:
        file.write((len(packet) + 24).to_bytes(4, "big") + b"uuid" + XMP_BOX + packet)


def gif_extension(model: str = "") -> bytes:
    """Give the GIF extension block that holds the XMP packet (XMP specification part 3, section 1.1.2)."""
    # A reader that skips the packet as GIF blocks, each byte a length, lands in this tail and is led to its end.
    skipping_tail = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    return b"\x21\xff\x0bXMP DataXMP" + xmp_packet(model=model) + skipping_tail
