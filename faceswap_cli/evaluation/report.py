"""Show an evaluation: a table, JSON, CSV and a contact sheet."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError
from ..media.sheet import save_sheet
from .options import MEASURES
from .score import Evaluation, Row, Value, means

SCHEMA_VERSION = 1
SHEET_COLUMNS = 12

# Figures of published methods on FaceForensics++, as a review of MobileFaceSwap (AAAI 2022) quotes its table.
PUBLISHED = (
    ("DeepFakes", 64, 81.96, 4.14),
    ("FSGAN", 256, 57.34, 3.81),
    ("SimSwap", 224, 92.83, 1.53),
    ("FaceShifter", 256, 97.38, 2.96),
    ("FaceController", 224, 98.27, 2.65),
    ("MobileFaceSwap (SimSwap teacher)", 224, 95.98, 1.32),
    ("MobileFaceSwap (FaceShifter teacher)", 256, 96.10, 1.70),
)
OTHER_DATA = "published figures: other data (FaceForensics++) and other judges than ours; not comparable one to one"


def as_table(evaluation: Evaluation) -> str:
    """Return the measures as text: one line a measure, one column a swap and one for all."""
    columns = [(f"#{number}", row.values) for number, row in enumerate(evaluation.rows, 1)]
    columns.append(("all", means(evaluation.rows)))
    names = [name for name in MEASURES if any(values[name] is not None for _, values in columns)]
    lines = [_legend(number, row) for number, row in enumerate(evaluation.rows, 1)]
    lines += ["", "".join([f"{'':24s}", *(f"{head:>9s}" for head, _ in columns)])]
    lines += [_line(name, [values[name] for _, values in columns]) for name in names]
    return "\n".join([*lines, "", *_published(means(evaluation.rows), evaluation.gallery_size)])


def as_record(evaluation: Evaluation) -> dict[str, Any]:
    """Return everything as a table JSON can hold."""
    return {
        "schema_version": SCHEMA_VERSION,
        "pairs": [_named(row) | row.values for row in evaluation.rows],
        "all": means(evaluation.rows),
        "gallery": evaluation.gallery_size,
        "units": {name: measure.unit for name, measure in MEASURES.items() if measure.unit},
        "notes": list(evaluation.notes),
    }


def write_csv(evaluation: Evaluation, path: Path) -> None:
    """Write one row a swap; raise OutputError where it cannot be written."""
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["source", "target", "result", "self", *MEASURES])
            writer.writeheader()
            writer.writerows(_named(row) | row.values for row in evaluation.rows)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def write_sheet(evaluation: Evaluation, path: Path) -> None:
    """Write a picture of the swaps: source, target and result below each other, a column a swap."""
    columns = [np.vstack(row.thumbnails) for row in evaluation.rows if len(row.thumbnails) == 3]
    save_sheet(columns, SHEET_COLUMNS, path)


def _legend(number: int, row: Row) -> str:
    kind = " (self-swap)" if row.pair.is_self else ""
    return f"#{number:<3d} {row.pair.source.name} in {row.pair.target.name}: {row.pair.result.name}{kind}"


def _line(name: str, values: list[Value]) -> str:
    unit = MEASURES[name].unit
    head = f"{name} [{unit}]" if unit else name
    return f"{head:24s}" + "".join(f"{_cell(value):>9s}" for value in values)


def _cell(value: Value) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return str(value) if isinstance(value, int) else f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def _published(ours: dict[str, Value], gallery: int) -> list[str]:
    """Put the published table beside ours, with what keeps them apart."""
    if ours["retrieval"] is None or ours["pose_l2"] is None:
        return []
    rows = [(name, str(size), f"{found:.2f}", f"{pose:.2f}") for name, size, found, pose in PUBLISHED]
    rows.append(
        (f"this one (gallery of {gallery})", "", f"{100 * float(ours['retrieval']):.2f}", _cell(ours["pose_l2"]))
    )
    head = f"{'':38s}{'size':>5s}{'id %':>8s}{'pose':>8s}"
    return [OTHER_DATA, head, *(f"{name:38s}{size:>5s}{found:>8s}{pose:>8s}" for name, size, found, pose in rows)]


def _named(row: Row) -> dict[str, Any]:
    pair = row.pair
    return {"source": str(pair.source), "target": str(pair.target), "result": str(pair.result), "self": pair.is_self}
