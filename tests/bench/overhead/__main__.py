# SPDX-License-Identifier: Apache-2.0
"""The command line of scripts/bench, which prepares what this needs."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import BenchError
from .machine import this_machine
from .measure import SLOW_PAIRS, SLOW_RATIO, Failure, Place, measure_target
from .rows import ResultsFile, Run
from .summary import summarize
from .table import preface, target_table
from .targets import all_targets
from .tools import all_tools


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _options(tools: Sequence[str], targets: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures what madvtrace costs a program that it traces, beside what else one could use. "
        "For each tool, the same work is done without it and with it, one right after the other, again and again; "
        "what counts is the ratio. All of it takes about 20 minutes.",
        epilog="It leaves results.csv (a line for each run) and table.md in the directory of --out, and prints the "
        "table. A machine that does something else meanwhile makes noise: the row of the tool none, a second run "
        "without any, says how much. Exit status: 0 measured, budgets met or not; 1 something could not be measured.",
    )

    def add(name: str, text: str, **how: Any) -> None:
        parser.add_argument(name, help=text, **how)

    add(
        "--pairs",
        "pairs for each target and tool (default 10); other tools than madvtrace get half of them, and "
        f"{SLOW_PAIRS} at most where a run takes more than {SLOW_RATIO:g} times as long with it",
        type=_positive,
        default=10,
        metavar="N",
    )
    for name, names in (("--target", targets), ("--tool", tools)):
        add(name, f"only this one; repeatable: {', '.join(names)}", action="append", choices=names, metavar="NAME")
    add("--out", "default: build/bench", type=Path, metavar="DIR")
    add(
        "--lock",
        "hold flock(2) on FILE during each pair: for a machine that others measure on too",
        type=Path,
        metavar="FILE",
    )
    add("--repo", argparse.SUPPRESS, type=Path, required=True)
    return parser.parse_args()


def _progress(run: Run) -> None:
    parts = [f"round {run.round + 1}", run.target, run.tool, "with" if run.traced else "without"]
    parts.append(f"{run.wall_ns / 1e6:.0f} ms")
    if run.events_seen is not None:
        parts.append(f"seen {run.events_seen}" + ("" if run.calls_made is None else f" of {run.calls_made}"))
    if run.events_lost:
        parts.append(f"LOST {run.events_lost}")
    _say(", ".join(parts))


def main() -> int:
    # The names do not depend on where the programs are.
    options = _options([t.name for t in all_tools(Path())], [t.name for t in all_targets(Path())])
    build: Path = options.repo / "build" / "release"
    madvtrace = build / "madvtrace"
    tools = [tool for tool in all_tools(madvtrace) if not options.tool or tool.name in options.tool]
    targets = [
        target for target in all_targets(build / "targets") if not options.target or target.name in options.target
    ]
    out: Path = (options.out or options.repo / "build" / "bench").absolute()
    out.mkdir(parents=True, exist_ok=True)
    results = ResultsFile(out / "results.csv")
    runs: list[Run] = []
    failures: list[Failure] = []

    def keep(run: Run) -> None:
        runs.append(run)
        results.write(run)
        _progress(run)

    begin = time.monotonic()
    for target in targets:
        try:
            failed = measure_target(target, tools, options.pairs, Place(out / "work", options.lock), keep)
        except BenchError as problem:
            failed = [Failure(target.name, tool.name, str(problem)) for tool in tools]
        for failure in failed:
            _say(f"FAILED: {failure.target}, {failure.tool}: {failure.why}")
        failures += failed

    titles = {tool.name: tool.title for tool in tools}
    text = preface(this_machine(madvtrace), options.pairs)
    for target in targets:
        measured = {run.tool for run in runs if run.target == target.name}
        summaries = {tool: summarize(runs, target.name, tool) for tool in titles if tool in measured}
        text += target_table(target.title, target.name, titles, summaries, failures)
    (out / "table.md").write_text(text, encoding="utf-8")
    print(text, end="")
    _say(f"{len(runs)} runs in {time.monotonic() - begin:.0f} s; {out}/results.csv and {out}/table.md")
    return 1 if failures else 0


if __name__ == "__main__":
    # As an exception, so that every child is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except BenchError as problem:
        _say(str(problem))
        sys.exit(1)
    except KeyboardInterrupt:
        _say("interrupted: results.csv has what was measured")
        sys.exit(130)
