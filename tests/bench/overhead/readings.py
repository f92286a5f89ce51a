# SPDX-License-Identifier: Apache-2.0
"""What each tool's output says that it saw. Text in, numbers out."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

CALLS = ("madvise", "mmap", "munmap")
_RELEASING = ("MADV_DONTNEED", "MADV_FREE")


@dataclass(frozen=True)
class Seen:
    events: int | None = None
    releases: int | None = None
    lost: int | None = None


def of_madvtrace(events_csv: Iterable[str], summary_json: str) -> Seen:
    events = releases = 0
    for row in csv.DictReader(events_csv):
        if row["call"] not in CALLS:
            continue
        events += 1
        releases += row["call"] == "munmap" or row["advice"] in _RELEASING
    lost = json.loads(summary_json)["lost"]
    return Seen(events, releases, sum(lost.values()))


_BPFTRACE_LOST = re.compile(r"^Lost (\d+) events", re.MULTILINE)


def _lost_of_bpftrace(messages: str) -> int:
    return sum(int(count) for count in _BPFTRACE_LOST.findall(messages))


def of_bpftrace_lines(lines: Iterable[str], messages: str) -> Seen:
    """A line a call, its name first; losses are told among them or in messages."""
    events, text = 0, [messages]
    for line in lines:
        if line.startswith(CALLS):
            events += 1
        elif line.startswith("Lost"):
            text.append(line)
    return Seen(events, None, _lost_of_bpftrace("\n".join(text)))


_BPFTRACE_COUNT = re.compile(r"^@(?:madvise\[(\d+)\]|mmap|munmap): (\d+)$", re.MULTILINE)


def of_bpftrace_maps(output: str, messages: str) -> Seen:
    """@madvise[ADVICE], @mmap and @munmap are counts; a map that nothing came into is not shown."""
    events = sum(int(count) for _, count in _BPFTRACE_COUNT.findall(output))
    return Seen(events, None, _lost_of_bpftrace(messages))


_CALL = re.compile(rf"(?:^|[ \d])(?:{'|'.join(CALLS)})\(")
_PERF_LOST = re.compile(r"LOST (\d+) events")


def of_perf_trace(lines: Iterable[str], messages: str) -> Seen:
    """A call that another thread's line interrupts has a second line, "[continued]"."""
    events = 0
    lost = sum(int(count) for count in _PERF_LOST.findall(messages))
    for line in lines:
        told = _PERF_LOST.search(line)
        if told:
            lost += int(told.group(1))
        elif "[continued]" not in line and _CALL.search(line):
            events += 1
    return Seen(events, None, lost)


def of_strace(lines: Iterable[str]) -> Seen:
    """An interrupted call has a second line, "<... NAME resumed>". It stops the program for
    each call, so that it has none to lose and no count of them."""
    return Seen(sum(1 for line in lines if _CALL.search(line)))


def latencies_ns(hey_csv: Iterable[str]) -> list[int]:
    """Of the answers that were good, from `hey -o csv`."""
    return [round(float(row["response-time"]) * 1e9) for row in csv.DictReader(hey_csv) if row["status-code"] == "200"]
