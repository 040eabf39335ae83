"""What a user may choose, checked once, when the record is made.

Every field has the default the command line shows; a value that cannot be meant raises UsageError at once, so no later
stage checks again.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from .errors import UsageError

Device = Literal["auto", "cpu", "cuda"]
Paste = Literal["soft", "simswap"]
FacesChoice = Literal["largest", "all"] | int

PASTES = ("soft", "simswap")
DEVICES = ("auto", "cpu", "cuda")
CODECS = ("h264", "hevc", "av1", "vp9", "prores", "ffv1")
ENCODER_CHOICES = ("software", "auto", "nvenc", "qsv", "videotoolbox", "vaapi", "amf")
PLACES = ("largest", "smallest", "left", "right", "top", "bottom", "centre")
DEFAULT_QUALITY = 75
MOST_BLUR = 0.15  # beyond it no pixel of a face is the swap's alone, and little by little the swap vanishes
_LIKE = "like:"
_NUMBER = re.compile("[1-9][0-9]{0,3}")
_KIND = re.compile("(wo)?m[ae]n|(fe)?males?|boys?|girls?|child(ren)?|adults?|(age|gender)s?[:=].*")
_NO_KIND = "no network here guesses age or gender: name one by a place, like:PHOTO or, with people, their name"


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody in the target, as a user names them: exactly one of these."""

    place: str | None = None  # one of PLACES, or the number by size
    photo: Path | None = None  # of one they resemble
    person: str | None = None  # their name among the input's people


def read_who(text: str, has_people: bool, option: str = "who") -> Who:
    """Read a place of PLACES, N for the N-th largest, like:PHOTO or, where there are people, a person's name."""
    if text in PLACES or _NUMBER.fullmatch(text):
        return Who(place=text)
    if text.startswith(_LIKE) and len(text) > len(_LIKE):
        return Who(photo=Path(text.removeprefix(_LIKE)))
    if has_people and text and ":" not in text and not text.isdigit():
        return Who(person=text)
    if _KIND.fullmatch(text):
        raise UsageError(f"{option} is {text!r}: {_NO_KIND}")
    places = ", ".join(PLACES)
    raise UsageError(f"{option} is {text!r}: choose one of {places}, a number, like:PHOTO or, with people, their name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a swap is done. One record for photos and clips; photos ignore what only clips have."""

    model: str = "lite"  # name of a generator in the catalogue
    face_pack: Path | None = None  # folder of ONNX files for insightface; None means the embedded pack
    device: Device = "auto"
    threads: int | None = None  # CPU threads for the networks; None means all cores
    faces: FacesChoice = "largest"  # whom to swap in each frame; a number means that many, the largest first
    who: str | int | None = None  # the one meant, see `Who`
    not_who: str | None = None  # one who is left as they are: like:PHOTO, or somebody of `people`
    people: Path | None = None  # folder that `faceswap faces --output` filled: who names somebody of it
    similarity: float = 0.35  # cosine from which someone is like a photo
    det_threshold: float | None = None  # confidence below which a face is ignored; None means the detector's own
    min_face: int = 24  # shorter side of the box in pixels below which a face is ignored
    mask_blur: float = 0.04  # softening of the mask's edge, as a share of the crop's side, 0..MOST_BLUR
    force_average: bool = False  # average the source's photos even where they look like different people
    max_turn: float = 48.0  # degrees a face may be turned aside; further turned ones are left whole, 90 leaves none
    shape: float = 1.0  # how much of the source's outline the target's face gets; 0 keeps the target's own
    parser: str = "parser"  # name of a face parser in the catalogue: what masks and corrections look through
    paste: Paste = "soft"  # how a swap is put back; "simswap": with the mask and border of its own scripts
    opacity: float = 1.0  # 1 shows the swap alone, 0 the original
    codec: str | None = None  # None follows the container: mp4, mov, mkv h264; webm vp9
    quality: int = DEFAULT_QUALITY  # 0 smallest file .. 100 best picture, mapped to each encoder's own scale
    preset: str | None = None  # the software encoder's own speed preset
    encoder: str = "software"  # whose encoder; only software's output is the same every time
    pix_fmt: str | None = None  # None: the codec's pixel format that loses least
    lossless: bool = False  # every sample outside the faces as it was decoded
    start: Fraction | None = None  # seconds; frames before it are left out
    end: Fraction | None = None  # seconds; frames at or after it are left out
    plan: Path | None = None  # JSON of who is where in the clip and is swapped: used, or written where it is not there
    workers: int | None = None  # processes that swap parts of the clip; None: one, on Ray as many as fit
    ray: str | None = None  # a cluster of Ray's to swap parts on: local, auto, ray://host:10001; None means no Ray
    parts: int | None = None  # how many parts it is cut into; None means as many as workers, of a minute at most
    without: tuple[str, ...] = ()  # corrections of the laid portrait to leave out; see `portrait/recipe.py`
    label: str | None = None  # burnt into every picture, bottom left
    disclosure: bool = True  # metadata that says the result was edited with AI
    sign: bool = False  # with a C2PA manifest
    certificate: Path | None = None  # PEM chain to sign with, the signer's own first; None means one made here
    key: Path | None = None  # PEM of its private key
    report: Path | None = None  # JSON written beside the result
    force: bool = False  # overwrite an existing output
    offline: bool = False  # never touch the network

    def __post_init__(self) -> None:
        _one_of("device", self.device, DEVICES)
        if self.codec is not None:
            _one_of("codec", self.codec, CODECS)
        _one_of("encoder", self.encoder, ENCODER_CHOICES)
        if self.det_threshold is not None:
            _between("det_threshold", self.det_threshold, 0.0, 1.0)
        _between("mask_blur", self.mask_blur, 0.0, MOST_BLUR)
        _one_of("paste", self.paste, PASTES)
        _between("max_turn", self.max_turn, 0.0, 90.0)
        _between("shape", self.shape, 0.0, 1.0)
        _between("opacity", self.opacity, 0.0, 1.0)
        _between("quality", self.quality, 0, 100)
        _between("min_face", self.min_face, 1, 100_000)
        if self.threads is not None:
            _between("threads", self.threads, 1, 1024)
        if self.workers is not None:
            _between("workers", self.workers, 1, 256)
        if self.parts is not None:
            _between("parts", self.parts, 1, 100_000)
        if isinstance(self.faces, int):
            _between("faces", self.faces, 1, 1000)
        elif self.faces not in ("largest", "all"):
            known = _NO_KIND if _KIND.fullmatch(str(self.faces)) else "give largest, all, or how many of the largest"
            raise UsageError(f"faces is {self.faces!r}: {known}")
        self._check_who()
        if self.label is not None and not (self.label.strip() and self.label.isprintable()):
            raise UsageError(f"label is {self.label!r}: give one line of text")
        if self.sign and not self.disclosure:
            raise UsageError("a signature says that the result was edited with AI: leave out sign, or keep disclosure")
        if (self.certificate is None) != (self.key is None) or (self.key is not None and not self.sign):
            raise UsageError("certificate and key go together, and with sign: give all three, or sign alone")
        if self.lossless and self.quality not in (DEFAULT_QUALITY, 100):
            raise UsageError(f"lossless and quality {self.quality} contradict each other: give one of them")
        if self.lossless and self.encoder not in ("software", "auto"):
            raise UsageError(f"lossless is promised by software only: leave encoder {self.encoder} out")
        if self.start is not None and self.start < 0:
            raise UsageError(f"start is {float(self.start):g} s: give a time from 0 on")
        if self.end is not None and self.end <= (self.start or 0):
            raise UsageError(f"end ({float(self.end):g} s) is not after start ({float(self.start or 0):g} s)")

    def _check_who(self) -> None:
        _between("similarity", self.similarity, -1.0, 1.0)
        if self.not_who is not None and self.spared.place is not None:
            raise UsageError(f"not_who is {self.not_who!r}: give like:PHOTO or, with people, a person's name")
        if self.not_who is not None and self.not_who == self.who:
            raise UsageError(f"who and not_who are both {self.who!r}: nobody would be left")
        if self.meant.place is not None and self.faces != "largest":
            raise UsageError(f"who {self.who} names one, faces {self.faces} several: leave one of them out")

    @property
    def meant(self) -> Who:
        """The one meant; nobody where everybody may be."""
        return Who() if self.who is None else read_who(str(self.who), self.people is not None)

    @property
    def spared(self) -> Who:
        """The one who is left as they are; nobody where everybody may be swapped."""
        return Who() if self.not_who is None else read_who(self.not_who, self.people is not None, "not_who")

    @property
    def has_crew(self) -> bool:
        """Whether parts of the clip are swapped by other processes."""
        return self.ray is not None or (self.workers or 1) > 1

    @property
    def model_name(self) -> str:
        """The generator's name without folder and ending, as results carry it."""
        path = Path(self.model)
        return path.stem if path.suffix.lower() == ".onnx" else self.model

    @property
    def face_limit(self) -> int | None:
        """How many faces of a frame to swap, the largest first; None means all."""
        if self.faces == "all":
            return None
        return 1 if self.faces == "largest" else self.faces


def _between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} is {value:g}: give a value from {low:g} to {high:g}")


def _one_of(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{name} is {value!r}: choose one of {', '.join(map(str, choices))}")
