# SPDX-License-Identifier: Apache-2.0
"""The programs that are traced. Each waits until the tool is attached, then does the same
work each time."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from .processes import Child
from .server import Server


@dataclass(frozen=True)
class Work:
    wall_ns: int
    cpu_ns: int
    latency_p50_ns: int | None = None
    latency_p99_ns: int | None = None
    calls_made: int | None = None


@dataclass(frozen=True)
class Program:
    """At its gate."""

    traced_pid: int
    work: Callable[[], Work]


Opened: TypeAlias = AbstractContextManager[Callable[[], AbstractContextManager[Program]]]


@dataclass(frozen=True)
class Target:
    name: str
    title: str
    # Entered once for all runs of the target; each call of what it gives is one run.
    open: Callable[[Path], Opened]


def _work_of(answer: dict[str, Any]) -> Work:
    calls = answer.get("calls")
    return Work(
        answer["wall_ns"],
        answer["cpu_ns"],
        answer.get("p50_ns"),
        answer.get("p99_ns"),
        None if calls is None else sum(calls.values()),
    )


def _start(command: list[str], directory: Path) -> Child:
    name = Path(command[0]).name
    return Child(command, directory, name, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


def _let_through(child: Child) -> Work:
    child.send(b"g")
    return _work_of(child.read_json())


def _fresh(command: list[str]) -> Callable[[Path], Opened]:
    """A new process for each run."""

    @contextmanager
    def opened(directory: Path) -> Iterator[Callable[[], AbstractContextManager[Program]]]:
        @contextmanager
        def run() -> Iterator[Program]:
            with _start(command, directory) as child:
                child.read_json()
                yield Program(child.pid, lambda: _let_through(child))

        yield run

    return opened


def _beside(command: list[str], idle: list[str]) -> Callable[[Path], Opened]:
    """The tool traces another process, which does nothing."""

    @contextmanager
    def opened(directory: Path) -> Iterator[Callable[[], AbstractContextManager[Program]]]:
        @contextmanager
        def run() -> Iterator[Program]:
            with _start(idle, directory) as traced, _start(command, directory) as child:
                traced.read_json()
                child.read_json()

                def work() -> Work:
                    done = _let_through(child)
                    return Work(done.wall_ns, done.cpu_ns, done.latency_p50_ns, done.latency_p99_ns, 0)

                yield Program(traced.pid, work)

        yield run

    return opened


@contextmanager
def _server(directory: Path) -> Iterator[Callable[[], AbstractContextManager[Program]]]:
    with Server(directory) as server:

        @contextmanager
        def run() -> Iterator[Program]:
            def work() -> Work:
                window = server.window()
                return Work(window.wall_ns, window.cpu_ns, window.latency_p50_ns, window.latency_p99_ns)

            yield Program(server.pid, work)

        yield run


def all_targets(programs: Path) -> list[Target]:
    """What is fixed is the work: a time of 0.5 to 1 s was seen on a small virtual machine."""
    churn = [str(programs / "churn"), "-limit", "80"]
    pages = str(programs / "pages")
    return [
        Target("server", "a steady Go server: prometheus, range queries at a fixed rate", _server),
        Target(
            "pressure",
            "Go at its memory limit, which also computes",
            _fresh([*churn, "-live", "32", "-limit", "46", "-turns", "2", "-work", "140000"]),
        ),
        Target("churn", "Go at its memory limit, fragmented, which does nothing else", _fresh([*churn, "-turns", "4"])),
        Target("storm", "C, one thread: a page written and given back", _fresh([pages, "storm", "40000"])),
        Target("paced", "C, one thread: 1,000 pages written and given back a second", _fresh([pages, "paced", "2000"])),
        Target("faults", "C, two threads: fresh pages touched and unmapped", _fresh([pages, "faults", "400"])),
        Target(
            "bystander",
            "the storm, while the tool traces another, idle process",
            _beside([pages, "storm", "40000"], [pages, "idle"]),
        ),
    ]
