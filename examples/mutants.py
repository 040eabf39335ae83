"""Change one thing in a module, run the tests that cover it, and say whether one of them noticed.

    python examples/mutants.py --count 40 --seed 0
    python examples/mutants.py --modules stages.align --count 0          # all there are
    python examples/mutants.py --only stages.align:63:compare:0

A mutant is a comparison, a sum, a number, a condition that is another. Those of a sample are spread over the modules.
Every one is tried in a fork of this process, which has the libraries open already, so that a mutant costs about as much
as its tests. Whoever survives is printed with its line; the last line counts. No file is changed. Runs where processes
fork (Linux).
"""

import argparse
import ast
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "faceswap_cli"
LIBRARIES = ("numpy", "cv2", "pytest", "onnx", "onnxruntime", "scipy", "skimage.data", "av", "PIL.Image", "torch")
COVERED_BY = {  # module -> test files that say what it does
    "stages.align": ("stages_align", "stages_paste"),
    "stages.cast": ("stages_who",),
    "stages.doubles": ("stages_views",),
    "stages.mask": ("stages_mask",),
    "stages.paste": ("stages_paste", "stages_simswap_paste"),
    "stages.simswap_paste": ("stages_simswap_paste",),
    "stages.track": ("stages_track", "stages_choice", "following"),
    "stages.choice": ("stages_choice", "following"),
    "evaluation.boundary": ("evaluation_boundary",),
    "evaluation.measures": ("evaluation_measures", "evaluation_boundary"),
    "evaluation.turn": ("evaluation_turn",),
    "training.generator.losses": ("training_generator_losses",),
    "training.distil.losses": ("training_generator_losses",),
    "portrait.geometry": ("portrait_geometry",),
    "media.colour": ("media_colour",),
}
SECONDS = 300  # after which a mutant has been noticed: its tests never ended
OTHER: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Mod: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
LARGER = 1.5  # times which a fraction is another


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module."""

    module: str  # below the package
    line: int
    kind: str
    number: int  # among those of its module

    def __str__(self) -> str:
        return f"{self.module}:{self.line}:{self.kind}:{self.number}"


def main() -> None:
    """Read the command line, try mutants, print those that nobody noticed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--modules", nargs="+", choices=COVERED_BY, default=list(COVERED_BY))
    arguments.add_argument("--count", type=int, default=40, help="how many; 0 means all")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--only", nargs="+", default=[], help="these, as they were printed")
    told = arguments.parse_args()
    os.chdir(ROOT)
    for library in LIBRARIES:
        if importlib.util.find_spec(library.split(".")[0]):
            importlib.import_module(library)
    counts: Counter[str] = Counter()
    for mutant in chosen(told):
        fate = tried(mutant)
        counts[fate] += 1
        if fate != "noticed":
            print(f"{fate} {mutant}: {shown(mutant)}", flush=True)
    print(", ".join(f"{count} {fate}" for fate, count in counts.items()))


def chosen(told: argparse.Namespace) -> list[Mutant]:
    """Return the mutants a run is told, of every module in turn."""
    draws = random.Random(told.seed)
    every = {name: [mutant for mutant, _ in mutants(name)] for name in told.modules}
    if told.only:
        return [mutant for each in every.values() for mutant in each if str(mutant) in told.only]
    for each in every.values():
        draws.shuffle(each)
    longest = max(map(len, every.values()))
    turns = [each[turn] for turn in range(longest) for each in every.values() if turn < len(each)]
    return turns[: told.count or None]


def mutants(module: str) -> Iterator[tuple[Mutant, Callable[[], None]]]:
    """Yield every mutant of a module with what brings it about in a tree of its own."""
    yield from mutants_of(module, parsed(module))


def mutants_of(module: str, tree: ast.Module) -> Iterator[tuple[Mutant, Callable[[], None]]]:
    """Yield every mutant of a tree with what changes the tree into it."""
    spared = set(_spared(tree))
    nodes = (node for node in ast.walk(tree) if id(node) not in spared)
    for number, (where, kind, change) in enumerate(found for node in nodes for found in changes(node)):
        yield Mutant(module, where.lineno, kind, number), change


def changes(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str, Callable[[], None]]]:
    """Yield what can be done to a node: where, its kind, what does it."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER:
        yield node, "compare", lambda: node.ops.__setitem__(0, OTHER[type(node.ops[0])]())
    if isinstance(node, ast.BinOp) and type(node.op) in OTHER:
        yield node, "sum", lambda: setattr(node, "op", OTHER[type(node.op)]())
    if isinstance(node, ast.BoolOp):
        yield node, "either", lambda: setattr(node, "op", OTHER[type(node.op)]())
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        another = node.value + 1 if isinstance(node.value, int) else node.value * LARGER or LARGER
        yield node, "number", lambda: setattr(node, "value", another)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield node, "flag", lambda: setattr(node, "value", not node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        plain = ast.Not() if isinstance(node.op, ast.Not) else ast.UAdd()
        twice = ast.UnaryOp(ast.Not(), node.operand) if isinstance(node.op, ast.Not) else node.operand
        yield node, "negation", lambda: (setattr(node, "operand", twice), setattr(node, "op", plain))[0]
    if isinstance(node, ast.If | ast.IfExp):
        yield node, "condition", lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))


def _spared(tree: ast.Module) -> Iterator[int]:
    """Yield the identities of the nodes that are types, or say what kind of class is made."""
    for node in ast.walk(tree):
        outer = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for each in (*outer, *getattr(node, "decorator_list", [])):
            yield from map(id, ast.walk(each) if each is not None else ())


def parsed(module: str) -> ast.Module:
    """Return the tree of a module."""
    return ast.parse(path_of(module).read_text(encoding="utf-8"))


def path_of(module: str) -> Path:
    """Return the file of a module of the package."""
    return ROOT / PACKAGE / f"{module.replace('.', '/')}.py"


def tests_of(module: str) -> list[str]:
    """Return the test files that cover a module, those that there are."""
    files = (f"tests/test_{name}.py" for name in COVERED_BY[module])
    return [name for name in files if (ROOT / name).is_file()]


def tried(mutant: Mutant) -> str:
    """Return what became of a mutant: noticed, or survived."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)  # ends this process
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os._exit(run_tests(mutant))
    _, status = os.waitpid(child, 0)
    return "survived" if status == 0 else "noticed"


def run_tests(mutant: Mutant) -> int:
    """Import the mutant in its module's place and return what pytest says."""
    import pytest

    tree = parsed(mutant.module)
    next(change for each, change in mutants_of(mutant.module, tree) if each == mutant)()
    sys.meta_path.insert(0, Finder(f"{PACKAGE}.{mutant.module}", ast.fix_missing_locations(tree)))
    words: Sequence[str] = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
    return int(pytest.main([*words, *tests_of(mutant.module)]))


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module changed."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self._name, self._tree = name, tree

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """Return the changed module's, None for any other."""
        origin = path_of(self._name.removeprefix(f"{PACKAGE}."))
        return importlib.util.spec_from_file_location(name, origin, loader=self) if name == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed tree."""
        exec(compile(self._tree, str(module.__file__), "exec"), module.__dict__)


def shown(mutant: Mutant) -> str:
    """Return a mutant's line as it stands, and what it became."""
    tree = parsed(mutant.module)
    line = path_of(mutant.module).read_text(encoding="utf-8").splitlines()[mutant.line - 1].strip()
    before = ast.unparse(tree).splitlines()
    next(change for each, change in mutants_of(mutant.module, tree) if each == mutant)()
    after = ast.unparse(ast.fix_missing_locations(tree)).splitlines()
    changed = [new.strip() for old, new in zip(before, after, strict=False) if old != new]
    return f"{line}  ->  {changed[0] if changed else 'nothing'}"


if __name__ == "__main__":
    main()
