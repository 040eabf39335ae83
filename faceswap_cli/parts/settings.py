"""Say what a plan of tracks depends on beside its clip: the options that decide who is found and who is swapped."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..media.people_file import file_of
from ..options import Options, Who, read_who
from ..stages.detect import pack_folder
from ..store.models import sha256_of

_NAMES = ("faces", "similarity", "det_threshold", "min_face", "start", "end")
_LETTERS = 16  # of a digest


def settings_of(whos: Sequence[str | None], options: Options) -> dict[str, str]:
    """Return by name what locating depends on; `whos` are as in Options.who, of each role.

    Files stand there by their content, wherever they lie. Raises OSError for one that cannot be read.
    """
    said = {name: str(getattr(options, name)) for name in _NAMES}
    has_people = options.people is not None
    roles = [options.meant if who is None else read_who(who, has_people, "map") for who in whos]
    return said | {
        "who": ", ".join(map(_said, roles)),
        "not_who": _said(options.spared),
        "people": "None" if options.people is None else _digest([file_of(options.people)]),
        "detector": _digest(sorted(pack_folder(options.face_pack).glob("*.onnx"))),
    }


def _said(who: Who) -> str:
    return f"like:{_digest([who.photo])}" if who.photo is not None else str(who.place or who.person)


def _digest(paths: Iterable[Path]) -> str:
    return hashlib.sha256("\n".join(map(sha256_of, paths)).encode()).hexdigest()[:_LETTERS]
