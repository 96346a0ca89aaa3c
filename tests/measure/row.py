#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs of a program in a row, each of which remembers those before: which of them are translated, and what that takes and gives.

    tests/measure/row.py [--skip N] [--stdin FILE] [--beside BUILD]... BUILD RUNS PROGRAM [ARGUMENT...]

Nothing is remembered before the first. In each round PROGRAM runs alone and under `dynopt run` of each build at the same time, all on one
processor (the last one of those allowed), so that what happens to the machine happens to all. One line for each run: CPU time with the
agent's in seconds, the agent's part and when the first translation was live in ms, samples, walks, translated heads, and what is reckoned
to be saved in ms. In the end, of the runs after the first N (0), the ratio to the time alone: median and mean, with 95 % intervals by bootstrap.
"""
import argparse
import contextlib
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

RESAMPLES = 2000


def started(command, stdin, **environment):
    with open(stdin, "rb") as source:
        return subprocess.Popen(command, stdin=source, stdout=subprocess.DEVNULL, env=dict(os.environ, **environment))


def ended(process):
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{process.args[0]} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def one_round(command, stdin, folders):
    """Seconds alone; of each build seconds and report."""
    alone, under = started(command, stdin), []
    for build, folder in folders.items():
        with contextlib.suppress(FileNotFoundError):
            (folder / "report").unlink()
        under.append(started([f"{build}/bin/dynopt", "run", f"--status-dir={folder}/status", f"--report={folder}/report", "--json", "--", *command],
                             stdin, XDG_CACHE_HOME=str(folder)))
    seconds, found = ended(alone), []
    for process, folder in zip(under, folders.values()):
        used, report = ended(process), json.loads((folder / "report").read_text())
        found.append((used + report["agent_cpu_ns"] / 1e9, report))
    return seconds, found


def interval(ratios, mean_of):
    drawn = random.Random(1)
    means = sorted(mean_of(drawn.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return f"{mean_of(ratios):.4f} ({means[RESAMPLES // 40]:.4f} to {means[-RESAMPLES // 40]:.4f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skip", type=int, default=0, metavar="N")
    parser.add_argument("--stdin", default="/dev/null", metavar="FILE")
    parser.add_argument("--beside", action="append", default=[], metavar="BUILD")
    parser.add_argument("build")
    parser.add_argument("runs", type=int)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="PROGRAM [ARGUMENT...]")
    options = parser.parse_args()
    if not options.command or options.runs <= options.skip:
        parser.error("a program, and more runs than are skipped")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    builds = [options.build, *options.beside]
    ratios, translated = {build: [] for build in builds}, dict.fromkeys(builds, 0)
    with tempfile.TemporaryDirectory() as name:
        folders = {build: pathlib.Path(name) / str(i) for i, build in enumerate(builds)}
        for folder in folders.values():
            (folder / "status").mkdir(parents=True, mode=0o700)
        for number in range(1, options.runs + 1):
            alone, found = one_round(options.command, options.stdin, folders)
            for build, (used, report) in zip(builds, found):
                heads = report["totals"]["translated"]
                print(f"{number:3} {build}: {used:.2f} s, alone {alone:.2f}; agent {report['agent_cpu_ns'] / 1e6:.1f} ms,"
                      f" {report['samples']} samples, {report['walks']} walks, {heads} translated, live after"
                      f" {report['first_live_ns'] / 1e6:.0f} ms, saved {report['saved_ns'] / 1e6:.0f} ms", flush=True)
                if number > options.skip:
                    ratios[build].append(used / alone)
                    translated[build] += heads > 0
    for build in builds:
        print(f"{build}: median {interval(ratios[build], statistics.median)}, mean {interval(ratios[build], statistics.mean)},"
              f" translated in {translated[build]} of {len(ratios[build])}")


main()
