# SPDX-License-Identifier: Apache-2.0
"""The tables, in Markdown. Text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .budgets import JUDGED, Summaries, Verdict, verdicts
from .machine import Machine
from .measure import SLOW_PAIRS, SLOW_RATIO, Failure
from .ratios import Ratio
from .summary import Summary

_HEADER = (
    "tool",
    "pairs",
    "wall min / median / max",
    "CPU",
    "p99",
    "seen of made",
    "lost",
    "tracer CPU",
    "tracer peak",
    "budget",
)


def _number(value: float | None, form: str = "{:.3f}") -> str:
    return "" if value is None else form.format(value)


def _spread(ratio: Ratio | None) -> str:
    return "" if ratio is None else f"{ratio.lowest:.3f} / **{ratio.of_medians:.3f}** / {ratio.highest:.3f}"


def _middle(ratio: Ratio | None) -> str:
    return "" if ratio is None else f"{ratio.of_medians:.3f}"


def _seen_of_made(summary: Summary) -> str:
    if summary.seen is None:
        return ""
    return f"{summary.seen}" if summary.made is None else f"{summary.seen} of {summary.made}"


def budget_cell(judged: Sequence[Verdict]) -> str:
    parts = []
    missed = [verdict.text for verdict in judged if verdict.met is False]
    unknown = [verdict.text for verdict in judged if verdict.met is None]
    met = [verdict.text for verdict in judged if verdict.met]
    if missed:
        parts.append("**missed:** " + "; ".join(missed))
    if unknown:
        parts.append("; ".join(unknown))
    if met:
        parts.append("met: " + "; ".join(met))
    return ". ".join(parts)


def _row(title: str, summary: Summary, budget: str) -> list[str]:
    share = None if summary.tracer_cpu_share is None else 100 * summary.tracer_cpu_share
    peak = None if summary.tracer_max_rss_bytes is None else summary.tracer_max_rss_bytes / (1 << 20)
    return [
        title,
        "" if summary.wall is None else str(summary.wall.pairs),
        _spread(summary.wall),
        _middle(summary.cpu),
        _middle(summary.p99),
        _seen_of_made(summary),
        "" if summary.lost is None else str(summary.lost),
        _number(share, "{:.1f}%"),
        _number(peak, "{:.0f} MiB"),
        budget,
    ]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def target_table(
    title: str, name: str, titles: Mapping[str, str], summaries: Summaries, failures: Sequence[Failure]
) -> str:
    """titles: of the tools, in the order of their rows."""
    text = f"### {name}: {title}\n\n"
    rates = [s.calls_per_second for tool, s in summaries.items() if tool == JUDGED and s.calls_per_second is not None]
    if rates:
        text += f"{rates[0]:.0f} calls of madvise, mmap and munmap a second while madvtrace traces them.\n\n"
    text += _line(_HEADER) + _line(["---"] + ["---:"] * (len(_HEADER) - 2) + ["---"])
    why = {failure.tool: failure.why for failure in failures if failure.target == name}
    for tool, tool_title in titles.items():
        if tool in summaries:
            budget = budget_cell(verdicts(name, summaries)) if tool == JUDGED else ""
            if tool in why:
                budget = "; ".join(part for part in (budget, f"failed: {why[tool]}") if part)
            text += _line(_row(tool_title, summaries[tool], budget))
        elif tool in why:
            text += _line([tool_title] + [""] * (len(_HEADER) - 2) + [f"failed: {why[tool]}"])
    return text + "\n"


def preface(machine: Machine, pairs: int) -> str:
    return (
        f"{machine.processor}, {machine.processors} processors, Linux {machine.kernel}; "
        f"{'; '.join(machine.versions)}.\n"
        f"{pairs} pairs of a run without and a run with the tool, one right after the other; half as many\n"
        f"of other tools than madvtrace, and {SLOW_PAIRS} at most where a run takes more than {SLOW_RATIO:g} times\n"
        "as long with it. Ratios are those of the medians of both; min and max are those of single\n"
        "pairs. CPU and p99 are the traced program's. Seen and made are its calls of madvise, mmap and\n"
        "munmap; they and lost are sums over all runs; empty is unknown. Tracer CPU is that of its user\n"
        "space, of one processor, while the program works; what it does in the kernel is in the program's.\n\n"
    )
