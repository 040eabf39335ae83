"""What several test files share: the real files, a face pack, and a small generator made on the spot."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from faceswap_cli.options import Options
from faceswap_cli.stages.detect import InsightDetect
from faceswap_cli.types import Face

DATA = Path(os.environ.get("FACESWAP_DATA") or Path(__file__).resolve().parents[1] / "../shared/data").resolve()
CROP_SIZE = 64
SPACE = "test-256"
NODE = {"object_store_memory": 80 << 20}  # bytes: nothing large goes through it
Looks = dict[tuple[object, ...], tuple[list[Face], list[Face]]]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real photos, clips and weights."""
    if not DATA.is_dir():
        pytest.skip(f"no real data at {DATA}: set FACESWAP_DATA")
    return DATA


@pytest.fixture
def examples(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The examples a test file calls its `NAMES`, imported afresh as they import each other."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "examples"))
    for name in request.module.NAMES:
        sys.modules.pop(name, None)
    return {name: __import__(name) for name in request.module.NAMES}


@pytest.fixture(scope="session")
def face_pack(data: Path) -> Path:
    """A folder insightface can be given."""
    return data / "weights" / "detect"


@pytest.fixture(scope="session")
def large_portrait(data: Path) -> Path:
    """A photo of one person, 910 x 1137 pixels."""
    return data / "photos" / "face_recognition" / "obama.jpg"


@pytest.fixture(scope="session")
def portrait(large_portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same at half the size: no tiles of it are searched, so it takes a third of the work to find the face."""
    path = tmp_path_factory.mktemp("portrait") / large_portrait.name
    with Image.open(large_portrait) as photo:
        kept = {name: photo.info[name] for name in ("exif", "icc_profile", "xmp", "dpi")}
        photo.reduce(2).save(path, quality=95, **kept)
    return path


@pytest.fixture(scope="session")
def encoder_file(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real identity encoder (MobileFace V2), dressed in our contract: (x - 127.5) / 127.5 in."""
    model = onnx.load(data / "weights" / "identity" / "mobileface_id_v2.onnx")
    scale, offset = (
        numpy_helper.from_array(np.float32(127.5), "door_scale"),
        numpy_helper.from_array(np.float32(127.5), "door_offset"),
    )
    model.graph.initializer.extend([scale, offset])
    for node in model.graph.node:
        node.input[:] = ["door_raw" if name == "data" else name for name in node.input]
    model.graph.node.insert(0, helper.make_node("Mul", ["data", "door_scale"], ["door_scaled"]))
    model.graph.node.insert(1, helper.make_node("Add", ["door_scaled", "door_offset"], ["door_raw"]))
    return _save(model, tmp_path_factory.mktemp("encoder") / "encoder.onnx", space=SPACE, size="112")


@pytest.fixture(scope="session")
def whole_pack(face_pack: Path, encoder_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a detector and the encoder the test generators understand."""
    folder = tmp_path_factory.mktemp("pack")
    shutil.copy(face_pack / "scrfd_2.5g_bnkps.onnx", folder)
    shutil.copy(encoder_file, folder)
    return folder


@pytest.fixture(scope="session")
def short_clip(large_portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of a camera moving over a portrait, 320x240."""
    picture = cv2.cvtColor(cv2.imread(str(large_portrait)), cv2.COLOR_BGR2RGB)
    views = [picture[4 * index : 4 * index + 720, 6 * index : 6 * index + 960] for index in range(12)]
    return write_clip(
        tmp_path_factory.mktemp("clip") / "portrait.mp4", [cv2.resize(view, (320, 240)) for view in views]
    )


@pytest.fixture(scope="session")
def looks() -> Looks:
    """What detectors found in pictures, by file, picture and size."""
    return {}


@pytest.fixture(scope="module")
def kept_looks(looks: Looks) -> Iterator[None]:
    """Let the detector's network look at each picture once: for tests of what is made of its finds, in one process."""
    with looked_at_once(looks):
        yield


@pytest.fixture
def kept_looks_here(looks: Looks) -> Iterator[None]:
    """The same for one test alone, of a file whose others tell whether two looks agree."""
    with looked_at_once(looks):
        yield


@contextmanager
def looked_at_once(looks: Looks) -> Iterator[None]:
    """Let detectors take from `looks` what they found in a picture before."""
    find = InsightDetect._find

    def found(detector: InsightDetect, bgr: np.ndarray, side: int) -> tuple[list[Face], list[Face]]:
        stamp, digest = detector.file.stat(), hashlib.sha256(bgr.tobytes()).digest()
        key = (detector.file, stamp.st_mtime_ns, stamp.st_size, detector._threshold, bgr.shape, digest, side)
        if key not in looks:
            looks[key] = find(detector, bgr, side)
        sure, weak = looks[key]
        return [*sure], [*weak]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InsightDetect, "_find", found)
        yield


@pytest.fixture(scope="session")
def copying_generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator that gives the target back: what remains of a difference is the pipeline's own."""
    return make_generator(tmp_path_factory.mktemp("generator") / "copy.onnx", strength=0.0)


@pytest.fixture(scope="session")
def tinting_generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator that tints the target by the identity through fixed random weights."""
    return make_generator(tmp_path_factory.mktemp("generator") / "tint.onnx", strength=0.5)


@pytest.fixture(scope="session")
def options(whole_pack: Path, tinting_generator: Path) -> Options:
    """What a small swap is asked for where a test file says nothing else."""
    return Options(model=str(tinting_generator), face_pack=whole_pack, device="cpu", threads=1, preset="ultrafast")


def make_generator(path: Path, strength: float, size: int = CROP_SIZE, width: int = 256) -> Path:
    """Write image = clip(target + strength * tint(identity), 0, 1) under our generator contract."""
    weight = np.random.default_rng(0).standard_normal((width, 3)).astype(np.float32) * strength
    picture = ["N", 3, size, size]
    nodes = [
        helper.make_node("MatMul", ["identity", "weight"], ["tint"]),
        helper.make_node("Unsqueeze", ["tint", "axes"], ["plane"]),
        helper.make_node("Add", ["target", "plane"], ["sum"]),
        helper.make_node("Clip", ["sum", "low", "high"], ["image"]),
    ]
    graph = helper.make_graph(
        nodes,
        "generator",
        [
            helper.make_tensor_value_info("target", TensorProto.FLOAT, picture),
            helper.make_tensor_value_info("identity", TensorProto.FLOAT, ["N", width]),
        ],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, picture)],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
            numpy_helper.from_array(np.float32(0), "low"),
            numpy_helper.from_array(np.float32(1), "high"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    return _save(model, path, space=SPACE, size=str(size), template="simswap-frontal", input_range="0..1")


def write_clip(path: Path, pictures: list[np.ndarray], rate: int = 25) -> Path:
    """Encode RGB pictures as H.264 without sound."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate, options={"crf": "12", "preset": "ultrafast"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def stop_behind_checkpoint(monkeypatch: pytest.MonkeyPatch, module: ModuleType, options: object) -> None:
    """Train a supporting network with its module until its first checkpoint is written, then press Ctrl-C."""
    from faceswap_cli.training.core import checkpoint
    from faceswap_cli.training.supporting import loop

    def save_and_stop(path: Path, state: dict) -> None:
        checkpoint.save(path, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr(loop, "save", save_and_stop)
        module.train(options)


def free_port() -> int:
    """Return a port of this machine where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def ray_cluster(**head: Any) -> Iterator[Any]:
    """Start a cluster of Ray's on this machine, with a head of such a kind; nodes of NODE may be added."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs the [ray] extra")
    running = cluster_utils.Cluster(initialize_head=True, head_node_args=head | {"include_dashboard": False} | NODE)
    yield running
    running.shutdown()


@contextmanager
def client_of_a_cluster() -> Iterator[str]:
    """Start a cluster of two CPUs, and give the address at which Ray's client reaches it."""
    pytest.importorskip("grpc", reason="Ray's client needs the [ray] extra")
    port = free_port()
    with ray_cluster(num_cpus=2, ray_client_server_port=port):
        wait_for_listener(port)
        yield f"ray://127.0.0.1:{port}"


def ray_actors(name: str) -> list[int]:
    """The processes of an actor below this one: other tests on this machine have actors of their own."""
    shown = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in shown.splitlines()[1:]]
    parents = {int(row[0]): int(row[1]) for row in rows}
    return [int(row[0]) for row in rows if f"ray::{name}" in row[-1] and _descends(int(row[0]), parents)]


def _descends(process: int, parents: dict[int, int]) -> bool:
    while process in parents and process != os.getpid():
        process = parents[process]
    return process == os.getpid()


def wait_for_listener(port: int, seconds: float = 120) -> None:
    """Wait until somebody listens at a port of this machine."""
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.2)


@contextmanager
def out_of_time_behind(steps: int) -> Iterator[None]:
    """Let the time of every run be used up behind so many steps."""
    from faceswap_cli.training.core.run import Run

    with pytest.MonkeyPatch.context() as clock:
        calls = iter(range(100))
        clock.setattr(Run, "out_of_time", lambda run: next(calls) >= steps)
        yield


def assert_same_weights(one: Path, other: Path, *parts: str) -> None:
    """Tell of the last checkpoints of two runs whether networks of these names are the same, bit for bit."""
    from torch import equal

    from faceswap_cli.training.core import checkpoint

    once, twice = (checkpoint.load(run / "last.pt") for run in (one, other))
    assert once["step"] == twice["step"]
    for part in parts:
        assert once[part].keys() == twice[part].keys()
        for name, value in once[part].items():
            assert equal(value, twice[part][name]), f"{part}.{name}"


def run_two_workers(script: str, *words: object) -> list[str]:
    """Run a script in two workers that know of each other, and return what each printed."""
    shared = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script, *map(str, words)],
            env=shared | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    return [worker.communicate(timeout=240)[0] for worker in workers]


def _save(model: onnx.ModelProto, path: Path, **properties: str) -> Path:
    model.ir_version = 10
    helper.set_model_props(model, {"network": "test", "configuration": json.dumps({}), **properties})
    onnx.save(model, path)
    return path
