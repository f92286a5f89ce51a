# SPDX-License-Identifier: Apache-2.0
"""Pairs of runs: without and with a tool, one right after the other."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError
from .processes import cpu_ns
from .rows import Run
from .targets import Program, Target
from .tools import Tool, attach

# With a tool that makes a run take this many times as long, no more pairs than these.
SLOW_RATIO, SLOW_PAIRS = 5.0, 3


def pairs_of(tool: Tool, pairs: int) -> int:
    """The peers are there to compare with, and half as many tell: the whole must end."""
    return pairs if tool.is_madvtrace or tool.name == "none" else (pairs + 1) // 2


@dataclass(frozen=True)
class Failure:
    """A tool that gave no answer on a target."""

    target: str
    tool: str
    why: str


@dataclass(frozen=True)
class Place:
    """Where runs leave their files, and who else measures on the machine."""

    directory: Path
    lock: Path | None

    @contextmanager
    def alone(self) -> Iterator[None]:
        if self.lock is None:
            yield
            return
        with self.lock.open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _untraced(start: Callable[[], AbstractContextManager[Program]], target: str, tool: str, number: int, b: int) -> Run:
    with start() as program:
        work = program.work()
    return Run(
        number, target, tool, b, work.wall_ns, work.cpu_ns, work.latency_p50_ns, work.latency_p99_ns, work.calls_made
    )


def _traced(
    start: Callable[[], AbstractContextManager[Program]], target: str, tool: Tool, number: int, directory: Path
) -> Run:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    with start() as program, attach(tool, program.traced_pid, directory) as child:
        used_before = cpu_ns(child.pid)
        work = program.work()
        used_in_work = cpu_ns(child.pid) - used_before
        usage = child.stop()
        if tool.is_madvtrace and usage.status not in (0, 4):
            raise BenchError(f"{tool.name} ended with {usage.status}: {child.last_words()}")
        seen = tool.read(directory, child.errors())
    shutil.rmtree(directory, ignore_errors=True)
    return Run(
        number,
        target,
        tool.name,
        1,
        work.wall_ns,
        work.cpu_ns,
        work.latency_p50_ns,
        work.latency_p99_ns,
        work.calls_made,
        seen.events,
        seen.releases,
        seen.lost,
        usage.cpu_ns,
        used_in_work,
        usage.max_rss_bytes,
    )


def measure_target(
    target: Target, tools: Sequence[Tool], pairs: int, place: Place, keep: Callable[[Run], None]
) -> list[Failure]:
    """Interleaved: in each round every tool that has pairs left gets one, so that a change
    of the machine meets them all; who is first in a pair changes from round to round."""
    failures: list[Failure] = []
    left = {tool.name: pairs_of(tool, pairs) for tool in tools}
    home = place.directory / target.name
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    with target.open(home) as start:
        for number in range(pairs):
            for tool in tools:
                if left[tool.name] <= 0:
                    continue
                left[tool.name] -= 1

                def second(tool: Tool = tool, number: int = number) -> Run:
                    if tool.name == "none":
                        return _untraced(start, target.name, tool.name, number, 1)
                    return _traced(start, target.name, tool, number, home / tool.name)

                def first(tool: Tool = tool, number: int = number) -> Run:
                    return _untraced(start, target.name, tool.name, number, 0)

                try:
                    with place.alone():
                        runs = [first(), second()] if number % 2 == 0 else [second(), first()]
                except BenchError as problem:
                    failures.append(Failure(target.name, tool.name, str(problem)))
                    left[tool.name] = 0
                    continue
                for run in runs:
                    keep(run)
                runs.sort(key=lambda run: run.traced)
                if runs[1].wall_ns > SLOW_RATIO * runs[0].wall_ns:
                    left[tool.name] = min(left[tool.name], SLOW_PAIRS - number - 1)
    return failures
