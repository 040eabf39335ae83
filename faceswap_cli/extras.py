"""Open what needs an extra of the package, and say which one when it is missing."""

import re
from importlib import import_module, metadata
from types import ModuleType

from .errors import UsageError

EXTRAS = dict.fromkeys(("torch", "kornia", "onnxscript"), "train") | {
    "openvino": "openvino",
    "ray": "ray",
    "tensorboard": "tensorboard",
    "c2pa": "c2pa",
    "cryptography": "c2pa",
}


def load(module: str) -> ModuleType:
    """Import one of our modules that needs an optional package; raise UsageError with the command that brings it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRAS:
            raise
        raise UsageError(f"this needs {missing}, which is not installed: run `{how_to_install(missing)}`") from error


def how_to_install(package: str) -> str:
    """Return the command that brings the extra of a package; it works wherever faceswap itself came from."""
    extra = EXTRAS[package]
    try:
        wanted = [each.partition(";") for each in metadata.requires("faceswap-cli") or []]
    except metadata.PackageNotFoundError:  # a bare checkout
        wanted = []
    needed = [name.strip() for name, _, when in wanted if re.search(rf"extra == ['\"]{extra}['\"]", when)]
    return f"python -m pip install {' '.join(repr(each) for each in needed) if needed else repr(f'.[{extra}]')}"
