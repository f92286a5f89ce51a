# SPDX-License-Identifier: Apache-2.0
"""What pairs of runs say. No input or output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Ratio:
    """Of a traced run to the untraced one beside it."""

    lowest: float  # of a pair
    of_medians: float
    highest: float  # of a pair
    pairs: int


def ratio_of(pairs: Sequence[tuple[float | None, float | None]]) -> Ratio | None:
    """Pairs are (untraced, traced). Those with an unknown or without a base do not count."""
    known = [(base, traced) for base, traced in pairs if base is not None and traced is not None and base > 0]
    if not known:
        return None
    each = [traced / base for base, traced in known]
    base_median = median(base for base, _ in known)
    return Ratio(min(each), median(traced for _, traced in known) / base_median, max(each), len(known))


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that so many percent of all are not above."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def median_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def largest_of(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def sum_of(values: Sequence[int | None]) -> int | None:
    """Unknown if any of them is."""
    if not values or any(value is None for value in values):
        return None
    return sum(value for value in values if value is not None)
