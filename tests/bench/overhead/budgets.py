# SPDX-License-Identifier: Apache-2.0
"""What madvtrace may cost, in one table. No input or output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .summary import Summary

JUDGED = "madvtrace"
_NOISE, _PRINTER = "none", "bpftrace-print"

# Of one target, by tool; empty where a tool was not run.
Summaries = Mapping[str, Summary]


@dataclass(frozen=True)
class Verdict:
    met: bool | None  # None: what it takes to know was not measured
    text: str


@dataclass(frozen=True)
class Budget:
    target: str | None  # None: each
    name: str
    limit: float
    unit: str
    measured: Callable[[Summaries], float | None]


def _wall(all_of: Summaries, tool: str = JUDGED) -> float | None:
    ratio = all_of[tool].wall if tool in all_of else None
    return None if ratio is None else ratio.of_medians


def _beyond_noise(of: Callable[[Summary], float | None]) -> Callable[[Summaries], float | None]:
    def measured(all_of: Summaries) -> float | None:
        if JUDGED not in all_of or _NOISE not in all_of:
            return None
        value, noise = of(all_of[JUDGED]), of(all_of[_NOISE])
        return None if value is None or noise is None else value / noise

    return measured


def _cpu(summary: Summary) -> float | None:
    return None if summary.cpu is None else summary.cpu.of_medians


def _p99(summary: Summary) -> float | None:
    return None if summary.p99 is None else summary.p99.of_medians


def _extra_against_printer(all_of: Summaries) -> float | None:
    ours, theirs = _wall(all_of), _wall(all_of, _PRINTER)
    if ours is None or theirs is None or theirs <= 1:
        return None
    return (ours - 1) / (theirs - 1)


def _outside_noise(all_of: Summaries) -> float | None:
    """How far beyond the slowest (or fastest) pair without a tool."""
    ours, noise = _wall(all_of), all_of[_NOISE].wall if _NOISE in all_of else None
    if ours is None or noise is None:
        return None
    return max(0.0, ours - noise.highest, noise.lowest - ours)


def _tracer_cpu_percent(all_of: Summaries) -> float | None:
    own = all_of.get(JUDGED)
    return None if own is None or own.tracer_cpu_share is None else 100 * own.tracer_cpu_share


def _lost(all_of: Summaries) -> float | None:
    own = all_of.get(JUDGED)
    if own is None or own.lost is None:
        return None
    unseen = 0 if own.made is None or own.seen is None else abs(own.made - own.seen)
    return float(own.lost + unseen)


def _peak_mib(all_of: Summaries) -> float | None:
    own = all_of.get(JUDGED)
    return None if own is None or own.tracer_max_rss_bytes is None else own.tracer_max_rss_bytes / (1 << 20)


BUDGETS = (
    Budget("server", "CPU beyond noise", 1.01, "", _beyond_noise(_cpu)),
    Budget("server", "p99 beyond noise", 1.02, "", _beyond_noise(_p99)),
    Budget("paced", "tracer CPU", 2.0, "%", _tracer_cpu_percent),
    Budget("pressure", "wall", 1.10, "", _wall),
    Budget("churn", "wall", 1.40, "", _wall),
    Budget("churn", "extra wall, of bpftrace's", 0.5, "", _extra_against_printer),
    Budget("bystander", "wall outside noise", 0.0, "", _outside_noise),
    Budget(None, "lost or unseen", 0, "", _lost),
    Budget(None, "peak", 64, " MiB", _peak_mib),
)


def verdicts(target: str, all_of: Summaries) -> list[Verdict]:
    result = []
    for budget in BUDGETS:
        if budget.target not in (None, target):
            continue
        value = budget.measured(all_of)
        if value is None:
            result.append(Verdict(None, f"{budget.name}: unknown"))
            continue
        met = value <= budget.limit
        text = f"{budget.name} {value:.3g}{budget.unit} {'≤' if met else '>'} {budget.limit:g}{budget.unit}"
        result.append(Verdict(met, text))
    return result
