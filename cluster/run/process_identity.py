"""Identify a process across reuse of its pid, and read its state (Linux)."""

from pathlib import Path


def machine() -> str:
    """Return boot id and process namespace of this process; empty where the system has none."""
    # A pid is unique within both only: containers of one machine share the boot but number their own pids.
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def born(pid: int) -> str:
    """Return the start time of a process in kernel ticks, which distinguishes a reused pid; empty if it is gone."""
    return process_state(pid)[1]


def process_state(pid: int) -> tuple[str, str]:
    """Return the one-letter state of a process and its start time in kernel ticks; both empty if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    # The name is in brackets and may itself contain brackets and spaces.
    fields = text.rpartition(")")[2].split()
    return fields[0], fields[19]
