# SPDX-License-Identifier: MIT
"""Executed instructions by callgrind: a figure without noise beside the times.

Where an optimizer rewrites code while it runs, valgrind must look for changed code
(--smc-check=all); then there must also be instructions outside of every file, or
what was counted is the original program: that is checked.
"""

import re
import shutil
import signal
import subprocess
from collections import Counter

from . import Skip

SIZE = "count"
TIMEOUT_S = 1800
LEAST_TRANSLATED = 0.01
COST_LINE = re.compile(r"[+\-*0-9]\S* (\d+)$")


def by_object(lines):
    """Instructions of each object file; the cost line behind calls= belongs to the callee.
    A name stands where its number is first used, be that as a caller's or a callee's."""
    names, totals, current, skip = {}, Counter(), "", False
    for line in lines:
        if line.startswith(("ob=", "cob=")):
            kind, _, rest = line.rstrip("\n").partition("=")
            number, _, name = rest.partition(" ")
            if name:
                names[number] = name
            if kind == "ob":
                current = names.get(number, number)
        elif line.startswith("calls="):
            skip = True
        elif line[:1] in "+-*0123456789":
            match = COST_LINE.match(line.rstrip("\n"))
            if match and not skip:
                totals[current] += int(match.group(1))
            skip = False
    return totals


def share(totals, binary):
    """program, libraries and code that is in no file, as parts of the whole."""
    kinds = Counter()
    for name, n in totals.items():
        kind = "translated" if name in ("???", "") else "program" if name == str(binary) else "libraries"
        kinds[kind] += n
    total = sum(kinds.values()) or 1
    return {kind: round(n / total, 5) for kind, n in kinds.items()}


def count(given, places, variant, folder, environment):
    """Total and where; raises Skip with the reason where valgrind cannot do it."""
    if not shutil.which("valgrind"):
        raise Skip("valgrind is not installed")
    if variant.uncounted:
        raise Skip(variant.uncounted)
    shutil.rmtree(folder, ignore_errors=True)
    work = folder / "run"
    work.mkdir(parents=True)
    where = given.place(given.folder, SIZE, places) or work
    tool = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out.%p"]
    if variant.report:
        tool += ["--smc-check=all", "--trace-children=yes"]
    stdin = given.place(given.stdin, SIZE, places) or "/dev/null"
    with open(stdin, "rb") as read, open(folder / "log", "wb") as log:
        try:
            done = subprocess.run([*tool, *variant.wrap, *given.command(SIZE, places)], cwd=where, stdin=read,
                                  check=False, stdout=subprocess.DEVNULL, stderr=log, env=environment,
                                  timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise Skip("callgrind took too long") from None
    said = (folder / "log").read_text(errors="replace").strip().splitlines()
    if done.returncode == -signal.SIGILL:
        raise Skip("valgrind does not know an instruction of this machine")
    if done.returncode != 0:
        raise Skip(f"under valgrind: exit code {done.returncode}" + (f": {said[-1]}" if said else ""))
    return read_counts(folder, places["program"], variant)


def read_counts(folder, binary, variant):
    for path in folder.glob("out.*"):
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.readlines()
        command = next((line[5:].strip() for line in lines if line.startswith("cmd: ")), "")
        if command.split(" ")[0] != str(binary):
            continue
        totals = by_object(lines)
        parts = share(totals, binary)
        if variant.report and parts.get("translated", 0) < LEAST_TRANSLATED:
            raise Skip("nothing was executed outside of the program's files: nothing was translated under valgrind")
        return {"total": sum(totals.values()), "share": parts}
    raise Skip("callgrind left no figures for the program")
