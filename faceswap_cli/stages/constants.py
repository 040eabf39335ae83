"""Tell which numbers the modules of a room hold by name: what is made with other ones is no longer the same.

They stand beside the numbers in the records of a recipe's steps (`portrait/protocols.py`), which tell themselves.
"""

import importlib
import pkgutil
from typing import Any


def constants_of(package: str) -> dict[str, Any]:
    """Return the constants of all modules in a package, such as {"faceswap_cli.portrait.geometry.GAIN": 2.2}.

    Those are numbers, spans of them, and tuples and lists of either; an imported one is told of all modules it is in.
    """
    found = dict[str, Any]()
    for each in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        names = vars(importlib.import_module(each.name))
        found |= {f"{each.name}.{name}": value for name, value in names.items() if name.isupper() and _is_number(value)}
    return found


def _is_number(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_number, value))
    return isinstance(value, int | float | slice | range)
