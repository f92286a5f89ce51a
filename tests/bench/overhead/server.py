# SPDX-License-Identifier: Apache-2.0
"""A real server under a steady load: Prometheus, and hey that asks it at a fixed rate.

Its data are made up and lie before the start: the work of a query must not grow while the
measurement goes on."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError
from .processes import Child, cpu_ns, wait_until
from .ratios import percentile
from .readings import latencies_ns

_SERIES, _STEP_SECONDS, _SPAN_SECONDS = 60, 5, 3600
_CLIENTS, _EACH_PER_SECOND, _WINDOW_SECONDS = 2, 12, 3
_WARM_UP_WINDOWS = 3
# With it, it makes some 200 releases a second at a rate at which it is idle a third of the time.
_GOGC = "12"


@dataclass(frozen=True)
class Window:
    wall_ns: int
    cpu_ns: int
    latency_p50_ns: int | None
    latency_p99_ns: int | None


def _samples(first: int) -> Iterator[str]:
    yield "# TYPE requests counter\n"
    for series in range(_SERIES):
        for at in range(first, first + _SPAN_SECONDS, _STEP_SECONDS):
            yield f'requests_total{{job="load",instance="{series}"}} {(at - first) * (series + 1)} {at}\n'
    yield "# EOF\n"


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


class Server:
    """Ends with its `with` block."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._address = _free_address()
        # A whole number of hours, well before now: one block on disk.
        self._first = (int(time.time()) - 3 * _SPAN_SECONDS) // 7200 * 7200

    def __enter__(self) -> Server:
        self._make_data()
        self._child = Child(
            [
                "prometheus",
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=tsdb",
                f"--web.listen-address={self._address}",
            ],
            self._directory,
            "prometheus",
            stdout=subprocess.DEVNULL,
            env={**os.environ, "GOGC": _GOGC},
        )
        try:
            wait_until("prometheus is ready", self._is_ready)
            for _ in range(_WARM_UP_WINDOWS):
                self.window()
        except BaseException:
            self._child.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._child.__exit__()

    @property
    def pid(self) -> int:
        return self._child.pid

    def window(self) -> Window:
        """So many requests, at a rate that leaves the server idle in between."""
        query = (
            f"http://{self._address}/api/v1/query_range?query=rate(requests_total%5B30s%5D)"
            f"&start={self._first + 60}&end={self._first + _SPAN_SECONDS - 60}&step=10"
        )
        count = _CLIENTS * _EACH_PER_SECOND * _WINDOW_SECONDS
        command = ["hey", "-n", str(count), "-c", str(_CLIENTS), "-q", str(_EACH_PER_SECOND), "-o", "csv", query]
        answers = self._directory / "hey.csv"
        with answers.open("wb") as output, Child(command, self._directory, "hey", stdout=output) as load:
            begin_ns, cpu_begin_ns = time.monotonic_ns(), cpu_ns(self.pid)
            load.wait()
            wall_ns, used_ns = time.monotonic_ns() - begin_ns, cpu_ns(self.pid) - cpu_begin_ns
        with answers.open(encoding="utf-8", newline="") as lines:
            latencies = latencies_ns(lines)
        if len(latencies) != count:
            raise BenchError(f"prometheus answered {len(latencies)} of {count} requests well: see {answers}")
        p50, p99 = percentile(latencies, 50), percentile(latencies, 99)
        return Window(wall_ns, used_ns, None if p50 is None else round(p50), None if p99 is None else round(p99))

    def _is_ready(self) -> bool:
        if self._child.has_ended():
            raise BenchError(f"prometheus gave up: {self._child.last_words()}")
        try:
            with urllib.request.urlopen(f"http://{self._address}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _make_data(self) -> None:
        (self._directory / "prometheus.yml").write_text("global: {scrape_interval: 1m}\n", encoding="utf-8")
        samples = self._directory / "samples.txt"
        with samples.open("w", encoding="utf-8") as lines:
            lines.writelines(_samples(self._first))
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(samples), "tsdb"]
        with Child(command, self._directory, "promtool", stdout=subprocess.DEVNULL) as making:
            if making.wait().status != 0:
                raise BenchError(f"promtool makes no data: {making.last_words()}")
