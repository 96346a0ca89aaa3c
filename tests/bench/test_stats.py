# SPDX-License-Identifier: MIT
"""The instrument's own error: false alarms, what it finds, what it promises.

Run times are made up: each has a log-normal error of 4 % of its own, on a drift that all
variants of a round share; "tails" adds to one run in ten the delay of a busy neighbour.
Seeds are fixed, so the counts below are the same on every machine.
"""

import math
import unittest

import common
import numpy as np
from harness import results, stats

SD = 0.04
TRIALS = 600
stats.REPLICATES = 800


class World:
    """Makes up the times of two variants, the second `factor` times as slow."""

    def __init__(self, seed, tails=False):
        self.rng = np.random.default_rng(seed)
        self.tails = tails

    def errors(self, n):
        made = self.rng.normal(0, SD, n)
        if self.tails:
            made += (self.rng.random(n) < 0.1) * self.rng.exponential(0.15, n)
        return made

    def pair(self, n, factor=1.0):
        drift = np.cumsum(self.rng.normal(0, 0.02, n))
        return (np.exp(drift + self.errors(n)) * factor, np.exp(drift + self.errors(n)))


def share(verdict, rounds, factor, tails, trials=TRIALS):
    world = World(rounds + 100 * tails, tails)
    found = [stats.paired_ratio(*world.pair(rounds, factor), seed=i).verdict for i in range(trials)]
    return sum(f in verdict for f in found) / trials


class FalseAlarms(unittest.TestCase):
    """At most one in twenty, within what 600 trials can show (two standard errors)."""

    def test_equal_variants(self):
        error = math.sqrt(0.05 * 0.95 / TRIALS)
        shares = {}
        for tails in (False, True):
            for rounds in (stats.MIN_ROUNDS, 8, 10, 21):
                shares[rounds, tails] = share(("slower", "faster"), rounds, 1.0, tails)
                self.assertLessEqual(shares[rounds, tails], 0.05 + 2 * error, (rounds, tails))
        self.assertLessEqual(sum(shares.values()) / len(shares), 0.05, shares)

    def test_the_interval_is_no_wider_than_it_must_be(self):
        self.assertGreater(share(("slower", "faster"), 21, 1.0, False), 0.015)

    def test_few_rounds_say_nothing(self):
        ratio = stats.paired_ratio([2.0] * (stats.MIN_ROUNDS - 1), [1.0] * (stats.MIN_ROUNDS - 1))
        self.assertEqual(ratio.verdict, "too few rounds")

    def test_a_mean_over_programs(self):
        alarms = 0
        for i in range(300):
            world = World(5000 + i)
            mean = stats.geometric_mean([world.pair(8) for _ in range(6)], seed=i)
            alarms += mean.verdict != "no difference seen"
        self.assertLessEqual(alarms, 300 * 0.05 + 2 * math.sqrt(300 * 0.05 * 0.95))


class Finds(unittest.TestCase):
    def test_five_percent_slower(self):
        self.assertGreaterEqual(share(("slower",), 21, 1.05, False, 300), 0.9)

    def test_five_percent_slower_with_long_tails(self):
        self.assertGreaterEqual(share(("slower",), 30, 1.05, True, 300), 0.8)

    def test_two_percent_in_the_mean_over_programs(self):
        found = 0
        for i in range(100):
            world = World(9000 + i)
            found += stats.geometric_mean([world.pair(10, 1.03) for _ in range(8)], seed=i).verdict == "slower"
        self.assertGreaterEqual(found, 85)

    def test_exact_times(self):
        ratio = stats.paired_ratio([1.05, 2.1, 4.2, 1.05, 2.1, 4.2], [1, 2, 4, 1, 2, 4])
        self.assertAlmostEqual(ratio.value, 1.05)
        self.assertAlmostEqual(ratio.low, 1.05)
        self.assertAlmostEqual(ratio.high, 1.05)
        self.assertEqual(ratio.verdict, "slower")

    def test_one_wild_round_changes_little(self):
        ours = [1.0, 1.01, 0.99, 1.0, 1.01, 0.99, 9.0, 1.0]
        self.assertAlmostEqual(stats.paired_ratio(ours, [1.0] * 8).value, 1.0, delta=0.01)


class Promises(unittest.TestCase):
    def test_more_rounds_lead_to_the_width(self):
        widths = []
        for i in range(60):
            world = World(7000 + i)
            first = stats.paired_ratio(*world.pair(10), seed=i)
            more = stats.more_rounds(first, 0.02)
            widths.append(stats.paired_ratio(*world.pair(10 + more), seed=i).half_width)
        self.assertAlmostEqual(float(np.median(widths)), 0.02, delta=0.004)

    def test_none_where_it_is_narrow(self):
        self.assertEqual(stats.more_rounds(stats.Ratio(1.0, 0.999, 1.001, 10), 0.02), 0)
        self.assertEqual(stats.more_rounds(stats.Ratio(1.0, 0.999, 1.001, 3), 0.02), 3)

    def test_student(self):
        for freedom, want in ((5, 2.571), (9, 2.262), (20, 2.086)):
            self.assertAlmostEqual(stats.student_quantile(0.975, freedom), want, delta=0.01)


class Changes(unittest.TestCase):
    """Two results compared: one interval for all rows together."""

    def test_equal_results_are_rarely_called_changed(self):
        alarms = 0
        for i in range(60):
            world = World(11000 + i)
            old, new = ([stats.paired_ratio(*world.pair(10), seed=i) for _ in range(12)] for _ in range(2))
            alarms += any(not c.low <= 1 <= c.high for c in (stats.changed(a, b, 12) for a, b in zip(old, new)))
        self.assertLessEqual(alarms, 7)

    def test_more_rows_make_wider_intervals(self):
        ratio = {"value": 1.0, "low": 0.99, "high": 1.01, "rounds": 10}

        def document(n):
            return {"experiments": [{"program": "p", "input": str(i), "kind": "programs", "baseline": "O2",
                                     "results": {"O2": {"ratio": ratio}, "x": {"ratio": ratio}}} for i in range(n)]}

        one, many = (results.compare(document(n), document(n)) for n in (1, 50))
        self.assertEqual((len(one), len(many)), (1, 50))
        self.assertGreater(many[0]["change"].half_width, 1.5 * one[0]["change"].half_width)
        self.assertEqual(results.compare(document(1), {"experiments": []}), [])

    def test_a_real_change_is_seen(self):
        change = stats.changed(stats.Ratio(0.9, 0.89, 0.91, 20), stats.Ratio(1.0, 0.99, 1.01, 20), 30)
        self.assertGreater(change.low, 1)


if __name__ == "__main__":
    unittest.main()
