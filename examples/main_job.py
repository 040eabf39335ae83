"""Swap three people into three clips, swap each clip's own person into it, and judge all of it in one table.

    FACESWAP_DATA=... python examples/main_job.py --output results

Real photos, clips and judges are read below FACESWAP_DATA. The exit code is 1 when a bar is missed. Bars: same frames,
timestamps and sound; cosine to the source at least 0.10 higher than before on average and higher in each; self-swap
PSNR 26 dB; face still found in 99 % of the frames; pose within 3 degrees; outside the face 45 dB in the median and 42
in the worst clip.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from faceswap_cli import Options
from faceswap_cli.errors import FaceSwapError
from faceswap_cli.evaluation.options import EvaluateOptions, JudgeFiles
from faceswap_cli.evaluation.pairs import make_self_swaps, make_swaps
from faceswap_cli.evaluation.report import as_table, write_csv, write_sheet
from faceswap_cli.evaluation.score import Evaluation, Row, evaluate

DATA = Path(os.environ.setdefault("FACESWAP_DATA", str(Path(__file__).resolve().parents[2] / "shared" / "data")))
CLIPS = ("vr_1.mp4", "vr_4.mp4", "lp_d20.mp4")  # 135, 199, 175 frames; 700, 700, 480 px square; all with sound
SOURCES = ("public_domain/astronaut_collins_nasa.png", "face_recognition/alex-lacamoire.png", "deepface/img21.jpg")


def main() -> int:
    """Make, judge, print; return the exit code."""
    arguments = parse()
    arguments.output.mkdir(parents=True, exist_ok=True)
    try:
        evaluation = judge(arguments)
    except FaceSwapError as error:
        print(f"main_job: {error}", file=sys.stderr)
        return error.exit_code
    print(as_table(evaluation), *evaluation.notes, sep="\n")
    write_csv(evaluation, arguments.output / "main_job.csv")
    write_sheet(evaluation, arguments.output / "main_job.png")
    bars = check(evaluation)
    print("", *(f"{'passed' if passed else 'MISSED':8s}{bar}" for bar, passed in bars), sep="\n")
    return 0 if all(passed for _, passed in bars) else 1


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("main-job"), help="folder for swaps, table and sheet")
    parser.add_argument("--clips", type=Path, nargs="+", default=[DATA / "clips" / name for name in CLIPS])
    parser.add_argument("--sources", type=Path, nargs="+", default=[DATA / "photos" / name for name in SOURCES])
    parser.add_argument("--model", default=Options().model, help="catalogue name or a generator's ONNX file")
    parser.add_argument("--face-pack", type=Path, help="folder with a detector instead of the embedded one")
    parser.add_argument("--judge-pack", type=Path, help="folder with the judging detector; --face-pack without it")
    parser.add_argument("--end", type=Fraction, help="seconds of each clip that are used; all without it")
    parser.add_argument("--threads", type=int, help="CPU threads; all cores without it")
    parser.add_argument("--reuse", action="store_true", help="judge the swaps that are in --output, make the others")
    return parser.parse_args()


def judge(arguments: argparse.Namespace) -> Evaluation:
    """Make what is missing and judge everything."""
    options = Options(
        model=arguments.model,
        face_pack=arguments.face_pack,
        threads=arguments.threads,
        end=arguments.end,
        force=not arguments.reuse,
    )
    wanted = [(source, clip) for clip in arguments.clips for source in arguments.sources]
    pairs = make_swaps(wanted, arguments.output, options, arguments.reuse, told("swaps"))
    pairs += make_self_swaps(arguments.clips, arguments.output, options, arguments.reuse)
    judging = EvaluateOptions(
        judges=JudgeFiles(threads=arguments.threads),
        swap=replace(options, face_pack=arguments.judge_pack or arguments.face_pack),
    )
    return evaluate(pairs, judging, told("judged"))


def check(evaluation: Evaluation) -> list[tuple[str, bool]]:
    """Hold the figures against the bars; each comes with what was reached."""
    swaps = [row for row in evaluation.rows if not row.pair.is_self]
    again = [row for row in evaluation.rows if row.pair.is_self]
    gain, own = column(swaps, "cosine_gain"), column(again, "crop_psnr")
    kept, pose, outside = (column(swaps, name) for name in ("detection_kept", "pose_degrees", "outside_psnr"))
    same = [row.values[name] is not False for row in evaluation.rows for name in ("timestamps_equal", "sound_equal")]
    return [
        ("frames, timestamps and sound equal in every clip", all(same)),
        (f"mean gain of the cosine to the source {mean(gain):.3f} >= 0.10", mean(gain) >= 0.10),
        (f"least gain {min(gain):.3f} > 0", min(gain) > 0),
        (f"worst self-swap PSNR {min(own):.2f} dB >= 26", min(own) >= 26),
        (f"face still found in {100 * min(kept):.1f} % of the frames (worst clip) >= 99", min(kept) >= 0.99),
        (f"largest pose change {max(pose):.2f} degrees < 3", max(pose) < 3),
        (f"PSNR outside the face, median {statistics.median(outside):.2f} dB >= 45", statistics.median(outside) >= 45),
        (f"PSNR outside the face, worst {min(outside):.2f} dB >= 42", min(outside) >= 42),
    ]


def column(rows: list[Row], name: str) -> list[float]:
    """Return one measure of all rows; NaN, which passes no bar, where it could not be measured."""
    return [float("nan") if row.values[name] is None else float(row.values[name] or 0) for row in rows]


def mean(values: list[float]) -> float:
    """Return the mean."""
    return statistics.fmean(values)


def told(what: str) -> Callable[[int, int | None], None]:
    """Return a progress callback that prints a line to stderr."""
    return lambda done, total: print(f"{done}/{total} {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
