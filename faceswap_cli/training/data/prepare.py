"""Turn a folder of pictures into a pack of aligned faces (`faceswap prepare`).

Every picture is looked at once: its largest face is brought to SimSwap's frontal template, or the picture is dropped
and the reason kept. The person is the picture's folder, unless an `identities.tsv` (image, identity) in it or above
says better. A `masks` folder of 19-class colour maps (CelebAMask's colours) beside the pictures is carried along.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...errors import UsageError
from ..core.digests import digest
from ..core.options import PrepareOptions, TrainOptions
from ..core.parallel import several
from ..core.watch import Moment, counted
from ..core.workers import cores, spread
from .aligner import Aligned, Aligner
from .pack import INDEX, SEEN, PackWriter, is_pack, last_line, read_lines
from .pictures import Draw, People, Seen, walk
from .table import open_table

WORTH = 16  # pictures for which a process more is worth its start


@dataclass(frozen=True, slots=True)
class PrepareReport:
    """What became of the pictures of one folder."""

    kept: int
    people: int
    outcomes: dict[str, int]  # reason -> pictures, "kept" among them; earlier runs on the same pack included


def prepare(
    source: Path,
    output: Path,
    options: PrepareOptions,
    progress: Callable[[int, int], None] | None = None,
) -> PrepareReport:
    """Write the pack of a folder of pictures, going on where an earlier run stopped.

    Pictures are looked at in processes, one for each core; the pack is the same whatever their number.
    """
    if not source.is_dir():
        raise UsageError(f"{source} is not a folder: --input takes a folder of pictures, one folder per person")
    people, seen = People(source), Seen(_names_in(output))
    taken, total = _drawn(source, people, options.most)
    left = (path for path in taken if people.name(path) not in seen)
    processes = _processes(options.threads, total - len(seen))
    with PackWriter(output) as pack:
        for done, (path, found) in enumerate(spread(partial(Aligner, options), left, processes), len(seen) + 1):
            name = people.name(path)
            if isinstance(found, Aligned):
                pack.add_encoded(found.crop, found.label, found.about | {"source": name, "person": people.of(path)})
            pack.seen(name, found if isinstance(found, str) else "kept")
            if progress is not None:
                progress(done, total)
    return _report(output)


def _drawn(source: Path, people: People, most: int | None) -> tuple[Iterator[Path], int]:
    """Return the pictures of a folder, about so many at most, and how many; raise UsageError where there are none."""
    pictures, persons = 0, set()
    for path in walk(source):
        pictures += 1
        if most is not None:
            persons.add(people.of(path))
    if not pictures:
        raise UsageError(f"no pictures under {source}: --input takes a folder of jpg, png, webp, bmp or tiff files")
    if most is None or pictures <= most:
        return walk(source), pictures
    draw = Draw(pictures, len(persons), most)
    taken = [path for path in walk(source) if draw.takes(people.name(path), people.of(path))]
    return iter(taken), len(taken)


def _names_in(pack: Path) -> Iterator[str]:
    """Yield the names of the pictures that were looked at; of the last one kept, that may not have been noted."""
    yield from (row["source"] for row in read_lines(pack / SEEN))
    last = last_line(pack / INDEX)
    if last is not None:
        yield last["source"]


def _processes(told: int | None, pictures: int) -> int:
    """Return how many processes look at so many pictures."""
    return max(1, min(told or cores(), -(-pictures // WORTH)))


def _report(output: Path) -> PrepareReport:
    table = open_table(output)
    outcomes = Counter(row["outcome"] for row in read_lines(output / SEEN))
    return PrepareReport(len(table), len(table.people), dict(outcomes))


def packed(folder: Path, options: TrainOptions) -> Path:
    """Return the pack of a training folder, preparing raw pictures into a cache beside the run first."""
    if is_pack(folder):
        return folder
    if several():
        raise UsageError(f"{folder} holds raw pictures: let `faceswap prepare` align them before several workers train")
    cache = cache_of(folder, options)
    side = max(PrepareOptions().size, options.size or 0)
    told = PrepareOptions(size=side, face_pack=options.face_pack, threads=options.threads)
    report = prepare(folder, cache, told, counted(options.watch, "pictures", of="pictures"))
    pictures = sum(report.outcomes.values())
    options.watch(Moment("pictures", pictures, pictures, found=f"{cache} holds {in_words(report)}"))
    return cache


def cache_of(folder: Path, options: TrainOptions) -> Path:
    """Return where the pack of a raw folder lies: folders of one name have packs of their own, larger crops too."""
    where = digest(str(folder.resolve()), [])[:8]
    larger = f"-{options.size}" if (options.size or 0) > PrepareOptions().size else ""
    return options.output.parent / f"{folder.resolve().name}-{where}{larger}-pack"


def in_words(report: PrepareReport) -> str:
    """Say how many faces were kept, and why pictures were dropped."""
    dropped = {reason: count for reason, count in report.outcomes.items() if reason != "kept"}
    why = f"; dropped: {', '.join(f'{count} {reason}' for reason, count in dropped.items())}" if dropped else ""
    return f"{report.kept} faces of {report.people} people{why}"
