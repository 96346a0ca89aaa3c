#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints BYTES of made-up data of one KIND, the same on every machine.

    generate.py words|records BYTES

words:   prose-like lines, word frequencies as in natural text (Zipf)
records: log lines with numbers, dates, addresses and few distinct strings

Only random.Random(seed).random() is used: its sequence is fixed by Python's
documentation, that of the other methods is not.
"""

import bisect
import itertools
import random
import sys

SYLLABLES = ["ka", "to", "mi", "ren", "sol", "va", "ne", "ri", "dul", "po", "es", "tra",
             "in", "o", "bel", "gu", "an", "shi", "fo", "le", "mar", "ti", "quo", "zu"]
LEVELS = ["info", "info", "info", "debug", "debug", "warning", "error"]
PARTS = ["session", "cache", "index", "network", "scheduler", "journal"]


def pick(rng, things):
    return things[int(rng.random() * len(things))]


def vocabulary(rng, size):
    found = {}
    while len(found) < size:
        n = 1 + int(rng.random() * 4)
        found["".join(pick(rng, SYLLABLES) for _ in range(n))] = True
        if n == 1 and len(found) >= len(SYLLABLES):
            found["".join(pick(rng, SYLLABLES) for _ in range(4))] = True
    return list(found)


def words(rng):
    vocab = vocabulary(rng, 6000)
    sums = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(len(vocab))))
    while True:
        n = 6 + int(rng.random() * 9)
        line = [vocab[bisect.bisect(sums, rng.random() * sums[-1])] for _ in range(n)]
        end = "." if rng.random() < 0.3 else ""
        yield " ".join(line) + end + "\n"


def records(rng):
    clock = 1_600_000_000
    users = [f"user{int(rng.random() * 90000)}" for _ in range(300)]
    while True:
        clock += int(rng.random() * 5)
        host = f"10.{int(rng.random() * 4)}.{int(rng.random() * 32)}.{int(rng.random() * 256)}"
        yield (f"{clock} {pick(rng, LEVELS)} {pick(rng, PARTS)} {host} {pick(rng, users)} "
               f"bytes={int(rng.random() ** 3 * 1e6)} ms={rng.random() * 90:.3f}\n")


def main():
    kind, size = sys.argv[1], int(sys.argv[2])
    for line in {"words": words, "records": records}[kind](random.Random(6622300)):
        sys.stdout.write(line[:size])
        size -= len(line)
        if size <= 0:
            return


if __name__ == "__main__":
    main()
