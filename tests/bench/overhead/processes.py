# SPDX-License-Identifier: Apache-2.0
"""Child processes: started, waited for within bounds, measured, and ended by their id."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .errors import BenchError

MOST_SECONDS = 300.0


def cpu_ns(pid: int) -> int:
    """Of all its threads, also those that have ended (the CPU clock of a process)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def peak_rss_bytes(pid: int) -> int | None:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return None


def wait_until(what: str, is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not in {seconds:.0f} s")
        time.sleep(0.005)


@dataclass(frozen=True)
class Usage:
    status: int
    cpu_ns: int
    max_rss_bytes: int | None


class Child:
    """Ends with its `with` block, whatever happens in it."""

    def __init__(self, command: Sequence[str], directory: Path, name: str, **options: Any) -> None:
        self.name = name
        self.error_path = directory / f"{name}.err"
        # Peak memory survives exec: below what this process had, it says nothing of the child.
        self._inherited_rss_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        with self.error_path.open("wb") as error:
            try:
                # Ctrl-C is for the harness, which ends its children itself.
                self._process = subprocess.Popen(
                    command, cwd=directory, stderr=error, start_new_session=True, **options
                )
            except OSError as problem:
                raise BenchError(f"{name} does not start: {problem}") from problem
        self.pid = self._process.pid
        self._pidfd = os.pidfd_open(self.pid)
        self._usage: Usage | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        if self._usage is None:
            # Not Popen.kill(), which reaps a child that has ended by itself.
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            self._reap(None)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        os.close(self._pidfd)

    @property
    def stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def has_ended(self, seconds: float = 0.0) -> bool:
        return bool(select.select([self._pidfd], [], [], seconds)[0])

    def errors(self) -> str:
        return self.error_path.read_text(encoding="utf-8", errors="replace")

    def last_words(self) -> str:
        return next((line for line in reversed(self.errors().splitlines()) if line.strip()), "it says nothing")

    def read_json(self) -> dict[str, Any]:
        """The next line of its standard output."""
        line = b""
        deadline = time.monotonic() + MOST_SECONDS
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.stdout], [], [], left)[0]:
                raise BenchError(f"{self.name}: no answer in {MOST_SECONDS:.0f} s")
            piece = os.read(self.stdout.fileno(), 65536)
            if not piece:
                raise BenchError(f"{self.name} ended without an answer: {self.last_words()}")
            line += piece
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    def send(self, piece: bytes) -> None:
        os.write(self.stdin.fileno(), piece)

    def stop(self, end_signal: signal.Signals = signal.SIGINT, seconds: float = 60.0) -> Usage:
        if self._usage is not None:
            return self._usage
        peak = None if self.has_ended() else peak_rss_bytes(self.pid)
        if not self.has_ended():
            signal.pidfd_send_signal(self._pidfd, end_signal)
        if not self.has_ended(seconds):
            raise BenchError(f"{self.name} does not end in {seconds:.0f} s after {end_signal.name}")
        return self._reap(peak)

    def wait(self, seconds: float = MOST_SECONDS) -> Usage:
        if not self.has_ended(seconds):
            raise BenchError(f"{self.name} does not end in {seconds:.0f} s")
        return self._reap(None)

    def _reap(self, peak_bytes: int | None) -> Usage:
        _, status, used = os.wait4(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        most = used.ru_maxrss << 10
        self._usage = Usage(
            self._process.returncode,
            round((used.ru_utime + used.ru_stime) * 1e9),
            most if most > self._inherited_rss_bytes else peak_bytes,
        )
        return self._usage
