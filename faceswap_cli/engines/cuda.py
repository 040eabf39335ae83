"""The GPU as its driver shows it, asked without anything heavy."""

import ctypes
import os

COMPUTE_CAPABILITY_MAJOR, AMPERE = 75, 8  # the driver's number for the attribute, and the first value with TF32


def gpu_count() -> int:
    """Count the CUDA devices the driver shows, without importing anything heavy."""
    count = ctypes.c_int(0)
    driver = _cuda_driver()
    return count.value if driver is not None and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


def rounds_to_tf32() -> bool:
    """Tell whether CUDA's convolutions round float32 to TF32 here: they do from Ampere on, unless it is forbidden."""
    driver = _cuda_driver()
    if driver is None or os.environ.get("NVIDIA_TF32_OVERRIDE") == "0":
        return False
    major = ctypes.c_int(0)
    known = driver.cuDeviceGetAttribute(ctypes.byref(major), COMPUTE_CAPABILITY_MAJOR, 0) == 0
    return known and major.value >= AMPERE


def _cuda_driver() -> ctypes.CDLL | None:
    """Return CUDA's driver where it is installed and works."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        if driver.cuInit(0) == 0:
            return driver
    return None
