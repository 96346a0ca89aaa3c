#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How soon a program is as fast as it will be: its speed under `dynopt run`, cold, by how far it has come.

    tests/measure/progress.py BUILD ROUNDS [--pty] PROGRAM [ARGUMENT...]

PROGRAM has to write at a steady pace: how far it has come is told by the bytes that it has written, and when, by its own CPU time (the agent's is not in it). It is run
alone and under dynopt, at the same time on one processor (the last one of those allowed), so that what happens to the machine happens to both. Each STEP of the time alone is a window: the ratio is that of the time under dynopt for the same bytes, the median of the rounds with its
lowest and highest. The final ratio is that of the last quarter. --pty: it writes into a terminal, and so line by line.
"""
import os
import pty
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

STEP_S = 1.0
LAST = 4


def cpu_clock(pid):
    """clock_getcpuclockid(3)"""
    return ~pid << 3 | 2


def milestones(command, terminal):
    """[(bytes written, CPU seconds)], and the whole CPU time."""
    reading, writing = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(command, stdout=writing, stdin=subprocess.DEVNULL)
    os.close(writing)
    found, n = [(0, 0.0)], 0
    while True:
        try:
            piece = os.read(reading, 65536)
        except OSError:  # the terminal's other end is closed
            break
        if not piece:
            break
        n += len(piece)
        try:
            found.append((n, time.clock_gettime(cpu_clock(process.pid))))
        except OSError:  # it has ended, and this is what was left
            continue
    os.close(reading)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    found.append((n, usage.ru_utime + usage.ru_stime))
    return found


def time_at(found, n):
    """CPU time when n bytes were written, between two milestones in proportion."""
    for (before, since), (after, until) in zip(found, found[1:]):
        if n <= after:
            return until if after == before else since + (until - since) * (n - before) / (after - before)
    return found[-1][1]


def bytes_at(found, seconds):
    for (before, since), (after, until) in zip(found, found[1:]):
        if seconds <= until:
            return after if until == since else before + (after - before) * (seconds - since) / (until - since)
    return found[-1][0]


def one_round(dynopt, command, terminal):
    """The ratio in each window."""
    there = ["taskset", "-c", str(max(os.sched_getaffinity(0)))]
    with ThreadPoolExecutor(2) as pool:
        alone = pool.submit(milestones, [*there, *command], terminal)
        under = pool.submit(milestones, [*there, dynopt, "run", "--no-remember", "--", *command], terminal).result()
        alone = alone.result()
    windows = int(alone[-1][1] / STEP_S)
    marks = [bytes_at(alone, k * STEP_S) for k in range(windows + 1)]
    return [(time_at(under, b) - time_at(under, a)) / (time_at(alone, b) - time_at(alone, a)) for a, b in zip(marks, marks[1:])]


def main():
    arguments = sys.argv[1:]
    terminal = "--pty" in arguments[2:3]
    if len(arguments) < 3 + terminal:
        sys.exit(__doc__)
    dynopt, command = arguments[0] + "/bin/dynopt", arguments[2 + terminal:]
    rounds = [one_round(dynopt, command, terminal) for _ in range(int(arguments[1]))]
    windows = min(len(r) for r in rounds)
    ratios = [statistics.median(r[k] for r in rounds) for k in range(windows)]
    for k, ratio in enumerate(ratios):
        each = [r[k] for r in rounds]
        print(f"{k * STEP_S:4.0f} to {(k + 1) * STEP_S:.0f} s: {ratio:.3f} ({min(each):.3f} to {max(each):.3f})")
    last = [statistics.mean(r[windows - windows // LAST:windows]) for r in rounds]
    final = statistics.median(last)
    print(f"final: {final:.3f} ({min(last):.3f} to {max(last):.3f}), {len(rounds)} rounds")
    enough = next((k for k, ratio in enumerate(ratios) if ratio <= 1 - 0.9 * (1 - final)), windows)
    print(f"nine tenths of what is gained: from {enough * STEP_S:.0f} s on" if final < 1 else "nothing is gained")


main()
