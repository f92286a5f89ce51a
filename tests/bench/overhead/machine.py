# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    processor: str
    processors: int
    kernel: str
    versions: tuple[str, ...]


def processor_name(cpuinfo: str) -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def short_version(output: str) -> str:
    """The first number in what a program says of its version."""
    found = re.search(r"\d+(?:\.\d+)+[-\w.]*", output)
    return found.group(0) if found else "of unknown version"


def _version_of(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return f"{Path(command[0]).name} missing"
    return f"{Path(command[0]).name} {short_version(done.stdout + done.stderr)}"


def this_machine(madvtrace: Path) -> Machine:
    commands: list[list[str]] = [
        [str(madvtrace), "--version"],
        ["bpftrace", "--version"],
        ["perf", "--version"],
        ["strace", "--version"],
        ["go", "version"],
        ["prometheus", "--version"],
    ]
    return Machine(
        processor_name(Path("/proc/cpuinfo").read_text(encoding="utf-8")),
        len(os.sched_getaffinity(0)),
        platform.release(),
        tuple(_version_of(command) for command in commands),
    )
