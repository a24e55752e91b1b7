"""What processes cost, by the kernel's own count."""

import os
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
USER_AND_SYSTEM = slice(11, 13)
"""utime and stime among the fields of /proc/PID/stat that follow the program's name (proc(5))."""


def cpu_seconds(processes: Iterable[int]) -> float:
    """Return the CPU seconds that these processes have spent since they began."""
    return sum(_ticks(process) for process in processes) / TICKS


def resident_mb(processes: Iterable[int]) -> float:
    """Return the resident memory of these processes in MB."""
    return sum(_resident(process) for process in processes) / 1024


def _ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[USER_AND_SYSTEM])


def _resident(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:")))
