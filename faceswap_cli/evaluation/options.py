"""What a user may choose about judging, and what each measure means. Nothing heavy is imported here."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from ..errors import UsageError
from ..options import Options

RAW = "0..255"  # the range of a recogniser that normalises inside


@dataclass(frozen=True, slots=True)
class Measure:
    """How a measure is shown and read."""

    unit: str
    better: str  # "more", "less", "yes" or "" where neither is
    meaning: str


MEASURES: dict[str, Measure] = {
    "frames": Measure("", "", "frames of the swap, as many as the target's"),
    "timestamps_equal": Measure("", "yes", "every frame stands at its target's moment, counted from the first"),
    "sound_equal": Measure("", "yes", "sound packets are the target's, byte for byte"),
    "cosine_source": Measure("", "more", "mean cosine of the swap's identity vectors to the source's"),
    "cosine_before": Measure("", "", "the same for the unswapped target"),
    "cosine_gain": Measure("", "more", "cosine_source less cosine_before"),
    "cosine_target": Measure("", "less", "mean cosine of the swap to its own target's frame; a copy gives 1"),
    "same_person_share": Measure("", "more", "cosine_source over what the judge gives two photos of one person"),
    "retrieval": Measure(
        "", "more", "share of frames nearest to the source among all sources, targets and the gallery"
    ),
    "still_target": Measure("", "less", "share of frames still nearest to the target among the same faces"),
    "dlib_distance": Measure("", "less", "mean distance to the source by dlib; two photos of one person are below 0.6"),
    "dlib_distance_target": Measure("", "more", "mean distance to the target's frame by dlib; a copy gives 0"),
    "dlib_retrieval": Measure("", "more", "retrieval by dlib"),
    "dlib_target": Measure("", "less", "still_target by dlib"),
    "source_face": Measure("px", "", "shorter side of the source's face as detected in its photo"),
    "target_face": Measure("px", "", "the same of the target, mean of the frames"),
    "pose_degrees": Measure("deg", "less", "mean absolute change of yaw, pitch and roll"),
    "pose_l2": Measure("deg", "less", "mean Euclidean change of (yaw, pitch, roll), the papers' posture error"),
    "expression": Measure("", "less", "mean absolute change of mouth and eye openness over the targets' 5-95% span"),
    "gaze": Measure(
        "eye", "less", "mean distance the iris moved in the target's eye, in eye widths; both eyes (OpenSeeFace)"
    ),
    "crop_psnr": Measure("dB", "more", "PSNR of swap against target in the face crop: self-swap PSNR for a self-swap"),
    "outside_psnr": Measure("dB", "more", "PSNR of the file's own samples outside the rectangles around all faces"),
    "detection_kept": Measure("", "more", "share of the frames with a face where the swap's is still found there"),
    "jitter": Measure("x", "less", "second difference of the 468 face points, relative to the target's own"),
    "flicker": Measure("x", "less", "motion-compensated frame difference in the crop, relative to the target's own"),
    "pops": Measure(
        "", "less", "share of frames with a spot, 1/16 of the crop, that in three frames changed by 16 levels too much"
    ),
}


@dataclass(frozen=True, slots=True)
class JudgeFiles:
    """Which networks judge. A file left out is looked for below FACESWAP_DATA; where it is not, its measures are."""

    face: Path | None = None  # face recogniser, see FaceJudge
    face_range: str = RAW  # range of the pixels it takes, where its metadata do not say
    same_person: float | None = None  # mean cosine it gives two photos of one person
    pose: tuple[Path, ...] = ()  # FSA-Nets, averaged
    mesh: Path | None = None  # MediaPipe FaceMesh, 468 points
    gaze: Path | None = None  # OpenSeeFace's gaze network; needs the mesh too
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Which frames are judged: those with start <= seconds < end, and of them every so many."""

    start: Fraction | None = None
    end: Fraction | None = None
    every: int = 1

    @property
    def whole(self) -> bool:
        """Tell whether no part of the clip is left out."""
        return self.start is None and self.end is None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """How swaps are judged."""

    judges: JudgeFiles = field(default_factory=JudgeFiles)
    swap: Options = field(default_factory=Options)  # the detector, the part of the clips, threads; how swaps are made
    every: int = 1
    gallery: Path | None = None  # folder of photos of other people, for retrieval

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"every is {self.every}: give 1 for every frame, 2 for every second one")

    @property
    def span(self) -> Span:
        """Which frames are judged."""
        return Span(self.swap.start, self.swap.end, self.every)
