#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What it brings that a program is remembered: its first, second and fifth run in a row.

    tests/measure/warm.py BUILD ROUNDS PROGRAM [ARGUMENT...]

A round begins with nothing remembered and runs PROGRAM five times under `dynopt run`, alone before the first, second and fifth and at the end.
Ratio: CPU time, the agent's included, to the mean of the round's runs alone. First live: from the library's start to the first
translation; on a busy machine that says how busy it is (as root, `chrt -r 10` puts it in front of the others).
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

RUNS = (1, 2, 5)


def cpu_seconds(command, **environment):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dict(os.environ, **environment))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def under(dynopt, command, folder, number):
    status = folder / f"status{number}"
    status.mkdir(mode=0o700)
    used = cpu_seconds([dynopt, "run", f"--status-dir={status}", f"--report={status}/report", "--json", "--", *command],
                       XDG_CACHE_HOME=str(folder))
    report = json.loads((status / "report").read_text())
    return used + report["agent_cpu_ns"] / 1e9, report


def one_round(dynopt, command):
    alone, found = [], {}
    with tempfile.TemporaryDirectory() as name:
        for number in range(1, max(RUNS) + 1):
            if number in RUNS:
                alone.append(cpu_seconds(command))
            found[number] = under(dynopt, command, pathlib.Path(name), number)
    alone.append(cpu_seconds(command))
    return statistics.mean(alone), found


def spread(values, form):
    return f"{form % statistics.median(values)} ({form % min(values)} to {form % max(values)})"


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    dynopt, command = sys.argv[1] + "/bin/dynopt", sys.argv[3:]
    rounds = [one_round(dynopt, command) for _ in range(int(sys.argv[2]))]
    print(f"alone {spread([alone for alone, _ in rounds], '%.2f')} s, {len(rounds)} rounds")
    for number in RUNS:
        reports = [found[number][1] for _, found in rounds]
        print(f"run {number}: {spread([found[number][0] / alone for alone, found in rounds], '%.3f')},"
              f" agent {spread([r['agent_cpu_ns'] / 1e6 for r in reports], '%.0f')} ms,"
              f" first live {spread([r['first_live_ns'] / 1e6 for r in reports], '%.0f')} ms,"
              f" after {spread([r['first_live_cpu_ns'] / 1e6 for r in reports], '%.0f')} ms of the agent's,"
              f" in translations {spread([100 * r['samples_cache'] / max(1, r['samples']) for r in reports], '%.0f')} %")


main()
