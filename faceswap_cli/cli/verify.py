"""`faceswap verify`: what a photo or clip says about how it was made."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..extras import how_to_install
from .arguments import AsJson, Quiet, Verbose
from .terminal import Terminal

if TYPE_CHECKING:
    from ..media.provenance import Provenance

FOUND = "edited or made with AI, as the file itself says"
MEANINGS = {"signingCredential.untrusted": "nobody we know vouches for the signer"}  # of C2PA's codes
LONGEST_SHOWN = 200  # letters
NOTHING = "no sign of AI editing found; that is no proof"


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Photo or clip, from faceswap or not.")],
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Tell whether a photo or clip says that it was edited with AI (`models verify` checks weights).

    Read are IPTC's digital source type and the tools named in XMP, EXIF and a clip's tags, and C2PA manifests. The exit
    code is 0 whether anything is found or not.

    \b
    Example:
      faceswap verify photo_swapped.jpg
    """
    from ..media.provenance import read_provenance

    found = read_provenance(file)
    table = {"file": file, "edited_with_ai": found.edited_with_ai, **asdict(found)}
    Terminal(verbose, quiet).result("\n".join(_lines(file, found)), table, as_json)


def _lines(file: Path, found: "Provenance") -> list[str]:
    lines = [f"{file}: {FOUND if found.edited_with_ai else NOTHING}"]
    for sign in found.signs:
        said = {"source type": sign.source_type, "software": sign.software, "model": sign.model}
        lines.append(
            f"  {sign.place:6s}" + ", ".join(f"{name} {_shown(value)}" for name, value in said.items() if value)
        )
    return [*lines, f"  C2PA  {_manifest_line(found)}"]


def _shown(value: str) -> str:
    """Make a stranger's words safe for a terminal: one line, no control codes, no endless text."""
    return "".join(letter if letter.isprintable() else "?" for letter in value[:LONGEST_SHOWN])


def _manifest_line(found: "Provenance") -> str:
    manifest = found.manifest
    if manifest.state == "not looked at":
        seen = "a manifest is there, but was" if found.holds_manifest else "manifests were"
        return f"{seen} not looked at: run `{how_to_install('c2pa')}`"
    if manifest.state == "none":
        return "no manifest"
    signer = f", signed by {_shown(manifest.signer)}" if manifest.signer else ""
    problems = ", ".join(MEANINGS.get(code, _shown(code)) for code in manifest.problems)
    return f"manifest {manifest.state.lower()}{signer}" + (f" ({problems})" if problems else "")
