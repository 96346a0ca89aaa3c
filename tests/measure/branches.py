#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""branches.py SAMPLES CALLGRIND MODULE - how near what was seen of branches comes to what is executed.

SAMPLES is what `dynopt run --keep-samples` wrote, with its `run` lines; CALLGRIND what `valgrind --tool=callgrind --dump-instr=yes
--collect-jumps=yes --callgrind-out-file=...` wrote of the same program; MODULE the file name of a position-independent
program or of one whose addresses are those of its file. Prints how many of the executed conditional branches are at branches that were seen 16 times, and
by how much the share that is taken is wrong there, in the mean over executions.
"""
import bisect
import collections
import re
import sys

SEEN = 16  # FLOW_SEEN (runtime/lib/flow.h)


def position(text, now):
    if text == '*':
        return now
    return now + int(text, 0) if text[0] in '+-' else int(text, 0)


def exact_counts(path, module):
    """By address: taken and executed."""
    exact, names, where, now, jump = {}, {}, '', 0, None
    for line in open(path, encoding='utf-8', errors='replace'):
        named = re.match(r'(c?ob)=\((\d+)\)(?: (.*))?$', line.rstrip('\n'))
        if named:
            names.setdefault(named[2], named[3] or '')
            if named[1] == 'ob':
                where = names[named[2]].rsplit('/', 1)[-1]
            continue
        found = re.match(r'jcnd=(\d+)/(\d+) ', line)
        if found:
            jump = int(found[1]), int(found[2])
            continue
        found = re.match(r'([+*0-9-]\S*)(\s|$)', line)
        if not found:
            continue
        now = position(found[1], now)
        if jump and where == module:
            taken, executed = exact.get(now, (0, 0))
            exact[now] = taken + jump[0], executed + jump[1]
        jump = None
    return exact


def seen_counts(path, module, branches):
    """By address: taken, and passed without being taken."""
    taken, passed = collections.Counter(), collections.Counter()
    for line in open(path, encoding='utf-8'):
        words = line.split()
        if words[:2] != ['run', module]:
            continue
        start, last, to = (int(word, 16) for word in words[2:5])
        if to:
            taken[last] += int(words[5])
        if start:
            for at in range(bisect.bisect_left(branches, start), bisect.bisect_left(branches, last)):
                passed[branches[at]] += int(words[5])
    return taken, passed


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    exact = exact_counts(sys.argv[2], sys.argv[3])
    if not exact:
        sys.exit(f'{sys.argv[2]}: no conditional branches of {sys.argv[3]}; --dump-instr=yes --collect-jumps=yes?')
    taken, passed = seen_counts(sys.argv[1], sys.argv[3], sorted(exact))
    total = sum(executed for _, executed in exact.values())
    known = wrong = far = 0
    for addr, (really, executed) in exact.items():
        times = taken[addr] + passed[addr]
        if times < SEEN:
            continue
        error = abs(taken[addr] / times - really / executed)
        known += executed
        wrong += error * executed
        far += executed if error > 0.1 else 0
    if not known:
        sys.exit(f'{sys.argv[1]}: no branch of {sys.argv[3]} was seen {SEEN} times')
    print(f'{100 * known / total:.1f} % of {total} executed branches were seen {SEEN} times; mean error of their share '
          f'{wrong / known:.4f}; more than 0.1 wrong: {100 * far / known:.1f} %')


if __name__ == '__main__':
    main()
