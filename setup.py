"""Install the weights folder, which lies beside the package, as `faceswap_cli.weights`."""

from setuptools import find_packages, setup

PACKAGES = find_packages(include=["faceswap_cli", "faceswap_cli.*"])

setup(
    packages=[*PACKAGES, "faceswap_cli.weights"],
    package_dir={"faceswap_cli.weights": "weights"},
)
