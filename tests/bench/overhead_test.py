# SPDX-License-Identifier: Apache-2.0
"""What of the harness needs no program to run: its sums, and what it reads from outputs."""

import io
import unittest

from overhead import readings
from overhead.budgets import verdicts
from overhead.machine import processor_name, short_version
from overhead.ratios import percentile, ratio_of, sum_of
from overhead.readings import Seen
from overhead.rows import HEADER, Run
from overhead.summary import Summary, summarize
from overhead.table import budget_cell, target_table


def pair(number: int, tool: str, untraced: int, traced: int, **others: int) -> list[Run]:
    return [
        Run(number, "storm", tool, 0, untraced, untraced),
        Run(number, "storm", tool, 1, traced, traced, **others),
    ]


class Ratios(unittest.TestCase):
    def test_that_of_medians_is_not_the_median_of_pairs(self) -> None:
        ratio = ratio_of([(100, 110), (200, 260), (400, 410)])
        assert ratio is not None
        self.assertEqual((ratio.lowest, ratio.of_medians, ratio.highest, ratio.pairs), (1.025, 1.3, 1.3, 3))

    def test_unknown_is_no_number(self) -> None:
        self.assertIsNone(ratio_of([]))
        self.assertIsNone(ratio_of([(None, 1), (1, None), (0, 1)]))
        ratio = ratio_of([(None, 7), (10, 20)])
        assert ratio is not None
        self.assertEqual((ratio.of_medians, ratio.pairs), (2.0, 1))
        self.assertIsNone(sum_of([1, None]))
        self.assertIsNone(sum_of([]))
        self.assertEqual(sum_of([0, 2]), 2)

    def test_percentiles(self) -> None:
        self.assertIsNone(percentile([], 99))
        self.assertEqual(percentile([3, 1, 2], 50), 2)
        self.assertEqual(percentile(list(range(1, 101)), 99), 99)
        self.assertEqual(percentile(list(range(1, 101)), 100), 100)


class Readings(unittest.TestCase):
    def test_madvtrace(self) -> None:
        events = (
            "pid,comm,call,advice\n"
            "1,a,madvise,MADV_DONTNEED\n"
            '1,"a,b",madvise,MADV_NOHUGEPAGE\n'
            "1,a,munmap,\n1,a,mmap,\n1,a,brk,\n1,a,gc_start,\n1,a,exit,\n"
        )
        self.assertEqual(
            readings.of_madvtrace(io.StringIO(events), '{"lost": {"ring_full": 3, "other": 1}}'), Seen(4, 2, 4)
        )

    def test_bpftrace_lines(self) -> None:
        lines = ["Attaching 3 probes...\n", "madvise 7 7f0 4096 4\n", "mmap 7 0 4096\n"]
        lines += ["Lost 12 events\n", "munmap 7 1 2\n"]
        self.assertEqual(readings.of_bpftrace_lines(lines, "Lost 30 events\n"), Seen(3, None, 42))

    def test_bpftrace_maps(self) -> None:
        output = "Attaching 3 probes...\n\n\n@madvise[15]: 5\n@madvise[4]: 7\n@madvise_bytes[4]: 28672\n"
        output += "@mmap: 2\n@mmap_bytes: 9\n"
        self.assertEqual(readings.of_bpftrace_maps(output, ""), Seen(14, None, 0))
        # Nothing was called: bpftrace shows no map at all.
        self.assertEqual(readings.of_bpftrace_maps("Attaching 3 probes...\n", ""), Seen(0, None, 0))

    def test_perf_trace(self) -> None:
        lines = [
            "     0.000 ( 0.040 ms): madvise(start: 0x7f509fa43000, len_in: 4096, behavior: MADV_DONTNEED) = 0\n",
            "     0.071 ( 0.054 ms): pages/12 mmap(len: 524288, prot: READ|WRITE) = 0x7f\n",
            "     0.100 (         ): pages/13 munmap(addr: 0x7f50, len: 4096) ...\n",
            "     0.171 ( 0.061 ms): pages/13  ... [continued]: munmap()) = 0\n",
            "LOST 9 events!\n",
        ]
        self.assertEqual(readings.of_perf_trace(lines, "LOST 1 events!\n"), Seen(3, None, 10))

    def test_strace(self) -> None:
        lines = [
            "123 madvise(0x7f509fa43000, 4096, MADV_DONTNEED) = 0\n",
            "124   mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 <unfinished ...>\n",
            "123 mprotect(0x7f509fa43000, 4096, PROT_NONE) = 0\n",
            "124 <... mmap resumed>) = 0x7f\n",
            "124 mremap(0x7f509fa43000, 4096, 8192, 0) = 0x7f\n",
        ]
        self.assertEqual(readings.of_strace(lines), Seen(2))

    def test_hey(self) -> None:
        text = "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n"
        text += "0.0243,0,0,0,0,0,200,0.1\n0.9,0,0,0,0,0,503,0.2\n"
        self.assertEqual(readings.latencies_ns(io.StringIO(text)), [24300000])


class Summaries(unittest.TestCase):
    def test_pairs_are_of_the_same_round_and_tool(self) -> None:
        runs = pair(0, "madvtrace", 100, 150, calls_made=10, events_seen=10, events_lost=0)
        # The second pair was the other way round.
        runs += reversed(pair(1, "madvtrace", 200, 240, calls_made=10, events_seen=9, events_lost=1))
        runs += pair(0, "strace", 100, 900)
        summary = summarize(runs, "storm", "madvtrace")
        assert summary.wall is not None
        self.assertEqual((summary.wall.lowest, summary.wall.of_medians, summary.wall.highest), (1.2, 1.3, 1.5))
        self.assertEqual((summary.made, summary.seen, summary.lost), (20, 19, 1))
        self.assertIsNone(summary.p99)
        self.assertIsNone(summary.tracer_cpu_share)

    def test_header_names_each_field(self) -> None:
        self.assertEqual(HEADER[:5], ["round", "target", "tool", "traced", "wall_ns"])
        self.assertEqual(len(HEADER), len(set(HEADER)))


def wall(tool: str, *ratios: float) -> Summary:
    return Summary("churn", tool, ratio_of([(1.0, ratio) for ratio in ratios]), lost=0, tracer_max_rss_bytes=1 << 20)


class Budgets(unittest.TestCase):
    def test_churn_is_compared_with_what_prints(self) -> None:
        for ours, theirs, met in ((1.39, 1.9, True), (1.41, 1.8, False)):
            judged = verdicts("churn", {s.tool: s for s in (wall("madvtrace", ours), wall("bpftrace-print", theirs))})
            self.assertEqual([verdict.met for verdict in judged], [met, met, True, True])

    def test_a_bystander_stays_within_the_noise(self) -> None:
        for ratio, met in ((1.03, True), (0.98, True), (1.05, False), (0.9, False)):
            both = wall("none", 0.97, 1.0, 1.04), wall("madvtrace", ratio)
            judged = verdicts("bystander", {summary.tool: summary for summary in both})
            self.assertEqual(judged[0].met, met, ratio)

    def test_what_was_not_measured_is_neither_met_nor_missed(self) -> None:
        judged = verdicts("churn", {"madvtrace": wall("madvtrace", 1.2)})
        self.assertEqual([verdict.met for verdict in judged], [True, None, True, True])
        self.assertIn("unknown", budget_cell(judged))
        self.assertNotIn("missed", budget_cell(judged))

    def test_an_event_that_was_not_seen_counts_as_lost(self) -> None:
        judged = verdicts("storm", {"madvtrace": Summary("storm", "madvtrace", made=10, seen=9, lost=0)})
        self.assertEqual(judged[0].met, False)

    def test_cpu_is_a_share_of_one_processor(self) -> None:
        own = Summary("paced", "madvtrace", tracer_cpu_share=0.024)
        judged = [v for v in verdicts("paced", {"madvtrace": own}) if v.text.startswith("tracer CPU")]
        self.assertEqual((judged[0].met, judged[0].text), (False, "tracer CPU 2.4% > 2%"))


class Tables(unittest.TestCase):
    def test_unknown_is_empty(self) -> None:
        text = target_table("a loop", "storm", {"strace": "strace"}, {"strace": Summary("storm", "strace", seen=3)}, [])
        self.assertEqual(text.splitlines()[-2], "| strace |  |  |  |  | 3 |  |  |  |  |")


class Machines(unittest.TestCase):
    def test_names(self) -> None:
        self.assertEqual(processor_name("processor\t: 0\nmodel name\t: AMD EPYC 7\n"), "AMD EPYC 7")
        self.assertEqual(short_version("strace -- version 6.1\nCopyright"), "6.1")
        self.assertEqual(short_version("bpftrace v0.17.0"), "0.17.0")
        self.assertEqual(short_version("?"), "of unknown version")


if __name__ == "__main__":
    unittest.main()
