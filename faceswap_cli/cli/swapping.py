"""What the swapping commands show when they are done."""

from typing import TYPE_CHECKING, Any

from .terminal import Terminal

if TYPE_CHECKING:
    from ..api import Result


SKIPPED = {
    "smaller_than_min_face": "smaller than --min-face",
    "below_det_threshold": "below --det-threshold that may be faces",
    "not_chosen": "not chosen by --faces",
    "nothing_to_paste": "hidden or outside the picture",
}


def show_result(terminal: Terminal, result: "Result", as_json: bool) -> None:
    """Print the output's path (or the report as JSON), and to stderr what the user should know about it."""
    if terminal.verbose:
        terminal.note(", ".join(f"{key} {result.report[key]}" for key in ("generator", "engine", "device")))
    for note in result.notes:
        terminal.note(note)
    terminal.note(summary(result))
    terminal.result(result.output, result.report, as_json)


def summary(result: "Result") -> str:
    """Say in one line what was done, what was left and why, how like the source the faces became, and how fast."""
    words = [f"{result.frames} frames, {result.faces_swapped} faces swapped"]
    left = [f"{count} {SKIPPED[reason]}" for reason, count in result.report["faces_skipped"].items() if count]
    words += [f"left: {', '.join(left)}"] if left else []
    likeness = result.report["likeness"]
    if likeness is not None:
        words.append(f"likeness to the source {likeness['before']:.2f} -> {likeness['after']:.2f}")
    new_frames = result.frames - result.report.get("resumed_frames", 0)
    pace = f"{new_frames / max(result.seconds, 1e-3):.1f} frames/s"
    return ", ".join([*words, f"{result.seconds:.1f} s", pace])


def show_plan(terminal: Terminal, plan: dict[str, Any], as_json: bool) -> None:
    """Print what a run would do, as lines or as JSON; nothing was written."""
    for note in plan["notes"]:
        terminal.note(note)
    lines = [_clip_line(plan), _output_line(plan), *_track_lines(plan), *_begin_lines(plan)]
    lines.append(_estimate_line(plan["estimate"]))
    terminal.result("\n".join(lines), plan, as_json)


def _clip_line(plan: dict[str, Any]) -> str:
    if "photo" in plan:
        return f"input     {plan['input']}: {plan['photo']['width']} x {plan['photo']['height']}"
    clip = plan["clip"]
    size = f"{clip['width']} x {clip['height']}"
    kind = f"{clip['codec']}, {clip['pixel_format']}"
    return f"input     {plan['input']}: about {clip['frames']} frames, {clip['seconds']:.1f} s, {size}, {kind}"


def _output_line(plan: dict[str, Any]) -> str:
    if "photo" in plan:
        return f"output    {plan['output']}: {plan['faces_swapped']} of {plan['faces_found']} faces swapped"
    return f"output    {plan['output']}: {plan['container']}, {plan['codec']}, {plan['pixel_format']}"


def _track_lines(plan: dict[str, Any]) -> list[str]:
    tracks = plan.get("tracks", {})
    words = {"carried": "carried  ", "left_out": "left out "}
    return [f"{words[fate]} {track}" for fate, names in tracks.items() for track in names]


def _begin_lines(plan: dict[str, Any]) -> list[str]:
    if "begins" not in plan:
        return []
    done, why = plan["begins"]["frames"], plan["begins"]["why_afresh"]
    if done:
        return [f"resumes   behind {done} of about {plan['clip']['frames']} frames, finished by an earlier run"]
    return [f"begins    afresh: {why}"]


def _estimate_line(estimate: dict[str, Any]) -> str:
    size = "size unknown" if estimate["bytes"] is None else f"{estimate['bytes'] / 1e6:.2f} MB"
    return f"estimate  {estimate['seconds']:.0f} s, {size} (from {estimate['from']})"
