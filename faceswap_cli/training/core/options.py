"""What a training run is told, checked once, when the record is made."""

from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from .watch import Watch, unwatched

NETWORKS = ("painter", "simswap", "encoder", "detector", "parser", "points", "beard")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """One run of one network. None means the network's own default, written in its training module."""

    data: tuple[Path, ...]  # folders: raw pictures (a folder per identity), packs of `faceswap prepare`, or triplets
    sources: tuple[Path, ...] = ()  # packs whose faces are identity sources only (grey, tight, tiny); simswap only
    output: Path = Path("runs/train")  # checkpoints, log.csv, sample sheets
    network: str | None = None  # None means what settings, run or weights are of, else the painter
    triplets: int | None = None  # painter: rows made of faces; None means `chain.rows_of`
    teacher: Path | None = None  # weights that labels or embeddings come from; None means the embedded encoder's
    landmarks: Path | None = None  # painter, simswap: folder of face-api.js's weights, for a loss on expression;
    # detector: OpenSeeFace's lm_model, which puts the teacher's points right
    face_pack: Path | None = None  # for preparing raw pictures; None means the embedded pack
    steps: int | None = None  # optimiser steps of the whole run
    minutes: float | None = None  # stop this long after the first step, with a checkpoint
    batch: int | None = None  # images a step
    size: int | None = None  # side of the training crop in pixels
    learning_rate: float | None = None
    config: Path | None = None  # TOML of the network's own settings (losses, widths, ablations)
    resume: bool = False  # go on from the last checkpoint in `output`
    init_from: Path | None = None  # start from these weights, with fresh optimisers
    save_every: int = 500  # steps between checkpoints, samples and measures
    device: str = "auto"
    threads: int | None = None
    readers: int | None = None  # processes that read pictures ahead; None means none on a CPU, up to 8 for a GPU
    tensorboard: bool = False  # write log.csv's numbers as TensorBoard's events, too
    seed: int = 0
    watch: Watch = unwatched  # told how the run goes, twice a second at most

    def __post_init__(self) -> None:
        if self.network is not None and self.network not in NETWORKS:
            raise UsageError(f"network is {self.network!r}: choose one of {', '.join(NETWORKS)}")
        if self.resume and self.init_from is not None and self.network not in (None, "painter"):
            raise UsageError(
                "--resume and --init-from exclude each other: resume keeps the optimisers, init starts afresh"
            )
        for name in ("triplets", "steps", "minutes", "batch", "size", "learning_rate", "save_every", "threads"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"{name} is {value}: give a value above 0")
        if self.readers is not None and self.readers < 0:
            raise UsageError(f"readers is {self.readers}: give 0 or more")
        for folder in (*self.data, *self.sources):
            if not folder.is_dir():
                raise UsageError(f"{folder} is not a folder: --data takes folders of pictures or prepared packs")


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillOptions(TrainOptions):
    """One distillation; `teacher` is the generator's ONNX file or checkpoint, None means the embedded one."""

    output: Path = Path("runs/distill")
    encoder: Path | None = None  # MobileFaceNet weights the identity is judged by, beside the embedded encoder


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareOptions:
    """How pictures become crops."""

    size: int = 256  # side of a crop in pixels
    min_face: int = 40  # shorter side of the face's box in picture pixels
    min_sharpness: float = 8.0  # standard deviation of the crop's Laplacian at 128 px, grey levels
    face_pack: Path | None = None
    det_threshold: float = 0.5
    most: int | None = None  # pictures that are taken where there are more, some of each person; None means all
    threads: int | None = None  # cores, each with a process of its own; None means all

    def __post_init__(self) -> None:
        if self.most is not None and self.most < 1:
            raise UsageError(f"most is {self.most}: give a value above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class TripletOptions:
    """What `faceswap triplets` is told."""

    data: tuple[Path, ...]  # packs made by `faceswap prepare`, of crops no smaller than `size`
    output: Path = Path("runs/triplets")
    count: int = 20_000  # rows in all
    pairs: int = 4  # every so many rows has no answer
    size: int = 256  # side of the pictures that are kept
    model: str = "lite"  # what swaps
    workers: int = 1  # processes
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("count", "size", "workers", "pairs"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: give a value above 0")
