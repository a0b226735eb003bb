"""What decides the rounding of a process: instruction sets of its CPU, name of its GPU."""

import platform
import re
from functools import cache
from pathlib import Path

_DECISIVE = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve")
"""Instruction sets by which numerical libraries choose their kernels."""


@cache
def cpu_class(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return architecture and decisive instruction sets of the CPU, such as `x86_64 avx2 fma`."""
    try:
        found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        # Other systems name the model alone.
        return f"{platform.machine()} {platform.processor()}".strip()
    flags = set(found[1].split()) if found else set()
    return " ".join([platform.machine(), *(name for name in _DECISIVE if name in flags)])


def machine_class(gpu: bool) -> str:
    """Return `cpu_class`, followed by the name of the GPU where this process has one."""
    if not gpu:
        return cpu_class()
    import torch

    return f"{cpu_class()}, {torch.cuda.get_device_name()}" if torch.cuda.is_available() else cpu_class()
