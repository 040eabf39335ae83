"""What the swapping commands show when they are done."""

from typing import TYPE_CHECKING, Any

from ..errors import LeftError
from .terminal import Progress, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..app.swap import Result
    from ..parts.plan_file import TrackPlan
    from ..stages.hindsight import Left


# Below the threshold lies mostly what is no face; where it is worth a word, a note says it.
SKIPPED = {
    "smaller_than_min_face": "smaller than --min-face",
    "not_chosen": "not chosen",
    "turned_away": "turned further than --max-turn",
    "no_face": "without eyes, brows or a mouth",
    "nothing_to_paste": "hidden or outside the picture",
}

MOST_LEFT = 3  # stretches that the last line names


def show_result(terminal: Terminal, result: "Result", as_json: bool, strict: bool = False) -> None:
    """Print the output's path (or the report as JSON), and to stderr what the user should know about it.

    Raises LeftError, behind all of it, where `strict` and somebody was left, or swapped and not meant, or no swap took.
    """
    if terminal.verbose:
        terminal.note(", ".join(f"{key} {result.report[key]}" for key in ("generator", "engine", "device")))
    for note in result.notes:
        terminal.note(note)
    terminal.note(summary(result))
    terminal.result(result.output, result.report, as_json)
    undone = _undone(result)
    if strict and undone:
        raise LeftError(
            f"{'; '.join(undone)}; the result is written, --strict asked for all who are meant and nobody else"
        )


def telling_of_earlier_work(terminal: Terminal, progress: Progress) -> Progress:
    """Say that a run goes on with an earlier one's work: then it begins with more than the first frame."""
    begun = False

    def show(done: int, total: int | None) -> None:
        nonlocal begun
        if not begun and done > 1:
            terminal.note(f"goes on behind {done} frames that an earlier run finished")
        begun = True
        progress(done, total)

    return show


def summary(result: "Result") -> str:
    """Say in one line what was done, what was left and why, how like the source the faces became, and how fast."""
    words = [*_told_frames(result), _told_swapped(result)]
    counts = result.report["faces_skipped"]
    left = [f"{counts[reason]} {words}" for reason, words in SKIPPED.items() if counts[reason]]
    words += [f"left: {', '.join(left)}"] if left else []
    words += _told_stretches(result) if _is_clip(result) else []
    likeness = result.report["likeness"]
    if likeness is not None:
        words.append(f"likeness to the source {likeness['before']:.2f} -> {likeness['after']:.2f}")
    return ", ".join([*words, f"{result.seconds:.1f} s", *_told_pace(result)])


def _undone(result: "Result") -> list[str]:
    """Say that no swap took, as far as faces were looked at, who was left, and who was swapped and not meant."""
    likeness = result.report["likeness"]
    took = likeness is None or likeness["hardly_changed"] < likeness["faces"]
    return [*([] if took else ["the swap did not take"]), *_told_stretches(result)]


def _told_stretches(result: "Result") -> list[str]:
    """Say who was in sight and not swapped, and who was and is not meant, when and why: the longest stretches."""
    books = (("in sight and not swapped", result.left), ("swapped and not meant", result.unmeant))
    return [f"{what}: {_told_longest(result, stretches)}" for what, stretches in books if stretches]


def _told_longest(result: "Result", stretches: "Sequence[Left]") -> str:
    longest = sorted(stretches, key=lambda each: (-each.frames, each.first))[:MOST_LEFT]
    told = [_told_stretch(result, each) for each in sorted(longest, key=lambda each: each.first)]
    more = len(stretches) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _told_stretch(result: "Result", left: "Left") -> str:
    who = result.report["people"][left.role]["who"]
    times = f"{left.first:.2f} s" if left.frames == 1 else f"{left.first:.2f}-{left.last:.2f} s"
    return f"{who + ' ' if who else ''}{times} ({left.why})"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _told_frames(result: "Result") -> list[str]:
    """Count a clip's frames; a photo has none."""
    if not _is_clip(result):
        return []
    kept = result.report["resumed_frames"]
    return [_counted(result.frames, "frame") + (f" ({kept} of them by an earlier run)" if kept else "")]


def _told_swapped(result: "Result") -> str:
    """Count the faces swapped; those on which the swap did not take are none, as far as they were looked at."""
    likeness = result.report["likeness"] or {"faces": 0, "hardly_changed": 0}
    seen, unchanged = likeness["faces"], likeness["hardly_changed"]
    if unchanged == 0:
        return _counted(result.faces_swapped, "face") + " swapped"
    if unchanged == seen:
        return _counted(result.faces_swapped, "face") + " hardly changed"
    if _is_clip(result):
        return f"{_counted(result.faces_swapped, 'face')} swapped ({unchanged} of {seen} looked at hardly changed)"
    return f"{_counted(result.faces_swapped - unchanged, 'face')} swapped, {unchanged} hardly changed"


def _told_pace(result: "Result") -> list[str]:
    """Tell how fast a clip went, by the frames of this run."""
    if not _is_clip(result):
        return []
    return [f"{(result.frames - result.report['resumed_frames']) / max(result.seconds, 1e-3):.1f} frames/s"]


def _is_clip(result: "Result") -> bool:
    return "codec" in result.report


def show_tracks(terminal: Terminal, plan: "TrackPlan", as_json: bool) -> None:
    """Print the path of a plan of tracks; to stderr, or as JSON, who is swapped by it."""
    people = [{"name": each.name, "swap": each.swap, "source": each.source} for each in plan.people]
    swapped = [each.name for each in plan.people if each.swap]
    terminal.note(f"{plan.frame_count} frames, {_counted(len(people), 'face')} followed; swapped: {', '.join(swapped)}")
    terminal.result(plan.path, {"plan": str(plan.path), "frames": plan.frame_count, "people": people}, as_json)


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
