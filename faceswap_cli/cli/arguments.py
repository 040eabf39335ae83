"""Command-line options that several commands share, made from the option records: no default is written twice."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from fractions import Fraction
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from ..errors import UsageError
from ..options import CODECS, DEVICES, ENCODER_CHOICES, MOST_BLUR, PASTES, PLACES

if TYPE_CHECKING:
    from ..store.models import Kind

Sources = Annotated[
    list[Path] | None,
    typer.Option(
        "--source",
        "-s",
        metavar="PATH",
        help="Photo of the person to put in, me.jpg#2 for the second largest face in it, or a .face file of `faceswap "
        "identity save`; several photos of one person average into one identity.",
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="WHO=PHOTO,...",
        help="Put several people in, each for one that --who could name: --map left=anna.jpg --map p2=b1.jpg,b2.jpg.",
    ),
]
Input = Annotated[Path, typer.Option("--input", "-t", "-i", metavar="PATH", help="Photo or clip to put the face into.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="PATH", help="Result, or an existing folder for it.")
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="End with code 7 where somebody in sight was not swapped, another was, or no swap took; all is written.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Try a few frames in memory, print what would be done, and write nothing.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more, and where an error comes from.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the result and errors.")]


METAVARS = {
    int: "N",
    float: "X",
    bool: None,
    Path: "PATH",
    list[Path]: "PATH",
    list[str]: "NAME,...",
}  # how help shows a value


@dataclass(frozen=True, slots=True)
class Flag:
    """How one field of an option record is typed on the command line."""

    help: str
    kind: Any = str  # what typer reads
    read: Callable[[Any], Any] = lambda value: value  # from what typer read to the field's value
    choices: Callable[[], Sequence[str]] | None = None  # what the shell may be told to complete with
    hidden: bool = False  # from the help; examples/swapping.md has it


def read_time(text: str) -> Fraction:
    """Read seconds or h:m:s, exactly: "90.5", "1:30.5" and "0:01:30.5" are the same moment."""
    parts = text.split(":")
    try:
        if len(parts) > 3 or any(part.strip() != part or part.startswith("-") for part in parts):
            raise ValueError
        return sum((Fraction(part) * 60**power for power, part in enumerate(reversed(parts))), Fraction(0))
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{text!r} is no time: give seconds (12.5) or h:m:s (0:01:30)") from None


def read_faces(text: str) -> str | int:
    """Read "largest", "all" or a number of faces."""
    return int(text) if text.isascii() and text.isdigit() else text


def read_names(texts: list[str]) -> tuple[str, ...]:
    """Read names that are separated by commas, or given one by one."""
    return tuple(name.strip() for text in texts for name in text.split(","))


def read_sources(source: list[Path] | None, mapped: list[str] | None) -> list[Path] | dict[str, list[Path]]:
    """Return the photos of the one source, or those of each by whom it is put in for; raise UsageError for neither."""
    if source and mapped:
        raise UsageError("--source puts one person in and --map several: give one of them")
    if not source and not mapped:
        raise UsageError("nobody is put in: give --source PHOTO, or --map WHO=PHOTO")
    return source or read_map(mapped or [])


def read_map(texts: list[str]) -> dict[str, list[Path]]:
    """Read WHO=PHOTO,PHOTO,... by whom; raise UsageError for what is something else, or names somebody twice."""
    mapped: dict[str, list[Path]] = {}
    for text in texts:
        who, parted, photos = text.partition("=")
        paths = [Path(photo) for photo in photos.split(",") if photo]
        if not parted or not who or not paths:
            raise UsageError(f"map is {text!r}: give WHO=PHOTO, such as p1=anna.jpg or left=anna1.jpg,anna2.jpg")
        if who in mapped:
            raise UsageError(f"map names {who} twice: give all photos at once, {who}={photos},...")
        mapped[who] = paths
    return mapped


def read_face_pack(path: Path) -> Path:
    """Read a folder, or the name of an installed pack, which means its folder in the store."""
    from ..store import models

    known = models.catalogue().get(str(path))
    return models.locate(known.name) if known and known.kind == "pack" and not path.is_dir() else path


def names_of(kind: "Kind") -> Callable[[], list[str]]:
    """Give what lists the networks of a kind that are here."""

    def names() -> list[str]:
        from ..store import models

        return [each.name for each in models.catalogue().values() if each.kind == kind and models.is_present(each)]

    return names


SWAP_FLAGS: dict[str, Flag] = {
    "model": Flag(
        "What swaps: a name that `faceswap models list` shows first, or an ONNX file.", choices=names_of("generator")
    ),
    "face_pack": Flag(
        "Folder of ONNX files for insightface, or an installed pack, to use instead of ours.", Path, read_face_pack
    ),
    "device": Flag(f"Where the networks run: {', '.join(DEVICES)}.", choices=lambda: DEVICES),
    "threads": Flag("CPU threads for the networks; all cores without it.", int),
    "faces": Flag(
        "Whom to swap in each picture: largest, all, or a number N of the largest.",
        read=read_faces,
        choices=lambda: ("largest", "all"),
    ),
    "who": Flag(
        f"The one meant: {', '.join(PLACES)}, N for the N-th largest, like:PHOTO, or a name of --people; in a clip "
        "they are followed.",
        choices=lambda: (*PLACES, "like:"),
    ),
    "not_who": Flag("Someone who is left as they are: like:PHOTO, or a name of --people.", choices=lambda: ("like:",)),
    "people": Flag("Folder that `faceswap faces INPUT --output FOLDER` filled: who is p1, p2 ...", Path),
    "similarity": Flag("Cosine of the encoder from which someone is like a photo, -1..1.", float),
    "det_threshold": Flag("Confidence below which a face is ignored, 0..1; without it the detector's own.", float),
    "min_face": Flag("Shorter side in pixels below which a face is ignored.", int),
    "max_turn": Flag(
        "Degrees a face may be turned aside; what is turned further is left whole, and with 90 nothing is.", float
    ),
    "shape": Flag("How much of the source's own outline the face gets, 0..1; 0 keeps the target's.", float),
    "mask_blur": Flag(f"Softness of the mask's edge as a share of the face crop, 0..{MOST_BLUR:g}.", float),
    "parser": Flag(
        "What tells faces from hair and hands: a parser `faceswap models list` shows.", choices=names_of("parser")
    ),
    "paste": Flag(
        "How a swap is put back: soft, or simswap, with the mask and border of SimSwap's own scripts.",
        choices=lambda: PASTES,
    ),
    "force_average": Flag("Average --source photos even where they look like different people.", bool),
    "opacity": Flag("1 shows the swap alone, 0 the original.", float),
    "quality": Flag("0 smallest file .. 100 best picture.", int),
    "without": Flag("Corrections of the laid portrait to leave out.", list[str], read_names, hidden=True),
    "label": Flag("Text to burn into the picture, bottom left, for people to see."),
    "disclosure": Flag("Say in the result's metadata that it was edited with AI.", bool),
    "sign": Flag("Sign the result with a C2PA manifest (jpg, png, webp, mp4, mov); needs the [c2pa] extra.", bool),
    "certificate": Flag("PEM file of the certificates to sign with; without it, one made on this machine.", Path),
    "key": Flag("PEM file of the certificate's private key.", Path),
    "report": Flag("Write a JSON report of what was done to this file.", Path),
    "force": Flag("Overwrite an existing output.", bool),
    "offline": Flag("Never touch the network.", bool),
}
CLIP_FLAGS: dict[str, Flag] = SWAP_FLAGS | {
    "codec": Flag(
        f"Video codec: {', '.join(CODECS)}; without it the container decides (mp4, mov, mkv h264; webm vp9).",
        choices=lambda: CODECS,
    ),
    "preset": Flag("Speed preset in the software encoder's own words."),
    "encoder": Flag(
        f"Whose encoder: {', '.join(ENCODER_CHOICES)}; what does not work here falls back to software.",
        choices=lambda: ENCODER_CHOICES,
    ),
    "pix_fmt": Flag("Pixel format, such as yuv420p; without it the one that loses least."),
    "lossless": Flag("Write every sample outside the faces exactly as it was decoded.", bool),
    "start": Flag("Leave out what comes before, in seconds or h:m:s.", read=read_time),
    "end": Flag("Leave out what comes from here on, in seconds or h:m:s.", read=read_time),
    "plan": Flag("Write down who is where and is swapped (JSON, may be edited), or swap by that where it is.", Path),
    "workers": Flag(
        "Processes of this machine, or on --ray, that swap parts of the clip, each with networks of its own.", int
    ),
    "ray": Flag("Swap its parts on Ray ([ray] extra): local, auto, ray://host:10001."),
    "parts": Flag("How many parts the clip is cut into; without it as many as workers, of a minute at most.", int),
}
OF_ONE_CLIP = frozenset({"plan", "workers", "parts", "ray"})  # what a command for many files does not take


def takes(record: type, flags: Mapping[str, Flag]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one typed option per flag, with the record's default, and the finished record as `options`.

    Where it takes another record, whose fields are annotated for typer, each of them is an option in its place too.
    """
    defaults = {field.name: _default(field) for field in fields(record)}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_options(**given: Any) -> None:
            values = {name: given.pop(name) for name in flags}
            read = {n: v if v is None or v == defaults[n] else flags[n].read(v) for n, v in values.items()}
            for name, kind in asked.items():
                given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
            command(options=record(**read), **given)

        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "options"]
        asked: dict[str, Any] = {p.name: p.annotation for p in own if is_dataclass(p.annotation)}
        parameters = [each.replace(kind=each.KEYWORD_ONLY) for parameter in own for each in _typed(parameter)]
        parameters += [_parameter(name, flag, defaults[name]) for name, flag in flags.items()]
        parameters.sort(key=lambda parameter: parameter.name in ("as_json", "verbose", "quiet"))
        with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typeshed lacks it
        with_options.__annotations__ = {p.name: p.annotation for p in parameters}
        return with_options

    return decorate


def _typed(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """Return what typer reads of a command's parameter: itself, or of a record one for each field."""
    record = parameter.annotation
    if not is_dataclass(record):
        return [parameter]
    annotations = get_type_hints(record, include_extras=True)
    return [
        parameter.replace(name=field.name, default=_default(field), annotation=annotations[field.name])
        for field in fields(record)
    ]


def _default(field: "Field[Any]") -> Any:
    return inspect.Parameter.empty if field.default is MISSING else field.default


def _parameter(name: str, flag: Flag, default: Any) -> inspect.Parameter:
    kind = flag.kind if default is not None else flag.kind | None
    default = list(default) if isinstance(default, tuple) else default
    dashed = name.replace("_", "-")
    typed = f"--{dashed}/--no-{dashed}" if default is True else f"--{dashed}"
    option = typer.Option(
        typed,
        help=flag.help,
        metavar=METAVARS.get(flag.kind, "TEXT"),
        hidden=flag.hidden,
        autocompletion=_completion(flag.choices),
    )
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


def _completion(choices: Callable[[], Sequence[str]] | None) -> Callable[[str], list[str]] | None:
    if choices is None:
        return None
    return lambda incomplete: [each for each in choices() if each.startswith(incomplete)]
