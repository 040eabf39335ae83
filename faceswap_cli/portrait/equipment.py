"""Open all that a swap needs and learn who the sources are, before the first frame.

The bundle's networks, the detector, whom each role is for, and a generator and a fitter of each role's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..media.people_file import People
from ..options import Options
from ..shelf import Shelf
from ..stages.bridge import parsers_consent
from ..stages.bundle import Bundle
from ..stages.cast import Cast, find_cast, roles_of
from ..stages.detect import Detect
from ..stages.hands import HANDS_BACK
from ..stages.likeness import Likeness
from ..stages.locator import Locator
from ..stages.mask import Mask
from ..stages.parse import Parser
from ..stages.paste import Paste
from ..stages.presence import FEATURES_BACK
from ..stages.track import Track
from ..stages.watch import Watch
from ..types import Frame, Role, SourcePhoto
from .finisher import Finisher
from .open_bundle import OpenBundle, RoleStages
from .records import Source


@dataclass(frozen=True, slots=True, eq=False)
class Equipment:
    """What one swap works with; what is kept from frame to frame is in `likeness` and in histories alone."""

    bundle: Bundle
    roles: list[Role]
    sources: list[Source]  # of each role in turn
    cast: Cast  # whom each role is for
    detector: Detect
    parser: Parser | None  # None where the bundle has none
    of_roles: list[RoleStages]  # of each role in turn
    finisher: Finisher
    masker: Mask
    paste: Paste
    reach: int  # frames before one that it depends on
    likeness: Likeness
    corrections: tuple[str, ...]  # names of what is done to portraits; none where the generator is shown none
    notes: list[str]  # for the user

    @property
    def source_quality(self) -> list[dict[str, Any]]:
        """Return how well each photo of every source does; nothing for a generator that is shown no portrait."""
        return [photo.as_record() for source in self.sources for photo in source.photos]

    @property
    def networks(self) -> dict[str, str]:
        """Name the generator, what runs it, and in which precision."""
        network = self.of_roles[0].network
        return {
            "generator": self.bundle.generator.contract.name,
            "engine": network.engine,
            "device": network.device,
            "precision": network.precision,
        }

    def locator(self) -> Locator:
        """Return what finds and follows a clip's faces, and bridges gaps by the parser's consent where there is one."""
        template = self.of_roles[0].generator.template
        consent = None if self.parser is None else parsers_consent(self.parser, template)
        track = Track(self.cast.limit, self.cast.wanted, self.cast.recogniser, consent)
        return Locator(Watch(self.detector), track)


def equip(
    sources: Sequence[SourcePhoto | Frame | Role],
    options: Options,
    bundle: Bundle,
    people: People | None = None,
    shelf: Shelf | None = None,
) -> Equipment:
    """Open what puts sources in, one person's photos or roles; what is on the shelf is not opened again.

    Raises what opening networks, `find_cast`, `find_sources` and `identify` raise.
    """
    shelf = shelf or Shelf()
    roles, opened = roles_of(sources), OpenBundle(bundle, options, shelf)
    detector = opened.detector()
    cast, cast_notes = find_cast([role.who for role in roles], options, people, opened.encoder, detector)
    known = [opened.source(role.photos, detector) for role in roles]
    return Equipment(
        bundle=bundle,
        roles=roles,
        sources=known,
        cast=cast,
        detector=detector,
        parser=opened.parser,
        of_roles=[opened.stages_for(source) for source in known],
        finisher=opened.finisher(),
        masker=opened.masker,
        paste=opened.paste,
        reach=FEATURES_BACK + HANDS_BACK + opened.recipe.reach(opened.masker.history),
        likeness=Likeness(opened.encoder, [source.identity for source in known]),
        corrections=opened.recipe.corrections if opened.landmarks else (),
        notes=opened.notes + cast_notes,
    )
