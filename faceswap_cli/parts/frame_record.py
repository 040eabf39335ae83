"""A frame of a plan as JSON: single floats are written so short that they come back as the same bits.

While a plan is made, or a run goes on, more is kept of a frame than its plan says: `located_record`.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from ..types import Face, PassedOver
from .records import PlannedFrame


def frame_record(frame: PlannedFrame, seconds: float) -> dict[str, Any]:
    """Return a frame's record; `seconds`, after the clip's first picture, are for those who read it."""
    chosen = [_face_record(face) | {"source": face.role} for face in frame.chosen]
    others = [_face_record(face) | {"source": None} for face in frame.others]
    return {
        "frame": frame.index,
        "pts": frame.pts,
        "seconds": round(seconds, 3),
        "faces": [*chosen, *others],
        "passed_over": [{"why": each.why} | _place_record(each.face) for each in frame.passed_over],
    }


def frame_of(record: dict[str, Any]) -> PlannedFrame:
    """Return the frame a record tells of; raises KeyError, ValueError or TypeError for one with holes."""
    index, pts = record["frame"], record["pts"]
    if type(index) is not int or type(pts) is not int:
        raise ValueError(f"its number and pts are {index!r} and {pts!r}: give whole numbers")
    faces = [(_face(each), each["source"]) for each in record["faces"]]
    for _, source in faces:
        if source is not None and (type(source) is not int or source < 0):
            raise ValueError(f"a face's source is {source!r}: give null or a number")
    return PlannedFrame(
        index,
        pts,
        tuple(
            Face(face.box, face.points, face.score, face.track, source) for face, source in faces if source is not None
        ),
        tuple(face for face, source in faces if source is None),
        tuple(PassedOver(_placed(each), str(each["why"])) for each in record["passed_over"]),
    )


def located_record(frame: PlannedFrame, seconds: float) -> dict[str, Any]:
    """Return a frame's record with its shot and who those in sight are taken for."""
    return frame_record(frame, seconds) | {"shot": frame.shot, "known": [*frame.known.items()]}


def located_of(record: dict[str, Any]) -> PlannedFrame:
    """Return the frame such a record tells of; raises what `frame_of` raises."""
    return replace(frame_of(record), shot=record["shot"], known=dict(record["known"]))


def _face_record(face: Face) -> dict[str, Any]:
    return {"track": face.track} | _place_record(face)


def _place_record(face: Face) -> dict[str, Any]:
    return {"score": float(face.score), "box": _short(face.box), "points": _short(face.points)}


def _short(values: np.ndarray) -> list[float]:
    """Return single floats as the shortest decimals that give the same bits."""
    return [float(str(value)) for value in values.astype(np.float32).ravel()]


def _face(record: dict[str, Any]) -> Face:
    track, face = record["track"], _placed(record)
    if type(track) is not int or track < 0:
        raise ValueError(f"a face's track is {track!r}: give a number")
    if not (face.box[2:] > face.box[:2]).all():
        raise ValueError(f"a face's box is {face.box.tolist()}: give x0, y0, x1, y1 with room between them")
    return replace(face, track=track)


def _placed(record: dict[str, Any]) -> Face:
    box, points = np.array(record["box"], np.float32), np.array(record["points"], np.float32)
    if box.shape != (4,) or points.shape != (10,) or not np.isfinite([*box, *points]).all():
        raise ValueError("a face's box has 4 numbers and its points have 10")
    return Face(box, points.reshape(5, 2), float(record["score"]))
