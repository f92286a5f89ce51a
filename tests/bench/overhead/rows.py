# SPDX-License-Identifier: Apache-2.0
"""One single run, and its line in results.csv. None is unknown, and an empty field."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True)
class Run:
    round: int
    target: str
    tool: str
    # 1: with the tool. Of the tool "none", 1 is the run that stands where others have theirs.
    traced: int
    wall_ns: int
    target_cpu_ns: int | None = None
    latency_p50_ns: int | None = None
    latency_p99_ns: int | None = None
    calls_made: int | None = None  # madvise, mmap and munmap of the traced process, in its own count
    events_seen: int | None = None  # the same calls, in the tool's
    releases_seen: int | None = None  # of them, those that give pages back
    events_lost: int | None = None  # as the tool says
    tracer_cpu_ns: int | None = None  # from its start to its end
    tracer_work_cpu_ns: int | None = None  # of it, while the target worked
    tracer_max_rss_bytes: int | None = None


HEADER = [field.name for field in fields(Run)]


class ResultsFile:
    """Each line is on disk when write() returns."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._write(HEADER)

    def write(self, run: Run) -> None:
        self._write("" if value is None else value for value in astuple(run))

    def _write(self, values: Iterable[object]) -> None:
        self._writer.writerow(list(values))
        self._file.flush()
