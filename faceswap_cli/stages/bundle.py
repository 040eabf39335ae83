"""Find the networks that belong together: a generator, the encoder whose identities it understands, points, a parser.

A model is named in the catalogue, or is a generator's ONNX file that carries its contract as metadata. What differs
between models (template, size, ranges, identity space) is read here and nowhere branched on.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..engines.metadata import read_metadata
from ..errors import UsageError, WeightsError
from ..options import Options
from ..store.models import Entry, Kind, entry, is_present, locate

# What a file's metadata leaves unsaid about a network of ours.
_OURS: dict[Kind, dict[str, Any]] = {
    "generator": {
        "encoder": "encoder",
        "template": "simswap-frontal",
        "input_range": "0..1",
        "output_range": "0..1",
        "identity_norm": "l2",
        "identity_template": "arcface",
        "identity_size": 112,
    },
    "encoder": {"template": "arcface", "size": 112, "input_range": "-1..1"},
    "parser": {"input_range": "0..1"},
    "points": {"template": "simswap-frontal", "input_range": "0..1"},
}


@dataclass(frozen=True, slots=True)
class Part:
    """One network's file and the contract it keeps."""

    path: Path
    contract: Entry


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything a swap opens beside the detector."""

    generator: Part
    encoder: Part
    parser: Part | None  # None where no parser is there yet
    points: Part | None  # None where the generator is shown no portrait

    @property
    def parts(self) -> dict[str, Part]:
        """All networks by what they do."""
        every = {"generator": self.generator, "encoder": self.encoder, "parser": self.parser, "points": self.points}
        return {name: part for name, part in every.items() if part is not None}


def find_bundle(options: Options) -> Bundle:
    """Find and verify the files of a model.

    Raises UsageError for an unknown name, WeightsError for a file that is missing, altered or of another kind.
    """
    generator = _find_generator(options.model)
    encoder = _find_encoder(generator.contract, options.face_pack)
    if encoder.contract.space != generator.contract.space:
        raise WeightsError(
            f"{generator.path.name} understands identities of {generator.contract.space!r}, "
            f"{encoder.path.name} gives {encoder.contract.space!r}: use the encoder it was trained with"
        )
    return Bundle(generator, encoder, _find_parser(options.parser), _find_points(generator.contract))


def _find_generator(model: str) -> Part:
    path = Path(model)
    if path.suffix.lower() != ".onnx":
        contract = entry(model, "generator")
        return Part(locate(model), contract)
    if not path.is_file():
        raise UsageError(f"no such model file: {path}")
    return _part_of(path, "generator")


def _find_encoder(generator: Entry, face_pack: Path | None) -> Part:
    """Take the encoder of the face pack if it speaks the generator's space, else the generator's own."""
    for path in sorted(face_pack.glob("*.onnx")) if face_pack is not None else []:
        if generator.space and read_metadata(path).get("space") == generator.space:
            return _part_of(path, "encoder")
    return Part(locate(generator.encoder), entry(generator.encoder))


def _find_parser(name: str) -> Part | None:
    contract = entry(name, "parser")
    if contract.embedded and not is_present(contract):
        return None
    return Part(locate(name), contract)


def _find_points(generator: Entry) -> Part | None:
    return Part(locate(generator.points), entry(generator.points)) if generator.points else None


def _part_of(path: Path, kind: Kind) -> Part:
    """Read the contract of a file from its metadata; its name and licence are the file's own."""
    known = {field.name: field.type for field in fields(Entry)}
    said: dict[str, Any] = {key: value for key, value in read_metadata(path).items() if key in known}
    for key in ("size", "identity_size", "bytes"):
        if key in said:
            said[key] = int(said[key])
    if kind == "generator" and not said.get("size"):
        raise WeightsError(
            f"{path.name} does not say the size of its crop: it is no generator made by `faceswap export`"
        )
    described = {"licence": "not stated", "source": str(path)} | _OURS[kind] | said
    return Part(path, Entry(**(described | {"name": path.stem, "kind": kind, "file": path.name, "embedded": False})))
