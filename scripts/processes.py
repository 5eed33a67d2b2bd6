"""What the system knows about a process (Linux)."""

import os
import re
from pathlib import Path


def resident_mb(pid: int) -> float:
    """Its memory in MiB; 0 when it is gone."""
    found = re.search(r"VmRSS:\s+(\d+) kB", _read(pid, "status"))
    return int(found.group(1)) / 1024 if found else 0.0


def cpu_seconds(pid: int) -> float:
    """Its processor time so far; 0 when it is gone."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if len(fields) > 12 else 0.0


def num_threads(pid: int) -> int:
    found = re.search(r"Threads:\s+(\d+)", _read(pid, "status"))
    return int(found.group(1)) if found else 0


def num_open_files(pid: int) -> int:
    try:
        return sum(1 for _entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


def family(pid: int) -> list[int]:
    """A process and its descendants, parents first (Linux)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            children.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:
        found.extend(children.get(each, []))
    return found


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8")
    except OSError:
        return ""
