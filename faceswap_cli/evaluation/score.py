"""Judge swaps: which faces each pair is compared with, and what every measure is, in one table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import NoFaceError, UsageError
from ..stages.detect import open_detector
from . import measures
from .clips import Compared, Examiner, Portrait, Seen, shorter_side, sound_equal
from .judges import Judges, open_judges
from .options import MEASURES, EvaluateOptions, Span

Value = float | bool | int | None
Progress = Callable[[int, int | None], None]

MOST_PSNR = 100.0  # dB shown for equal pictures
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True, slots=True)
class Pair:
    """One swap to judge."""

    source: Path
    target: Path
    result: Path
    is_self: bool = False  # the source is the target's own person: crop_psnr is then the self-swap PSNR


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What was measured of one swap."""

    pair: Pair
    values: dict[str, Value]  # by name of MEASURES; None where it cannot be measured
    thumbnails: tuple[np.ndarray, ...]  # source, target, swap


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All swaps that were judged together."""

    rows: tuple[Row, ...]
    gallery_size: int
    notes: tuple[str, ...]


def evaluate(pairs: list[Pair], options: EvaluateOptions, progress: Progress | None = None) -> Evaluation:
    """Judge swaps; errors of the files themselves are raised before anything is measured."""
    _refuse_missing(pairs)
    judges = open_judges(options.judges)
    examiner = Examiner(judges, open_detector(options.swap.face_pack, options.swap))
    known = _Known(examiner, pairs, options)
    rows = []
    for number, pair in enumerate(pairs, 1):
        compared = examiner.compare(known.targets[pair.target], pair.result, options.span)
        rows.append(_score(pair, compared, known, options.span))
        if progress is not None:
            progress(number, len(pairs))
    return Evaluation(tuple(rows), known.gallery_size if known.galleries else 0, judges.notes)


def means(rows: tuple[Row, ...]) -> dict[str, Value]:
    """Return the mean of every measure over the swaps; for yes/no whether all are, for crop_psnr self-swaps alone."""
    shown: dict[str, Value] = {}
    for name, measure in MEASURES.items():
        chosen = [row for row in rows if _counts(row, name, rows)]
        values = [row.values[name] for row in chosen if row.values[name] is not None]
        if not values:
            shown[name] = None
        elif measure.better == "yes":
            shown[name] = all(values)
        else:
            shown[name] = float(np.mean(np.array(values, float)))
    return shown


class _Known:
    """What all pairs share: sources, targets, the gallery and the usual span of expressions."""

    def __init__(self, examiner: Examiner, pairs: list[Pair], options: EvaluateOptions) -> None:
        self.judges = examiner.judges
        self.sources = {path: examiner.source(path) for path in dict.fromkeys(pair.source for pair in pairs)}
        self.targets = {
            path: examiner.target(path, options.span) for path in dict.fromkeys(pair.target for pair in pairs)
        }
        # The source of a self-swap is its target's own person, who is in the gallery already.
        self.known_sources = list(dict.fromkeys(pair.source for pair in pairs if not pair.is_self))
        self.others = _see_gallery(examiner, options.gallery)
        self.span = measures.usual_span(
            np.concatenate([measures.apertures(stack(seen.meshes)) for seen in self.targets.values()])
        )
        self.gallery_size = len(self.known_sources) + len(self.targets) + len(self.others)
        self.galleries = {kind: self._gallery(kind) for kind in self._kinds()}

    def _kinds(self) -> list[str]:
        """Return which vectors there are: those whose judge is there."""
        judges = {"embedding": self.judges.face, "descriptor": self.judges.dlib}
        return [kind for kind, judge in judges.items() if judge is not None]

    def _gallery(self, kind: str) -> np.ndarray:
        """Stack the faces (G, D) a swap may be taken for: sources, then targets, then the others."""
        sources = [getattr(self.sources[path], kind) for path in self.known_sources]
        targets = [np.nanmean(stack(getattr(seen, f"{kind}s")), axis=0) for seen in self.targets.values()]
        return np.stack([*sources, *targets, *(getattr(other, kind) for other in self.others)])

    def rows(self, pair: Pair) -> tuple[int, int]:
        """Return which rows of the gallery are a pair's source and target."""
        return self.known_sources.index(pair.source), len(self.known_sources) + list(self.targets).index(pair.target)


def _score(pair: Pair, compared: Compared, known: _Known, span: Span) -> Row:
    target, seen, judges = known.targets[pair.target], compared.seen, known.judges
    source = known.sources[pair.source]
    values: dict[str, Value] = {
        "frames": seen.frames,
        "timestamps_equal": compared.timestamps_equal,
        "sound_equal": sound_equal(pair.target, pair.result, span.whole),
        "crop_psnr": _psnr(compared.crop_errors),
        "outside_psnr": _psnr(compared.outside_errors),
        "detection_kept": measures.detection_kept(_found(target), _found(seen)),
        "flicker": _flicker(compared),
        "pops": measures.pops(np.array(compared.pops)),
        "source_face": source.size,
        "target_face": float(np.mean([shorter_side(faces[0]) for faces in target.faces if faces])),
    }
    values |= _identity(source.embedding, target, seen, judges) | _distances(source.descriptor, target, seen, judges)
    if not pair.is_self:
        values |= _nearest(pair, seen, known)
    values |= _shape(target, seen, known.span)
    if not compared.flicker:  # frames apart do not tremble
        values["jitter"] = None
    ordered = {name: _or_none(values.get(name)) for name in MEASURES}
    return Row(pair, ordered, (source.thumbnail, *(compared.thumbnails or ())))


def _identity(source: np.ndarray, target: Seen, seen: Seen, judges: Judges) -> dict[str, Value]:
    if judges.face is None:
        return {}
    before, after = stack(target.embeddings), stack(seen.embeddings)
    near, far = measures.cosine(after, source), measures.cosine(before, source)
    share = measures.share_of_same_person(near, judges.same_person) if judges.same_person else None
    return {
        "cosine_source": near,
        "cosine_before": far,
        "cosine_gain": measures.identity_gain(far, near),
        "cosine_target": measures.cosine(after, before),
        "same_person_share": share,
    }


def _distances(source: np.ndarray, target: Seen, seen: Seen, judges: Judges) -> dict[str, Value]:
    if judges.dlib is None:
        return {}
    before, after = stack(target.descriptors), stack(seen.descriptors)
    return {
        "dlib_distance": measures.distance(after, source),
        "dlib_distance_target": measures.distance(after, before),
    }


def _nearest(pair: Pair, seen: Seen, known: _Known) -> dict[str, Value]:
    """Tell how often a swap is taken for its source, and how often still for its target, by either judge."""
    (source, target), found = known.rows(pair), dict[str, Value]()
    if "embedding" in known.galleries:
        given, gallery = stack(seen.embeddings), known.galleries["embedding"]
        found["retrieval"] = measures.retrieval(given, source, gallery)
        found["still_target"] = measures.retrieval(given, target, gallery)
    if "descriptor" in known.galleries:
        given, gallery = stack(seen.descriptors), known.galleries["descriptor"]
        found["dlib_retrieval"] = measures.retrieval_by_distance(given, source, gallery)
        found["dlib_target"] = measures.retrieval_by_distance(given, target, gallery)
    return found


def _shape(target: Seen, seen: Seen, span: np.ndarray) -> dict[str, Value]:
    """Measure pose, expression, gaze and the trembling of the mesh."""
    angles = stack(target.angles), stack(seen.angles)
    meshes = stack(target.meshes), stack(seen.meshes)
    apertures = [measures.apertures(mesh) for mesh in meshes]
    widths = np.array([faces[0].box[2] - faces[0].box[0] if faces else np.nan for faces in target.faces])
    return {
        "pose_degrees": measures.pose_error(*angles),
        "pose_l2": measures.pose_distance(*angles),
        "expression": measures.expression_error(apertures[0], apertures[1], span),
        "gaze": measures.gaze_error(stack(target.irises), stack(seen.irises)),
        "jitter": measures.relative(measures.jitter(meshes[1], widths), measures.jitter(meshes[0], widths)),
    }


def stack(rows: list[np.ndarray]) -> np.ndarray:
    """Stack rows of one length; a shorter row stands for none and becomes NaN."""
    length = max(len(row) for row in rows)
    return np.stack([row if len(row) == length else np.full((length, *row.shape[1:]), np.nan) for row in rows])


def _flicker(compared: Compared) -> float | None:
    if not compared.flicker:
        return None
    own, swapped = np.mean(compared.flicker, axis=0)
    return measures.relative(swapped, own)


def _psnr(squared_errors: list[float]) -> float:
    """Return what is shown: that of equal pictures is endless, which JSON cannot hold."""
    return min(measures.psnr(np.array(squared_errors)), MOST_PSNR)


def _found(seen: Seen) -> np.ndarray:
    return np.array([bool(faces) for faces in seen.faces])


def _or_none(value: Value) -> Value:
    """Turn what cannot be measured into None."""
    if value is None or isinstance(value, bool | int):
        return value
    return None if np.isnan(value) else float(value)


def _counts(row: Row, name: str, rows: tuple[Row, ...]) -> bool:
    """Tell whether a swap enters a mean: self-swaps say how well a face is kept, the others how well it is changed."""
    if not any(each.pair.is_self for each in rows) or all(each.pair.is_self for each in rows):
        return True
    if MEASURES[name].better == "yes" or name in ("outside_psnr", "frames"):
        return True
    return row.pair.is_self == (name == "crop_psnr")


def _refuse_missing(pairs: list[Pair]) -> None:
    for pair in pairs:
        for role in ("source", "target", "result"):
            path = getattr(pair, role)
            if not path.is_file():
                raise UsageError(f"no such {role}: {path}")


def _see_gallery(examiner: Examiner, folder: Path | None) -> list[Portrait]:
    """Look at the photos in a folder; those without a face are passed over."""
    seen = []
    for path in sorted(folder.rglob("*")) if folder else []:
        if path.suffix.lower() in PICTURES:
            try:
                seen.append(examiner.source(path))
            except NoFaceError:
                continue
    return seen
