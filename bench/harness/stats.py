# SPDX-License-Identifier: MIT
"""Statistics of paired, noisy run times. Pure functions of numbers and a seed.

The ratio of two variants is estimated from the logarithms of their ratios round by
round: their mean after the lowest and highest fifth are left out. The 95 % interval
is a bootstrap over rounds, its percentiles widened for few rounds (the "expanded
percentile" interval: Student's t instead of the normal quantile). Invariant, kept by
tests/bench: with equal variants at most one interval in twenty leaves out 1,
for normal noise as well as for noise with long tails and drift, from MIN_ROUNDS on.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

MIN_ROUNDS = 6
REPLICATES = 4000
TRIMMED = 0.2
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """value, low and high are ratios; rounds is how many pairs they come from."""
    value: float
    low: float
    high: float
    rounds: int

    @property
    def half_width(self):
        return (math.log(self.high) - math.log(self.low)) / 2

    @property
    def verdict(self):
        if self.low == self.value == self.high == 1:
            return "the same"
        if self.rounds < MIN_ROUNDS:
            return "too few rounds"
        if self.low > 1:
            return "slower"
        return "faster" if self.high < 1 else "no difference seen"


def student_quantile(p, freedom):
    """Of Student's t, by its expansion about the normal quantile; 1 % off at 4, less above."""
    z = NormalDist().inv_cdf(p)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def tail(n):
    """The percentile of the bootstrap distribution that ends a 95 % interval of n values."""
    quantile = student_quantile(0.5 + CONFIDENCE / 2, n - 1)
    return NormalDist().cdf(-quantile * math.sqrt(n / (n - 1)))


def trimmed_mean(values):
    """Along the last axis."""
    n = values.shape[-1]
    cut = int(n * TRIMMED)
    return np.sort(values, axis=-1)[..., cut:n - cut].mean(axis=-1)


def replicate(logs, rng):
    return trimmed_mean(logs[rng.integers(0, len(logs), (REPLICATES, len(logs)))])


def log_ratios(ours, theirs):
    return np.log(np.asarray(ours, float)) - np.log(np.asarray(theirs, float))


def from_replicates(center, replicates, n):
    if n < 2:
        return Ratio(math.exp(center), math.exp(center), math.exp(center), n)
    end = tail(n)
    low, high = np.quantile(replicates, [end, 1 - end])
    return Ratio(math.exp(center), math.exp(min(low, center)), math.exp(max(high, center)), n)


def paired_ratio(ours, theirs, seed=1):
    """Of two lists of times, one entry a round."""
    logs = log_ratios(ours, theirs)
    return from_replicates(float(trimmed_mean(logs)), replicate(logs, np.random.default_rng(seed)), len(logs))


def geometric_mean(pairs, seed=1):
    """Ratio over several measurements, each (ours, theirs): all count the same."""
    rng = np.random.default_rng(seed)
    all_logs = [log_ratios(ours, theirs) for ours, theirs in pairs]
    center = float(np.mean([trimmed_mean(logs) for logs in all_logs]))
    replicates = np.mean([replicate(logs, rng) for logs in all_logs], axis=0)
    return from_replicates(center, replicates, min(map(len, all_logs)))


def more_rounds(ratio, wanted_half_width):
    """How many more rounds until the interval is about that narrow; 0 if it is.

    Widths fall with the square root of the rounds; at least MIN_ROUNDS are needed.
    """
    needed = ratio.rounds * (ratio.half_width / wanted_half_width) ** 2
    return max(0, math.ceil(needed) - ratio.rounds, MIN_ROUNDS - ratio.rounds)


def changed(old, new, comparisons):
    """Ratio new/old of two independent ratios, with an interval that holds for all of so
    many comparisons together (Bonferroni)."""
    center = math.log(new.value) - math.log(old.value)
    wide = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2 / max(1, comparisons))
    scale = wide / NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    half = scale * math.hypot(old.half_width, new.half_width)
    return Ratio(math.exp(center), math.exp(center - half), math.exp(center + half),
                 min(old.rounds, new.rounds))


def quartiles(values):
    return [float(q) for q in np.quantile(np.asarray(values, float), [0.25, 0.5, 0.75])]
