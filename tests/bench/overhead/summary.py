# SPDX-License-Identifier: Apache-2.0
"""What the runs of one tool on one target come to. No input or output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .ratios import Ratio, largest_of, median_of, ratio_of, sum_of
from .rows import Run


@dataclass(frozen=True)
class Summary:
    target: str
    tool: str
    wall: Ratio | None = None
    cpu: Ratio | None = None
    p99: Ratio | None = None
    made: int | None = None  # sums over the runs
    seen: int | None = None
    lost: int | None = None
    calls_per_second: float | None = None  # seen or made, of the work's own time
    tracer_cpu_share: float | None = None  # of one processor, while the target worked
    tracer_max_rss_bytes: float | None = None


def _pairs(runs: Sequence[Run], value: Callable[[Run], int | None]) -> list[tuple[float | None, float | None]]:
    untraced = {run.round: value(run) for run in runs if not run.traced}
    return [(untraced[run.round], value(run)) for run in runs if run.traced and run.round in untraced]


def _per_second(count: int | None, runs: Sequence[Run]) -> float | None:
    wall_ns = sum(run.wall_ns for run in runs)
    return None if count is None or wall_ns == 0 else count * 1e9 / wall_ns


def summarize(runs: Sequence[Run], target: str, tool: str) -> Summary:
    own = [run for run in runs if run.target == target and run.tool == tool]
    traced = [run for run in own if run.traced]
    made = sum_of([run.calls_made for run in traced])
    seen = sum_of([run.events_seen for run in traced])
    return Summary(
        target,
        tool,
        ratio_of(_pairs(own, lambda run: run.wall_ns)),
        ratio_of(_pairs(own, lambda run: run.target_cpu_ns)),
        ratio_of(_pairs(own, lambda run: run.latency_p99_ns)),
        made,
        seen,
        sum_of([run.events_lost for run in traced]),
        _per_second(seen if made is None else made, traced),
        median_of(
            [None if run.tracer_work_cpu_ns is None else run.tracer_work_cpu_ns / run.wall_ns for run in traced]
        ),
        largest_of([run.tracer_max_rss_bytes for run in traced]),
    )
