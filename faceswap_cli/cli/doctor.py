"""`faceswap doctor`: look at everything that decides whether and how fast a swap runs here."""

import importlib.metadata
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ..errors import FaceSwapError
from ..options import DEFAULT_QUALITY
from ..store import models
from .arguments import AsJson, Quiet, Verbose
from .terminal import Terminal

PACKAGES = ("numpy", "opencv-python", "insightface", "onnxruntime", "av", "torch", "openvino", "c2pa-python")
# Distributions that own the same folder: pip installs them side by side without a word, and the last one wins.
RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")
OPENCVS = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
ENCODERS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "prores_ks", "ffv1", "aac")
TRIAL_SIZE = (640, 480)
LEAST_DISK = 2e9  # bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    state: Literal["ok", "note", "bad"]
    what: str
    seen: str
    mend: str = ""  # what to type


def doctor(as_json: AsJson = False, verbose: Verbose = False, quiet: Quiet = False) -> None:
    """Check this machine: packages, the engine a session really gets, encoders, weights, disk.

    \b
    Example:
      faceswap doctor
    """
    findings = [*_packages(), *_clashes(), _engine(), _encoders(), _hardware(), *_weights(), _disk()]
    findings.append(_verdict(findings))
    lines = [f"{one.state:5s}{one.what:14s}{one.seen}" + (f"\n     {one.mend}" if one.mend else "") for one in findings]
    Terminal(verbose, quiet).result("\n".join(lines), [asdict(one) for one in findings], as_json)


def _verdict(findings: list[Finding]) -> Finding:
    """Say in one line whether swaps work here, and what to look at."""
    bad, notes = (sum(one.state == state for one in findings) for state in ("bad", "note"))
    worth = f"; {notes} {'note' if notes == 1 else 'notes'} above" if notes else ""
    if bad:
        return Finding("bad", "verdict", f"{bad} of these must be mended first{worth}")
    return Finding("ok", "verdict", f"faceswap can swap here{worth}")


def _packages() -> Iterator[Finding]:
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.platform(terse=True)}")
    seen = {name: _version(name) for name in PACKAGES}
    yield Finding("ok", "packages", ", ".join(f"{name} {version or 'none'}" for name, version in seen.items()))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _clashes() -> Iterator[Finding]:
    for folder, owners in (("onnxruntime", RUNTIMES), ("cv2", OPENCVS)):
        found = [name for name in owners if _version(name)]
        if len(found) > 1:
            keep = (
                found[-1] if folder == "onnxruntime" else owners[0]
            )  # the special runtime; insightface asks for this cv2
            mend = f"pip uninstall -y {' '.join(found)}\n     pip install --no-deps {keep}"
            yield Finding("bad", folder, f"{' and '.join(found)} overwrite each other", mend)


def _engine() -> Finding:
    """Open a session on a graph of one node and ask it, not the package, where it runs."""
    from ..engines.cuda import gpu_count
    from ..engines.select import open_network

    gpus = gpu_count()
    try:
        with tempfile.TemporaryDirectory() as folder:
            network = open_network(_smallest_network(Path(folder, "one.onnx")))
            seen = f"{network.engine} on {network.device}, {network.precision}; {gpus} CUDA devices"
    except FaceSwapError as error:
        return Finding("bad", "engine", str(error))
    if not gpus or network.device == "cuda":
        return Finding("ok", "engine", seen)
    mend = "pip uninstall -y onnxruntime\n     pip install --no-deps onnxruntime-gpu"
    return Finding("note", "engine", f"{seen}: the GPU is not used by ONNX Runtime", mend)


def _smallest_network(path: Path) -> Path:
    import onnx
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("input", "output")]
    graph = helper.make_graph([helper.make_node("Identity", ["input"], ["output"])], "one", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.save(model, path)
    return path


def _encoders() -> Finding:
    import av

    missing = [name for name in ENCODERS if name not in av.codecs_available]
    seen = f"{', '.join(name for name in ENCODERS if name not in missing)} in av {av.__version__}"
    return (
        Finding("note", "encoders", f"{seen}; missing {', '.join(missing)}")
        if missing
        else Finding("ok", "encoders", seen)
    )


def _hardware() -> Finding:
    """Let each hardware encoder of H.264 make one picture."""
    from ..media.encoders import nearest_format
    from ..media.hardware import hardware_encoders, refusal

    seen = []
    for encoder in hardware_encoders("h264", "auto"):
        pixel_format = nearest_format(encoder, "yuv420p", *TRIAL_SIZE)
        why = refusal(encoder, pixel_format, encoder.settings(DEFAULT_QUALITY, None), TRIAL_SIZE)
        seen.append(f"{encoder.library} {'works' if why is None else f'does not work ({why})'}")
    return Finding("ok", "hardware", ", ".join(seen) or "no hardware encoder in av")


def _weights() -> Iterator[Finding]:
    for entry in models.catalogue().values():
        if not entry.embedded and not models.is_present(entry):
            continue
        states = {one.state for one in models.check(entry)}
        if "altered" in states:
            yield Finding("bad", "weights", f"{entry.name} is altered", "faceswap models verify")
        elif "missing" in states:
            yield Finding("note", "weights", f"{entry.name} is not there yet")
        else:
            yield Finding("ok", "weights", f"{entry.name}, {entry.kind}, {entry.licence}")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    state: Literal["ok", "note"] = "ok" if free > LEAST_DISK else "note"
    return Finding(state, "disk", f"{free / 1e9:.1f} GB free here; store of networks {models.home()}")
