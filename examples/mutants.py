"""Change one thing in a module, run the tests that cover it, and say whether one of them noticed.

    python examples/mutants.py stages media training.core --each 10 --seed 0
    python examples/mutants.py stages.align --each 0                     # all there are
    python examples/mutants.py stages.align --only stages.align:63:compare:0

A mutant is a comparison, a sum, a number, a condition, a choice of the smallest that is another, or a call left out.
Every one is tried in a fork of a process that has collected the tests already: those files that mirror the module, or
import it. Of a change within a function only those tests are run that enter it; what is made when a module is imported
needs all of them, from the start. They have to pass unchanged first; one that takes ten times as long is endless, and
noticed. Whoever survives is printed with its line; each module ends with a line that counts. No file is changed. Runs
where processes fork (Linux).
"""

import argparse
import ast
import functools
import gc
import importlib.abc
import importlib.util
import os
import pickle
import random
import re
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "faceswap_cli"
LIBRARIES = ("numpy", "cv2", "pytest", "onnx", "onnxruntime", "scipy", "skimage.data", "av", "PIL.Image", "torch")
COVERED_BY = {  # module -> test files that say what it does, where they are not those that mirror or import it
    "portrait.irises": ("portrait_corrections_iris_colour", "portrait_geometry"),
    "stages.align": ("stages_align", "stages_paste"),
    "stages.appearance": ("following", "stages_likeness"),
    "stages.cast": ("stages_who",),
    "stages.glasses": ("stages_mask", "portrait_corrections_source_glasses"),
    "stages.mask": ("stages_mask",),
    "stages.paste": ("stages_paste", "stages_simswap_paste"),
    "stages.parse": ("stages_mask",),
    "stages.places": ("stages_who",),
    "stages.track": ("stages_track", "stages_who"),
    "training.generator.choice": ("training_chain",),
    "training.generator.painter": ("training_data_triplets",),
    "training.generator.painter_measure": ("training_data_triplets",),
    "training.generator.painter_state": ("training_chain", "training_data_triplets"),
    "training.generator.painting": ("training_data_triplets",),
    "training.distil.losses": ("training_generator_losses",),
}
TIMES_AS_LONG, SECONDS_MORE = 10, 20  # after which a mutant is endless
LONGEST = 3600  # seconds for all mutants of a module
SURVIVED, NOTICED, ENDLESS = "survived", "noticed", "endless"
OTHER: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Mod: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
LARGER = 1.5  # times which a fraction is another
OTHER_NAME = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum",
              "argmin": "argmax", "argmax": "argmin", "floor": "ceil", "ceil": "floor"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module."""

    module: str  # below the package
    line: int
    kind: str
    number: int  # among those of its module
    function: str  # the outermost one that it is in, with its class; empty where it is in none

    def __str__(self) -> str:
        return f"{self.module}:{self.line}:{self.kind}:{self.number}"


def main() -> None:
    """Read the command line, try mutants, print those that nobody noticed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("modules", nargs="+", help="below the package; a folder means all in it")
    arguments.add_argument("--each", type=int, default=10, help="how many of a module; 0 means all")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--only", nargs="+", default=[], help="these, as they were printed")
    told = arguments.parse_args()
    os.chdir(ROOT)
    for library in LIBRARIES:
        if importlib.util.find_spec(library.split(".")[0]):
            importlib.import_module(library)
    for module in [each for name in told.modules for each in below(name)]:
        try_module(module, told)


def below(name: str) -> list[str]:
    """Return a module's name, or those of all modules in a folder."""
    if path_of(name).is_file():
        return [name]
    files = sorted((ROOT / PACKAGE / name.replace(".", "/")).rglob("*.py"))
    named = (".".join(file.relative_to(ROOT / PACKAGE).with_suffix("").parts) for file in files)
    return [module for module in named if not module.endswith("__init__")]


def try_module(module: str, told: argparse.Namespace) -> None:
    """Print which of a module's drawn mutants survived its tests, and how many did not."""
    tests, drawn, began = tests_of(module), chosen(module, told), time.monotonic()
    within = [mutant for mutant in drawn if mutant.function]
    fates = forked(lambda: run_within(module, within, tests), LONGEST) if tests else None
    if not isinstance(fates, dict):
        print(f"{module}: no tests of its own that pass", flush=True)
        return
    seconds = round(time.monotonic() - began) + SECONDS_MORE
    for mutant in (each for each in drawn if not each.function):
        fates[mutant] = forked(lambda mutant=mutant: run_anew(mutant, tests), seconds)
    for mutant, fate in fates.items():
        if fate != NOTICED:
            print(f"{fate} {mutant}: {shown(mutant)}", flush=True)
    counts = sorted(Counter(fates.values()).items())
    print(f"{module}: {', '.join(f'{count} {fate}' for fate, count in counts)}", flush=True)


def forked(act: Callable[[], Any], seconds: int) -> Any:
    """Return what an act returns in a process of its own, ENDLESS where that takes longer, NOTICED where it dies."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(seconds)  # ends this process
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        try:
            found = act()
        except Exception as error:
            found = f"untried, {error!r}"
        with os.fdopen(writes, "wb") as answer:
            pickle.dump(found, answer)
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as answered:
        answer = answered.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == -signal.SIGALRM:
        return ENDLESS
    return pickle.loads(answer) if answer else NOTICED


def chosen(module: str, told: argparse.Namespace) -> list[Mutant]:
    """Return the mutants of a module that a run is told."""
    every = [mutant for mutant, _ in mutants(module)]
    if told.only:
        return [mutant for mutant in every if str(mutant) in told.only]
    random.Random(f"{told.seed} {module}").shuffle(every)
    return every[: told.each or None]


def mutants(module: str) -> Iterator[tuple[Mutant, Callable[[], None]]]:
    """Yield every mutant of a module with what brings it about in a tree of its own."""
    yield from mutants_of(module, parsed(module))


def mutants_of(module: str, tree: ast.Module) -> Iterator[tuple[Mutant, Callable[[], None]]]:
    """Yield every mutant of a tree with what changes the tree into it."""
    spared, functions = set(_spared(tree)), dict(_functions(tree))
    found = ((node, each) for node in ast.walk(tree) if id(node) not in spared for each in changes(node))
    for number, (node, (where, kind, change)) in enumerate(found):
        yield Mutant(module, where.lineno, kind, number, functions.get(id(node), "")), change


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
    yield from _changes_of_calls(node)


def _changes_of_calls(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str, Callable[[], None]]]:
    """Yield what can be done to a call: another that is its opposite, or none."""
    if isinstance(node, ast.Name) and node.id in OTHER_NAME:
        yield node, "name", lambda: setattr(node, "id", OTHER_NAME[node.id])
    if isinstance(node, ast.Attribute) and node.attr in OTHER_NAME:
        yield node, "name", lambda: setattr(node, "attr", OTHER_NAME[node.attr])
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield node, "call", lambda: setattr(node, "value", ast.Constant(None))


def _spared(tree: ast.Module) -> Iterator[int]:
    """Yield the identities of the nodes that are types, or say what kind of class is made."""
    for node in ast.walk(tree):
        outer = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for each in (*outer, *getattr(node, "decorator_list", [])):
            yield from map(id, ast.walk(each) if each is not None else ())


def _functions(tree: ast.AST, outer: str = "") -> Iterator[tuple[int, str]]:
    """Yield the identities of the nodes within functions, with the names of the outermost ones."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{outer}{node.name}.")
        if isinstance(node, ast.FunctionDef):
            for statement in node.body:
                yield from ((id(each), f"{outer}{node.name}") for each in ast.walk(statement))


def parsed(module: str) -> ast.Module:
    """Return the tree of a module."""
    return ast.parse(path_of(module).read_text(encoding="utf-8"))


def path_of(module: str) -> Path:
    """Return the file of a module of the package."""
    return ROOT / PACKAGE / f"{module.replace('.', '/')}.py"


def tests_of(module: str) -> list[str]:
    """Return the test files that cover a module: those named, or that mirror it, or that import it."""
    files = [ROOT / f"tests/test_{name}.py" for name in COVERED_BY.get(module, (module.replace(".", "_"),))]
    if not any(file.is_file() for file in files):
        room, _, name = f"{PACKAGE}.{module}".rpartition(".")
        imports = re.compile(rf"from {room}\.{name} import|from {room} import (\w+, )*{name}\b")
        files = [file for file in sorted((ROOT / "tests").glob("test_*.py")) if imports.search(file.read_text("utf-8"))]
    return [str(file) for file in files if file.is_file()]


def run_anew(mutant: Mutant, tests: list[str]) -> str:
    """Import the mutant in its module's place, run the tests, and return its fate."""
    sys.meta_path.insert(0, Finder(f"{PACKAGE}.{mutant.module}", changed(mutant)))
    return NOTICED if run_tests(tests) else SURVIVED


def run_within(module: str, mutants: list[Mutant], tests: list[str]) -> dict[Mutant, str] | None:
    """Collect the tests, run them, and return the fates of mutants of functions; None where the tests do not pass."""
    trials = Trials(path_of(module), mutants)
    run_tests(tests, trials)
    return trials.fates


def run_tests(tests: list[str], *plugins: object) -> int:
    """Return what pytest says; nothing is printed."""
    import pytest

    words = ["-x", "-p", "no:cacheprovider", "-p", "no:terminal", "-o", "addopts=--strict-markers", "-m", "not slow"]
    return int(pytest.main([*words, *tests], plugins=plugins))


class Trials:
    """Tries mutants of functions once pytest has collected the tests, and those pass: a plugin for it."""

    def __init__(self, path: Path, mutants: list[Mutant]) -> None:
        self.fates: dict[Mutant, str] | None = None
        self._path, self._mutants = str(path), mutants
        self._entered: set[str] = set()  # functions, since the last test
        self._tests: dict[str, set[int]] = defaultdict(set)  # by function: those that enter it

    def pytest_runtestloop(self, session: Any) -> bool:
        """Run the tests unchanged, then those that each mutant needs."""
        sys.settrace(self._trace)
        threading.settrace(self._trace)
        began = time.monotonic()
        for number, (item, following) in enumerate(zip_longest(session.items, session.items[1:])):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            self._note(number, session.items)
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]  # typeshed: None ends it
        if session.testsfailed:
            return True
        seconds = round(TIMES_AS_LONG * (time.monotonic() - began)) + SECONDS_MORE
        self.fates = {each: forked(lambda each=each: self._fate(session, each), seconds) for each in self._mutants}
        return True

    def _trace(self, frame: FrameType, event: str, argument: object) -> None:
        if frame.f_code.co_filename == self._path:
            self._entered.add(frame.f_code.co_qualname.split(".<locals>")[0])

    def _note(self, number: int, items: list[Any]) -> None:
        """Take down what a test entered; what may have been a fixture's concerns those that follow in its file too."""
        last = max(later for later, item in enumerate(items) if item.path == items[number].path)
        for function in self._entered:
            self._tests[function] |= {number} if self._tests[function] else set(range(number, last + 1))
        self._entered.clear()

    def _fate(self, session: Any, mutant: Mutant) -> str:
        put_in_place(mutant, self._path)
        items = [session.items[number] for number in sorted(self._tests[mutant.function])]
        for item, following in zip_longest(items, items[1:]):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return NOTICED
        return SURVIVED


def put_in_place(mutant: Mutant, path: str) -> None:
    """Give the functions of a module that is imported the code of a mutant, and forget what was cached."""
    codes = {code.co_qualname: code for code in codes_in(compile(changed(mutant), path, "exec"))}
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename == path and each.__qualname__ in codes:
            each.__code__ = codes[each.__qualname__]
        if isinstance(each, functools._lru_cache_wrapper):
            each.cache_clear()


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of everything that some code makes, functions and their functions."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from codes_in(each)


def changed(mutant: Mutant) -> ast.Module:
    """Return the tree of a mutant."""
    tree = parsed(mutant.module)
    next(change for each, change in mutants_of(mutant.module, tree) if each == mutant)()
    return ast.fix_missing_locations(tree)


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
    line = path_of(mutant.module).read_text(encoding="utf-8").splitlines()[mutant.line - 1].strip()
    before, after = (ast.unparse(tree).splitlines() for tree in (parsed(mutant.module), changed(mutant)))
    new = [now.strip() for old, now in zip(before, after, strict=False) if old != now]
    return f"{line}  ->  {new[0] if new else 'nothing'}"


if __name__ == "__main__":
    main()
