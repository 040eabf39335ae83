"""Open what needs an extra of the package, and say which one when it is missing."""

from importlib import import_module
from types import ModuleType

from .errors import UsageError

EXTRAS = {"torch": "train", "kornia": "train", "onnxscript": "train", "openvino": "openvino"} | dict.fromkeys(
    ("c2pa", "cryptography"), "c2pa"
)


def load(module: str) -> ModuleType:
    """Import one of our modules that needs an optional package; raise UsageError with the command that brings it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRAS:
            raise
        raise UsageError(
            f"this needs {missing}, which is not installed: run `pip install 'faceswap-cli[{EXTRAS[missing]}]'`"
        ) from error
