# SPDX-License-Identifier: MIT
"""Memory of several processes that run the same program at once.

Pages that processes share count once (proportional set size, proc_pid_smaps_rollup(5)),
so what an optimizer adds to each process of its own is seen in the sum, and so is what it
lets them share. Invariant: a figure is the highest sum over all the processes, at a
moment when all of them were there; it is not compared by rounds, memory hardly varies.
"""

import os
import re
import shutil
import subprocess
import time

from . import Skip

PROCESSES = 4
POLL_S = 0.02
TIMEOUT_S = 600
LINE = re.compile(r"^(Pss|Private_Clean|Private_Dirty): +(\d+) kB$", re.MULTILINE)


def of_process(pid):
    """KiB by kind; None when it has ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return {kind: int(n) for kind, n in LINE.findall(file.read())}
    except OSError:
        return None


def at_once(processes):
    """Sums over the processes now; None unless all of them are there."""
    each = [of_process(p.pid) for p in processes]
    if not all(each):
        return None
    return {"pss_kib": sum(m["Pss"] for m in each),
            "private_kib": sum(m["Private_Clean"] + m["Private_Dirty"] for m in each)}


def start(given, size, places, wrap, work, environment):
    """One process; its first page faults are its own affair, nobody waits for them here."""
    work.mkdir(parents=True)
    where = given.place(given.folder, size, places) or work
    stdin = given.place(given.stdin, size, places) or os.devnull
    with open(stdin, "rb") as read, open(work.with_suffix(".err"), "wb") as err:
        return subprocess.Popen([*wrap, *given.command(size, places)], cwd=where, stdin=read,
                                stdout=subprocess.DEVNULL, stderr=err, env=environment)


def follow(processes):
    """The highest sum that was seen until the first of them ended."""
    highest, until = None, time.monotonic() + TIMEOUT_S
    while all(p.poll() is None for p in processes) and time.monotonic() < until:
        now = at_once(processes)
        if now and (not highest or now["pss_kib"] > highest["pss_kib"]):
            highest = now
        time.sleep(POLL_S)
    return highest


def measure(given, size, places, wrap, work, environment):
    """Sums for PROCESSES of them; raises Skip with the reason."""
    shutil.rmtree(work, ignore_errors=True)
    processes = [start(given, size, places, wrap, work / str(i), environment) for i in range(PROCESSES)]
    try:
        highest = follow(processes)
        codes = [p.wait(TIMEOUT_S) for p in processes]
    except subprocess.TimeoutExpired:
        raise Skip(f"{PROCESSES} of them at once took too long") from None
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
    if any(codes):
        raise Skip(f"{PROCESSES} of them at once: exit code {next(filter(None, codes))}")
    if not highest:
        raise Skip(f"{PROCESSES} of them at once: they ended before their memory was read")
    return highest
