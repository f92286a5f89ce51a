# SPDX-License-Identifier: Apache-2.0
"""What traces, or only watches, a process: how each is started, is known to be attached,
and what its output says that it saw."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from . import readings
from .errors import BenchError
from .processes import Child, wait_until
from .readings import CALLS, Seen

_ATTACH_SECONDS = 30.0
# A file: a pipe that nobody empties would stop the tool.
_OUTPUT = "seen.txt"


@dataclass(frozen=True)
class Tool:
    name: str
    title: str
    command: Callable[[int], list[str]]  # of the pid to trace
    attached: Callable[[Child], None]  # returns when it is, or raises
    read: Callable[[Path, str], Seen]  # its directory, and what it wrote to stderr
    is_madvtrace: bool = False


@contextmanager
def attach(tool: Tool, pid: int, directory: Path) -> Iterator[Child]:
    """Every call that pid makes in the block is after the tool was attached."""
    reader, writer = os.pipe()
    try:
        command = tool.command(pid)
        if tool.is_madvtrace:
            command += ["--ready-fd", str(writer)]
        with (directory / _OUTPUT).open("wb") as output:
            with Child(command, directory, tool.name, stdout=output, pass_fds=(writer,)) as child:
                os.close(writer)
                writer = -1
                if tool.is_madvtrace:
                    _wait_for_line(child, reader)
                tool.attached(child)
                yield child
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)


def _wait_for_line(child: Child, reader: int) -> None:
    if not select.select([reader], [], [], _ATTACH_SECONDS)[0]:
        raise BenchError(f"{child.name} is not ready in {_ATTACH_SECONDS:.0f} s")
    if not os.read(reader, 64):
        raise BenchError(f"{child.name} gave up: {child.last_words()}")


def _need_alive(child: Child) -> None:
    if child.has_ended():
        raise BenchError(f"{child.name} gave up: {child.last_words()}")


def _at_once(child: Child) -> None:
    _need_alive(child)


def _when_it_says(text: str, output: str | None = None) -> Callable[[Child], None]:
    """In output, a file in its directory, or on standard error."""

    def attached(child: Child) -> None:
        path = child.error_path if output is None else child.error_path.parent / output

        def has_said() -> bool:
            _need_alive(child)
            return text in path.read_text(encoding="utf-8", errors="replace")

        wait_until(f"{child.name} says {text!r}", has_said, _ATTACH_SECONDS)

    return attached


def _perf_events(pid: int) -> int:
    count = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += "perf_event" in os.readlink(descriptor)
        except FileNotFoundError:
            pass  # closed in between
    return count


def _is_asleep(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "S"


def _when_events_are_open(child: Child) -> None:
    """perf and bpftrace do not say when they are attached. They are when they have opened
    perf events, and then neither open one nor do anything else for a while."""
    before, since = 0, time.monotonic()

    def is_quiet() -> bool:
        nonlocal before, since
        _need_alive(child)
        now = _perf_events(child.pid)
        if now == 0 or now != before or not _is_asleep(child.pid):
            before, since = now, time.monotonic()
        return time.monotonic() - since > 0.3

    wait_until(f"{child.name} opens its perf events", is_quiet, _ATTACH_SECONDS)


def _madvtrace(program: Path, name: str, *options: str) -> Tool:
    def read(directory: Path, _: str) -> Seen:
        trace = directory / "trace"
        with (trace / "events.csv").open(encoding="utf-8", newline="") as events:
            return readings.of_madvtrace(events, (trace / "summary.json").read_text(encoding="utf-8"))

    return Tool(
        name,
        " ".join(("madvtrace", *options)),
        lambda pid: [str(program), "-q", "-p", str(pid), "-o", "trace", *options],
        _at_once,
        read,
        is_madvtrace=True,
    )


def _script(pid: int, actions: dict[str, str]) -> str:
    return " ".join(
        f"tracepoint:syscalls:sys_enter_{call} /pid == {pid}/ {{ {action} }}" for call, action in actions.items()
    )


def _bpftrace_lines(pid: int) -> list[str]:
    script = _script(
        pid,
        {
            "madvise": 'printf("madvise %d %lx %lu %d\\n", tid, args->start, args->len_in, args->behavior);',
            "mmap": 'printf("mmap %d %lx %lu\\n", tid, args->addr, args->len);',
            "munmap": 'printf("munmap %d %lx %lu\\n", tid, args->addr, args->len);',
        },
    )
    return ["bpftrace", "-e", script]


def _bpftrace_maps(pid: int) -> list[str]:
    script = _script(
        pid,
        {
            "madvise": "@madvise[args->behavior] = count(); @madvise_bytes[args->behavior] = sum(args->len_in);",
            "mmap": "@mmap = count(); @mmap_bytes = sum(args->len);",
            "munmap": "@munmap = count(); @munmap_bytes = sum(args->len);",
        },
    )
    return ["bpftrace", "-e", script]


def _read_lines(directory: Path, messages: str, read: Callable[[TextIO, str], Seen]) -> Seen:
    with (directory / _OUTPUT).open(encoding="utf-8", errors="replace") as lines:
        return read(lines, messages)


# What a reader of smaps costs, without the start of a program for each reading.
_SMAPS_READER = """
import sys, time
path = sys.argv[1]
print("ready", flush=True)
while True:
    with open(path, "rb", buffering=0) as smaps:
        while smaps.read(65536):
            pass
    time.sleep(1)
"""


def all_tools(madvtrace: Path) -> list[Tool]:
    """The first is none: a second run without a tool. It is the noise."""
    return [
        Tool("none", "none (noise)", lambda _: [], _at_once, lambda *_: Seen()),
        _madvtrace(madvtrace, "madvtrace"),
        _madvtrace(madvtrace, "madvtrace-refaults", "--refaults"),
        _madvtrace(madvtrace, "madvtrace-exact", "--exact"),
        Tool(
            "bpftrace-print",
            "bpftrace, each call printed",
            _bpftrace_lines,
            _when_events_are_open,
            lambda directory, messages: _read_lines(directory, messages, readings.of_bpftrace_lines),
        ),
        Tool(
            "bpftrace-maps",
            "bpftrace, counts in maps",
            _bpftrace_maps,
            _when_events_are_open,
            lambda directory, messages: readings.of_bpftrace_maps(
                (directory / _OUTPUT).read_text(encoding="utf-8"), messages
            ),
        ),
        Tool(
            "perf-trace",
            "perf trace",
            lambda pid: ["perf", "trace", "-e", ",".join(CALLS), "-p", str(pid), "-o", _OUTPUT],
            _when_events_are_open,
            lambda directory, messages: _read_lines(directory, messages, readings.of_perf_trace),
        ),
        Tool(
            "strace",
            "strace -f -e trace=memory",
            lambda pid: ["strace", "-f", "-e", "trace=memory", "-p", str(pid), "-o", _OUTPUT],
            _when_it_says("attached"),
            lambda directory, _: _read_lines(directory, "", lambda lines, _: readings.of_strace(lines)),
        ),
        Tool(
            "smaps",
            "smaps read once a second",
            lambda pid: [sys.executable, "-ISc", _SMAPS_READER, f"/proc/{pid}/smaps"],
            _when_it_says("ready", _OUTPUT),
            lambda *_: Seen(),
        ),
    ]
