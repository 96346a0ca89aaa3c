# SPDX-License-Identifier: MIT
"""What a program executes, instruction by instruction, by callgrind; samples drawn from that, and how near others come.

    callgrind --dump-instr=yes --collect-jumps=yes -> Exact -(draw)-> a sample file
                                                      Exact, a sample file -(seen)-> branches that are known, and how well

The format of callgrind's files: valgrind's manual, "Callgrind Format Specification".
"""

import collections
import random
import re
import sys

MOST_ADDRESSES = 8000  # of a sample file: HEAT_MAX (runtime/lib/heat.h) is 8192
SEEN = 16  # FLOW_SEEN (runtime/lib/flow.h)
MILLION = 1_000_000


class Exact:
    """counts: executions by (file, address); branches: [taken, executed, target] of the conditional ones."""

    def __init__(self, path):
        self.counts = collections.Counter()
        self.branches = {}
        names, where, now, jump, call = {}, "", 0, None, False
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                named = re.match(r"(c?ob)=\((\d+)\)(?: (.*))?$", line.rstrip("\n"))
                if named:
                    names.setdefault(named[2], named[3] or "")
                    if named[1] == "ob":
                        where = names[named[2]].rsplit("/", 1)[-1]
                    continue
                jumps = re.match(r"jcnd=(\d+)/(\d+) (\S+)", line)
                if jumps:
                    jump = jumps
                    continue
                call = call or line.startswith("calls=")
                found = re.match(r"([+*0-9-]\S*) \S+(?: (\d+))?\s*$", line)
                if not found:
                    continue
                now = position(found[1], now)
                if jump:
                    branch = self.branches.setdefault((where, now), [0, 0, position(jump[3], now)])
                    branch[0] += int(jump[1])
                    branch[1] += int(jump[2])
                elif found[2] and not call:  # behind calls= comes what the callee has executed
                    self.counts[where, now] += int(found[2])
                jump, call = None, False

    def draw(self, path, samples, branches, seed):
        """Writes a sample file: so many instructions drawn by how often they are executed (0: all, as often as they are), and the ways of
        branches as if a million had been seen."""
        total = sum(self.counts.values())
        if samples:
            drawn = random.Random(seed).choices(list(self.counts), weights=self.counts.values(), k=samples)
            rows = collections.Counter(drawn)
        else:
            rows = {at: round(n * MILLION / total) for at, n in self.counts.items()}
        lines = [f"samples {name} {at:#x} {n}" for (name, at), n in
                 sorted(rows.items(), key=lambda row: -row[1])[:MOST_ADDRESSES] if n]
        executed = sum(n for _, n, _ in self.branches.values())
        for (name, at), (taken, n, target) in self.branches.items() if branches else ():
            for run, times in ((f"0x0 {at:#x} {target:#x}", taken), (f"{at:#x} {at + 1:#x} 0x0", n - taken)):
                if round(times * MILLION / executed):
                    lines.append(f"run {name} {run} {round(times * MILLION / executed)}")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def seen(self, path, name):
        """Of the executed conditional branches of a file, the share of those that a sample file knows, and how wrong it is of them in the mean."""
        own = {at: counts for (file, at), counts in self.branches.items() if file == name and counts[1]}
        taken, passed = ways(path, name, sorted(own))
        known = wrong = 0
        for at, (really, executed, _) in own.items():
            times = taken[at] + passed[at]
            if times >= SEEN:
                known += executed
                wrong += abs(taken[at] / times - really / executed) * executed
        return known / max(1, sum(n for _, n, _ in own.values())), wrong / max(1, known)


def position(text, now):
    if text == "*":
        return now
    return now + int(text, 0) if text[0] in "+-" else int(text, 0)


def ways(path, name, branches):
    """From a sample file's runs: how often each branch was taken, and how often passed."""
    taken, passed, begins = collections.Counter(), collections.Counter(), collections.Counter()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            if words[:2] != ["run", name]:
                continue
            start, last, to = (int(word, 16) for word in words[2:5])
            if to:
                taken[last] += int(words[5])
            if start:
                begins[start] += int(words[5])
                begins[last] -= int(words[5])
    open_runs, edges = 0, sorted(begins)
    for at in branches:
        while edges and edges[0] <= at:
            open_runs += begins[edges.pop(0)]
        passed[at] = open_runs
    return taken, passed


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("exact.py CALLGRIND SAMPLES FILE-NAME - how much of the file's executed conditional branches SAMPLES knows, and how well")
    share, error = Exact(sys.argv[1]).seen(sys.argv[2], sys.argv[3])
    print(f"{100 * share:.1f} % of the executed branches were seen {SEEN} times; mean error of their share {error:.4f}")
