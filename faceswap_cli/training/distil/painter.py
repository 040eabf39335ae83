"""Distil the painter into the one that is made anew for every source: `faceswap distill --data TRIPLETS`.

Rows that know their answer teach it to the student as they taught its teacher; for the others the answer is what the
teacher paints, and whom that looks like counts too: half-learnt changes are nearer to the target than the teacher's.
The student needs no adversary: what is finer than it paints are the portrait's own pixels. Source: MobileFaceSwap (Xu
et al., AAAI 2022), reconstruction of a teacher's pictures; the answers beside them are ours.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ...engines.metadata import read_metadata
from ...errors import UsageError, WeightsError
from ...networks.export import read_state_dict
from ...networks.layers import load_strictly
from ...networks.mobile_painter import MobilePainter, MobilePainterConfig
from ...networks.painter import Painter
from ...store import models
from ..core.checkpoint import load
from ..core.options import DistillOptions
from ..core.parallel import join_workers
from ..core.run import start_torch
from ..core.settings import make_record, read_record
from ..generator.generators import read_generator
from ..generator.painter import run_painter
from ..generator.painter_state import PainterSettings, build_state
from ..teachers.encoders import load_encoders

KIND = "mobile_painter"  # of its checkpoints and files


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentSettings(PainterSettings):
    """Network and losses of a student: its teacher shows what is natural, so that likeness may count more."""

    identity: float = 1.5
    contrast: float = 1.0
    natural: float = 0.0
    adversarial_from: float = 2.0  # share of the run from which the adversary counts: never


def distill(options: DistillOptions) -> None:
    """Distil until the steps or the minutes are used up, then leave the last checkpoint in the run's folder.

    Raises UsageError for settings that do not fit, WeightsError for a teacher that is no painter.
    """
    settings = read_record(options.config, StudentSettings)
    config = make_record(MobilePainterConfig, settings.shape, "shape")
    device = start_torch(options)
    worker = join_workers(device)
    student = MobilePainter(config).to(device)
    if options.init_from is not None:
        load_strictly(student, read_student(options.init_from))
    state = build_state(KIND, student, settings, load_encoders(options.encoder), options)
    state.teacher = load_teacher(options.teacher, config.working).to(device)
    run_painter(options, settings, state, worker)


def load_teacher(path: Path | None, working: int) -> Painter:
    """Return a frozen painter, the embedded one without a path; raise WeightsError for another generator.

    Raises UsageError where it paints smaller pictures than the student, which are `working` pixels a side.
    """
    origin = read_generator(path or models.locate("lite"))
    teacher = origin.generator
    if not isinstance(teacher, Painter):
        raise WeightsError(f"{origin.path} holds no painter: what learns from triplets is taught by one")
    if teacher.working < working:
        raise UsageError(f"working is {working}, the teacher paints at {teacher.working}: give no more than that")
    return teacher.requires_grad_(False).eval()


def read_student(path: Path) -> dict[str, Tensor]:
    """Return a student's parameters from its ONNX file, or a checkpoint's moving average."""
    path = models.file_of(path)
    exported = path.suffix == ".onnx"
    kept: dict[str, Any] = {} if exported else load(path)
    kind = read_metadata(path).get("network") if exported else kept.get("kind")
    if kind != KIND:
        raise WeightsError(f"{path} holds no painter's student (it holds {kind or 'something else'})")
    weights: dict[str, Tensor] = read_state_dict(path) if exported else kept["average"]
    return weights
