"""Which process a pid names, and whether it still runs, as far as the kernel tells (Linux)."""

from pathlib import Path


def machine() -> str:
    """Name the kernel's boot and the process namespace; empty where the kernel does not tell.

    Only within both does a pid name one process: containers of one machine share the boot and count pids on their own.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def born(pid: int) -> str:
    """Return when the process started, in the kernel's own count: it tells a pid that was used again."""
    return process_state(pid)[1]


def process_state(pid: int) -> tuple[str, str]:
    """Return the one-letter state of a process and when it started; both empty when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    # The name stands in brackets and may hold anything, brackets and spaces too.
    fields = text.rpartition(")")[2].split()
    return fields[0], fields[19]
