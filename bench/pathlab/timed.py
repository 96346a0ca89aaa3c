# SPDX-License-Identifier: MIT
"""What translations by known samples give in time.

A program runs as it is twice ("off", "again": what this instrument says of equal things), and with the translations that each of some builds of
dynopt makes of the same samples before main(): all at the same time, on one processor, in slices of sched_rr_timeslice_ms (where that is allowed; else
as the kernel has it), so that whatever happens to the machine hits all of them alike. What making them takes is told by the size `count`, where there is next
to no time for them to save, and is left out.
"""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from harness import Failed, measure, stats

PREPARING_ROUNDS = 7
PRIORITY = 10


def share_processor(processor):
    """Of this thread, and of what it starts."""
    os.sched_setaffinity(0, {processor})
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
    except PermissionError:
        pass


class Timed:
    """One program; builds: folders where dynopt is built."""

    def __init__(self, lab, name, samples, builds, processor):
        self.lab, self.name, self.processor = lab, name, processor
        off, on = ["--off"], ["--no-agent", f"--samples={samples}"]
        self.kinds = {"off": (builds[0], off), "again": (builds[0], off), **{str(build): (build, on) for build in builds}}

    def once(self, subject, place, kind):
        build, options = self.kinds[kind]
        folder = subject.folder / f"timed.{place}"
        (folder / "status").mkdir(mode=0o700, parents=True, exist_ok=True)
        share_processor(self.processor)
        where = measure.own_folder(folder / "run", subject.where)
        with open(subject.stdin, "rb") as stdin, open(folder / "stdout", "wb") as stdout:
            process = subprocess.Popen([build / "bin/dynopt", "run", *options, f"--status-dir={folder}/status", "--", *subject.command],
                                       cwd=where, stdin=stdin, stdout=stdout,
                                       stderr=subprocess.DEVNULL, env=self.lab.environment())
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Failed(f"{self.name}: {kind}: exit code {process.returncode}")
        return usage.ru_utime + usage.ru_stime, re.sub(rb" +[0-9]+\.[0-9]+s", b"", (folder / "stdout").read_bytes())

    def rounds(self, size, n):
        """CPU seconds of each kind, one for each round."""
        subject, times = self.lab.subject(self.name, size), {kind: [] for kind in self.kinds}
        for number in range(n):
            kinds = list(self.kinds)
            kinds = kinds[number % len(kinds):] + kinds[:number % len(kinds)]
            with ThreadPoolExecutor(len(kinds)) as pool:
                done = list(pool.map(lambda place, kind: self.once(subject, place, kind), range(len(kinds)), kinds))
            if len({output for _, output in done}) > 1:
                raise Failed(f"{self.name}: outputs differ ({subject.folder}/timed.*)")
            for kind, (seconds, _) in zip(kinds, done):
                times[kind].append(seconds)
        return times

    def lines(self, n):
        """Rows of the table: the ratio to the mean of both that run as they are."""
        small, full = self.rounds("count", PREPARING_ROUNDS), self.rounds(self.lab.options.size, n)
        base = [(one + other) / 2 for one, other in zip(full["off"], full["again"])]
        for kind, times in full.items():
            if kind == "off":
                continue
            preparing = 0 if kind == "again" else median(small[kind]) - median(small["off"] + small["again"])
            ratio = stats.paired_ratio([seconds - preparing for seconds in times], base if kind != "again" else full["off"])
            yield (f"| {self.name} | {kind} | {median(base):.2f} s | {1000 * preparing:.0f} ms "
                   f"| {ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f}) |")


HEAD = "| program | translations of | alone | making them | time to that alone |\n|---|---|---|---|---|"
