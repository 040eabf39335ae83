"""Write down who is where in a clip and who would be swapped, and swap nobody yet."""

from collections import deque
from pathlib import Path

from ..errors import UsageError
from ..media.reader import open_clip
from ..options import Options
from ..parts.film import Progress
from ..parts.plan_file import TrackPlan
from .film import begun_film, given_plan
from .notes import no_face
from .opening import open_swapper, read_roles
from .source_photos import Source
from .swap import run_of


def find_tracks(source: Source, input: str | Path, options: Options, progress: Progress | None = None) -> TrackPlan:
    """Write the plan of a clip's tracks to Options.plan, to be looked at and edited before `swap_video` swaps by it.

    What is there already is read and returned. Raises UsageError where no file is named or the one there is not whole,
    NoFaceError where nobody would be swapped (then nothing is written), and what opening and locating raise.
    """
    run = run_of(source, input, options)
    if options.plan is None:
        raise UsageError("no file is named for the plan of tracks: give --plan FILE")
    known = given_plan(run)
    if known is not None:
        return known
    with open_clip(run.input) as clip:
        swapper = open_swapper(run, read_roles(run))
        film = begun_film(run, clip, swapper, options.plan, None)
        deque(film.locate(progress), maxlen=0)
        if not film.seen.frames_with_face:
            raise no_face(run.input, film.seen, swapper)
        return film.plan()
