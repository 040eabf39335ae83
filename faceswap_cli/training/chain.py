"""From pictures to a painter: `faceswap train` makes what the painter learns from, then trains it.

Raw pictures become packs of faces, faces become triplets, triplets teach (generator/painter.py); --data may begin with
any of the three. What is made lies in the run's folder, beside `stages.json`, which says of what and how much. Every
stage goes on where it broke off, and ends with the same rows and weights.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..errors import UsageError
from ..store import models
from .core.checkpoint import LAST
from .core.options import PrepareOptions, TrainOptions, TripletOptions
from .core.parallel import several
from .core.run import check_free, device_of
from .core.watch import Moment, counted
from .core.workers import cores
from .data.pack import is_pack
from .data.prepare import cache_of, in_words, prepare
from .data.table import open_table
from .data.triplet_pack import are_triplets
from .data.triplets import make_triplets
from .export import export
from .generator import painter
from .generator.painter_state import begun

STAGES, FACES, TRIPLETS, START = "stages.json", "faces", "triplets", "start.onnx"
LEARNT = 8  # times a run sees a row; `lite` saw each of its own 5.5 times
OF_A_FACE = 6  # rows; `lite` learnt from 24,000 of 3,872 faces
FEWEST = 64  # rows
PICTURES_A_ROW, FEWEST_PICTURES = 2, 1000  # that are taken of a raw folder: a row shows two faces, donors serve many
LARGER = 4 / 3  # sides of a row's pictures, in sides of what is painted
SECONDS = 0.25  # of a core, that a row takes: what is told beforehand
PACE = 4.0  # images a second that a core learns from: how far minutes reach is told by it
ROWS_A_WORKER = 32  # for which a process more is worth its start


@dataclass(frozen=True, slots=True)
class Stages:
    """What a run's triplets are made of: settled when it begins, kept when it goes on."""

    data: list[str]
    size: int  # side in pixels at which the painter paints
    seed: int
    init_from: str | None
    pictures: int  # that are taken of a raw folder, at most
    triplets: int | None = None  # None: not known before the faces are counted
    made: bool = False


def train(options: TrainOptions) -> None:
    """Make triplets of the folders of `options.data` where they hold none, then train a painter on them.

    Raises UsageError for what does not belong together, and for a folder that was begun with something else, before
    anything is made.
    """
    if options.sources:
        raise UsageError("--sources is for --network simswap: a painter's sources are other photos of --data")
    if not are_triplets(options.data):
        _train_on_faces(options)
        return
    _say(options, "steps", _where(options))
    painter.train(options)


def rows_of(options: TrainOptions, faces: int) -> int:
    """Return how many triplets are made of so many faces, where nothing says how many."""
    return max(FEWEST, min(_learnt(options), OF_A_FACE * faces))


def workers_for(rows: int, threads: int) -> int:
    """Return how many processes make so many triplets."""
    return max(1, min(threads, rows // ROWS_A_WORKER))


def _learnt(options: TrainOptions) -> int:
    """Return how many rows a run can learn.

    Minutes alone count as the usual steps, on a CPU as far as they reach: rows that are never learnt from would take
    longer to make than the training lasts.
    """
    images = (options.steps or painter.STEPS) * (options.batch or painter.BATCH)
    if options.steps is None and options.minutes is not None and device_of(options).type == "cpu":
        images = min(images, round(60 * options.minutes * PACE * (options.threads or cores())))
    return images // LEARNT


def _train_on_faces(options: TrainOptions) -> None:
    check_free(options)
    kept = _kept(options.output)
    if kept is not None:
        options = _going_on(options, kept)
    elif options.resume and (options.output / LAST).is_file():
        raise UsageError(f"{options.output} was begun with triplets as --data, not with faces: give them again")
    settings, state, worker = begun(options)  # what cannot be trained is refused before hours are spent
    stages = _stages(options, state.painter.network.working, kept)
    if not stages.made:
        if several():
            raise UsageError(
                f"{options.data[0]} holds no triplets: make them with `faceswap triplets`, or with this command in one "
                "process, before several workers train"
            )
        _make(options, stages)
    _say(options, "steps", _where(options))
    painter.run_painter(replace(options, data=(options.output / TRIPLETS,)), settings, state, worker)


def _going_on(options: TrainOptions, kept: Stages) -> TrainOptions:
    """Return the options of a run that broke off: before its first checkpoint it begins as it had begun."""
    if (options.output / LAST).is_file():
        return options
    began = None if kept.init_from is None else Path(kept.init_from)
    return replace(options, resume=False, init_from=options.init_from or began)


def _stages(options: TrainOptions, working: int, kept: Stages | None) -> Stages:
    """Return what triplets a painter that paints at `working` pixels a side is to have.

    Raises UsageError where the run was begun with others.
    """
    told = Stages(
        data=[str(folder.resolve()) for folder in options.data],
        size=working,
        seed=options.seed,
        init_from=None if options.init_from is None else str(options.init_from),
        pictures=max(FEWEST_PICTURES, PICTURES_A_ROW * (options.triplets or _learnt(options))),
        triplets=options.triplets,
    )
    if kept is None:
        return told
    for name in ("data", "size", "seed", "init_from", "triplets"):
        before, now = getattr(kept, name), getattr(told, name)
        if before != now and (now is not None or name not in ("init_from", "triplets")):
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{options.output} was begun with {flag} {before}, not {now}: choose another --output")
    return kept


def _make(options: TrainOptions, stages: Stages) -> None:
    """Make a run's triplets, and before them the faces of its raw pictures."""
    options.output.mkdir(parents=True, exist_ok=True)
    _keep(options.output, stages)
    packs = tuple(folder if is_pack(folder) else _faces(folder, options, stages) for folder in options.data)
    faces = sum(len(open_table(pack)) for pack in packs)
    count = stages.triplets or rows_of(options, faces)
    told = TripletOptions(
        data=packs,
        output=options.output / TRIPLETS,
        count=count,
        size=_side(stages),
        model=_model(options),
        workers=workers_for(count, options.threads or cores()),
        seed=options.seed,
    )
    _keep(options.output, replace(stages, triplets=count))
    _say(options, "rows", _plan_in_words(told, faces))
    outcomes = make_triplets(told, counted(options.watch, "rows", of="rows"))
    _say(options, "rows", f"triplets: {made_in_words(outcomes)}")
    _keep(options.output, replace(stages, triplets=count, made=True))


def _faces(folder: Path, options: TrainOptions, stages: Stages) -> Path:
    """Return the pack of a raw folder, made as far as it was not yet."""
    pack = options.output / FACES / cache_of(folder, options).name
    told = PrepareOptions(
        size=max(PrepareOptions().size, _side(stages)),
        face_pack=options.face_pack,
        most=stages.pictures,
        threads=options.threads,
    )
    _say(options, "pictures", f"faces: those of {folder}, of up to {stages.pictures} of its pictures, go to {pack}")
    report = prepare(folder, pack, told, counted(options.watch, "pictures", of="pictures"))
    _say(options, "pictures", f"faces: {in_words(report)}")
    return pack


def _side(stages: Stages) -> int:
    """Return the side of a row's pictures in pixels."""
    return round(LARGER * stages.size)


def _model(options: TrainOptions) -> str:
    """Return what swaps in triplets: the painter a run begins with, or the shipped one."""
    if options.init_from is None:
        return TripletOptions(data=()).model
    if models.file_of(options.init_from).suffix.lower() == ".onnx":
        return str(options.init_from)
    start = options.output / START
    return str(start if start.is_file() else export(options.init_from, start))


def _plan_in_words(told: TripletOptions, faces: int) -> str:
    """Say how many triplets are made, of what, where, and how long it takes."""
    last = _lasting(told.count * SECONDS / told.workers / 60)
    return (
        f"triplets: {told.count} rows of {faces} faces, swapped by {told.model}, go to {told.output}; about {last} "
        f"with {told.workers} of the cores (--triplets N makes another number)"
    )


def _lasting(minutes: float) -> str:
    if minutes >= 90:
        return f"{minutes / 60:.1f} hours"
    return f"{round(minutes)} minutes" if minutes >= 1.5 else "a minute"


def made_in_words(outcomes: dict[str, int]) -> str:
    """Say what became of rows: how many are learnt from, and why the others were left out."""
    left = ", ".join(f"{count} {why}" for why, count in outcomes.items() if why not in ("triplets", "pairs"))
    made = f"{outcomes.get('triplets', 0)} with an answer, {outcomes.get('pairs', 0)} without"
    return f"{made}; left out: {left}" if left else made


def _where(options: TrainOptions) -> str:
    return f"painter: losses and measures go to {options.output / 'log.csv'}, pictures beside it"


def _say(options: TrainOptions, unit: str, line: str) -> None:
    options.watch(Moment(unit, 0, found=line))


def _kept(run: Path) -> Stages | None:
    """Return what a run's triplets were begun with; raise UsageError where the file was damaged."""
    path = run / STAGES
    if not path.is_file():
        return None
    try:
        return Stages(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error}): choose another --output") from error


def _keep(run: Path, stages: Stages) -> None:
    partial = run / f"{STAGES}.part"
    partial.write_text(json.dumps(asdict(stages), indent=1) + "\n", encoding="utf-8")
    partial.replace(run / STAGES)
