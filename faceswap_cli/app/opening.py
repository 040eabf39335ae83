"""Open what a run needs before its first frame: the cluster, the sources' photos, networks, the label."""

from contextlib import AbstractContextManager, nullcontext

from ..extras import load
from ..media.people_file import read_people
from ..media.reader import Clip
from ..options import Options
from ..pipeline import Swapper
from ..shelf import Shelf
from ..stages.bundle import Bundle
from ..stages.label import draw_label
from ..types import Frame, Patch, Role
from .report import Run
from .source_photos import shelved_photos


def reached(options: Options) -> AbstractContextManager[None]:
    """Hold a connection to the cluster whose workers are to swap, if any are; raises UsageError where none answers."""
    if options.ray is None:
        return nullcontext()
    connection: AbstractContextManager[None] = load("faceswap_cli.cluster").connected(options.ray)
    return connection


def read_roles(run: Run, shelf: Shelf | None = None) -> list[Role]:
    """Read the photos of every source unless they are on the shelf; raises what `read_photos` raises."""
    shelf = shelf or Shelf()
    return [Role(shelved_photos(photos, shelf), who) for who, photos in run.cast.items()]


def open_swapper(
    run: Run,
    roles: list[Role],
    bundle: Bundle | None = None,
    label: Patch | None = None,
    shelf: Shelf | None = None,
) -> Swapper:
    """Make ready for the frames of a run; raises what reading people and opening networks raise."""
    people = None if run.options.people is None else read_people(run.options.people, run.input)
    swapper = Swapper(roles, run.options, bundle, people, shelf)
    swapper.label = label
    return swapper


def label_for(picture: Frame | Clip, options: Options) -> Patch | None:
    """Draw the label for pictures of this size, None where none is wanted."""
    if options.label is None:
        return None
    width, height = (picture.width, picture.height) if isinstance(picture, Clip) else picture.rgb.shape[1::-1]
    return draw_label(options.label, width, height)
