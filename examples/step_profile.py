"""Measure where the time of a SimSwap's training step goes, and how fast whole steps are.

    faceswap prepare --input photos/ --output pack/
    python examples/step_profile.py pack/ --work /tmp/profile --size 112 --batch 16
    python examples/step_profile.py pack/ --work /tmp/profile --device cuda --minutes 8 \
        --size 224 --batches 8 16 32 64 --modes eager compiled graphed

Two tables: milliseconds of each part of one step, and images a second and memory of whole steps, by batch size and
mode. `compiled` is torch.compile of generator, discriminator and encoders, `graphed` the same with CUDA graphs. Nothing
new is begun once the minutes are used up; what a device cannot do has its reason in the table.
"""

import argparse
import resource
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch

from faceswap_cli.training.core.options import TrainOptions
from faceswap_cli.training.core.run import autocast, seed_step, update_average
from faceswap_cli.training.core.settings import SwapSettings
from faceswap_cli.training.data.swap_data import Batch, Batches, SwapData
from faceswap_cli.training.generator import train
from faceswap_cli.training.generator.plan import Plan
from faceswap_cli.training.teachers import known_faces
from faceswap_cli.training.teachers.encoders import load_encoders, names_of
from faceswap_cli.training.teachers.identity_judge import IdentityJudge
from faceswap_cli.training.teachers.spaces import OURS

MODES = {"eager": None, "compiled": "default", "graphed": "reduce-overhead"}
LATE = 10_000  # number of a step in which every loss counts
WARM = 2  # steps before the clock starts, those that compile among them


@dataclass(slots=True)
class Bench:
    """What is measured: fresh networks and the data they learn from."""

    data: SwapData
    options: TrainOptions
    settings: SwapSettings
    state: train.GeneratorState

    def batches(self, count: int) -> Batches:
        """Yield what the steps of a run would read."""
        return self.data.batches(self.options, 0, 0, count=count, same_every=self.settings.same_every)

    def step(self, batch: Batch) -> None:
        """Do one step of both networks."""
        _, fake = train.generator_step(self.state, batch, self.settings, LATE)
        train.discriminator_step(self.state, batch, self.settings, fake)


def main() -> None:
    """Read the command line, measure, print both tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("pack", type=Path)
    arguments.add_argument("--work", type=Path, required=True, help="folder of the run that is imitated")
    arguments.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments.add_argument("--size", type=int, default=112)
    arguments.add_argument("--batch", type=int, default=16, help="images of the step that is taken apart")
    arguments.add_argument("--batches", type=int, nargs="+", default=[8, 16])
    arguments.add_argument("--modes", choices=MODES, nargs="+", default=["eager"])
    arguments.add_argument("--steps", type=int, default=10)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--minutes", type=float, default=8.0)
    told = arguments.parse_args()
    ends = time.monotonic() + 60 * told.minutes
    torch.set_num_threads(told.threads)
    data = opened(told)
    print(f"{told.size} pixels, {told.device}, torch {torch.__version__}")
    print(f"\n| part of a step of {told.batch} images | ms | share |\n|---|---|---|")
    for name, ms, share in parts(bench(told, data, "eager"), told):
        print(f"| {name} | {ms:.1f} | {share:.0%} |", flush=True)
    print("\n| mode | images a step | images/s | peak memory, MB |\n|---|---|---|---|")
    for mode in told.modes:
        for count in told.batches:
            if time.monotonic() < ends:
                print(f"| {mode} | {count} | {pace(told, data, mode, count)} |", flush=True)


def opened(told: argparse.Namespace) -> tuple[SwapData, TrainOptions]:
    """Return the data of a run, and how it is told."""
    readers = 0 if told.device == "cpu" else None
    options = TrainOptions(data=(told.pack,), output=told.work / "run", threads=told.threads, readers=readers)
    device = torch.device(told.device)
    judge = IdentityJudge(load_encoders(None), told.size).to(device)
    return known_faces.open_data(options, judge, known_faces.Wanted(told.size, 0.5), device), options


def bench(told: argparse.Namespace, opened: tuple[SwapData, TrainOptions], mode: str) -> Bench:
    """Return fresh networks, compiled as a mode says."""
    data, options = opened
    judge = IdentityJudge(load_encoders(None), told.size).to(data.device)
    settings = SwapSettings(shape={"latent": OURS.dimension})
    plan = Plan(settings, told.size, OURS, names_of(judge.encoders))
    state = train.build_state(plan, judge, None, data.device)
    if MODES[mode] is not None:
        compile_networks(state, MODES[mode])
    return Bench(data, options, settings, state)


def compile_networks(state: train.GeneratorState, mode: str | None) -> None:
    """Compile the networks of a run in place; torch does so when they are first asked."""
    for network in (state.generator, state.discriminator, *state.judge.encoders):
        network.compile(mode=mode)


def parts(bench: Bench, told: argparse.Namespace) -> list[tuple[str, float, float]]:
    """Return name, milliseconds and share of a whole step of each of its parts."""
    state, reads = bench.state, bench.batches(told.batch)
    kept = next(reads)
    batch = bench.data.assemble(kept)
    with torch.no_grad():
        fake = train.generate(state.generator, batch)
    leaf = fake.detach().requires_grad_()

    def judged() -> None:
        with autocast(leaf.device):
            found = state.judge(leaf, batch.encoder)
        found.sum().backward()

    def criticised() -> None:
        with autocast(leaf.device):
            scales = state.discriminator(leaf)
        torch.stack([scale[-1].float().mean() for scale in scales]).sum().backward()

    def painted() -> None:
        train.generate(state.generator, batch).sum().backward()

    acts: dict[str, Callable[[], object]] = {
        "reading": lambda: next(reads),
        "moving, damaging, laying": lambda: bench.data.assemble(kept),
        "generator, there and back": painted,
        "encoder, there and back": judged,
        "discriminator, there and back": criticised,
        "moving average": lambda: update_average(state.average, state.generator, 0.99),
        "generator's step, all of it": lambda: train.generator_step(state, batch, bench.settings, LATE),
        "discriminator's step, all of it": lambda: train.discriminator_step(state, batch, bench.settings, fake),
    }
    seed_step(bench.options, 0, 0)
    spent = {name: 1000 * seconds(act, told.steps, batch.target.device) / told.steps for name, act in acts.items()}
    reads.close()
    whole = sum(spent[name] for name in ("reading", "moving, damaging, laying", *list(spent)[-2:]))
    return [(name, ms, ms / whole) for name, ms in spent.items()] + [("a step", whole, 1.0)]


def pace(told: argparse.Namespace, opened: tuple[SwapData, TrainOptions], mode: str, count: int) -> str:
    """Return images a second and the peak of memory of whole steps, as cells; or why they cannot be done."""
    device = torch.device(told.device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        one = bench(told, opened, mode)
        with closing(one.batches(count)) as drawn:

            def step() -> None:
                if mode == "graphed":
                    torch.compiler.cudagraph_mark_step_begin()
                one.step(one.data.assemble(next(drawn)))

            images = told.steps * count / seconds(step, told.steps, device)
    except RuntimeError as error:  # too large, or what torch cannot compile here
        torch.compiler.reset()
        return f"{(str(error).splitlines() or [type(error).__name__])[0][:80]} | "
    return f"{images:.1f} | {peak_mb(device):.0f}"


def seconds(act: Callable[[], object], times: int, device: torch.device) -> float:
    """Return how long it takes to do something so often, once it is warm; on a CPU in seconds of its own."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    for _ in range(WARM):
        act()
    began = waited(device, clock)
    for _ in range(times):
        act()
    return waited(device, clock) - began


def waited(device: torch.device, clock: Callable[[], float]) -> float:
    """Return the time once a device has done all it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock()


def peak_mb(device: torch.device) -> float:
    """Return the most memory that was taken: by tensors on a GPU, by the whole process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
