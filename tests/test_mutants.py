"""Mutants: each changes one thing, is put where the module is, and what becomes of it is told apart."""

import ast
import os
import time
from types import FunctionType, ModuleType

import pytest

NAMES = ("mutants",)
SOURCE = """
LEAST = 3
def pair(a: int, b: int = 2) -> bool:
    print(a)
    return min(a, b) < LEAST and not a
"""


@pytest.fixture
def tool(examples: dict[str, ModuleType]) -> ModuleType:
    return examples["mutants"]


def test_each_changes_one_thing_and_says_where_it_is(tool: ModuleType) -> None:
    found = {}
    for number, (mutant, _) in enumerate(tool.mutants_of("it", ast.parse(SOURCE))):
        tree = ast.parse(SOURCE)
        changes = [change for _, change in tool.mutants_of("it", tree)]
        changes[number]()
        before, after = ast.unparse(ast.parse(SOURCE)).splitlines(), ast.unparse(tree).splitlines()
        (line,) = [now for now, old in zip(after, before, strict=True) if now != old]
        found[line.strip()] = (mutant.line, mutant.kind, mutant.function)
    assert found == {
        "LEAST = 4": (2, "number", ""),
        "def pair(a: int, b: int=3) -> bool:": (3, "number", ""),
        "None": (4, "call", "pair"),
        "return min(a, b) < LEAST or not a": (5, "either", "pair"),
        "return min(a, b) <= LEAST and (not a)": (5, "compare", "pair"),
        "return min(a, b) < LEAST and (not not a)": (5, "negation", "pair"),
        "return max(a, b) < LEAST and (not a)": (5, "name", "pair"),
    }


def test_a_function_of_an_imported_module_is_changed_in_place(tool: ModuleType, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    path = str(tmp_path / "it.py")
    module: dict[str, FunctionType] = {}
    exec(compile("def least(a, b):\n    return min(a, b)\n", path, "exec"), module)
    monkeypatch.setattr(tool, "changed", lambda mutant: ast.parse("def least(a, b):\n    return max(a, b)\n"))
    assert module["least"](1, 2) == 1
    tool.put_in_place(None, path)
    assert module["least"](1, 2) == 2


def test_what_returns_what_dies_and_what_never_ends_are_told_apart(tool: ModuleType) -> None:
    assert tool.forked(lambda: {"a": 1}, 20) == {"a": 1}
    assert tool.forked(lambda: os._exit(3), 20) == tool.NOTICED
    assert tool.forked(lambda: time.sleep(60), 1) == tool.ENDLESS
    assert "ZeroDivisionError" in tool.forked(lambda: 1 // 0, 20)


def test_tests_are_those_that_mirror_a_module_or_import_it(tool: ModuleType) -> None:
    assert [path.rpartition("/")[2] for path in tool.tests_of("parts.cut")] == ["test_parts_cut.py"]
    assert [path.rpartition("/")[2] for path in tool.tests_of("stages.cast")] == ["test_stages_who.py"]
    assert set(tool.below("parts")) >= {"parts.cut", "parts.roll"} and tool.below("parts.cut") == ["parts.cut"]
