# SPDX-License-Identifier: MIT
"""Executed instructions by callgrind: a figure without noise beside the times.

Where an optimizer rewrites code while it runs, valgrind must look for changed code
(--smc-check=all); then there must also be instructions outside of every file, or
what was counted is the original program: that is checked. Its own instructions, which it
executes in the program's thread here for want of another, are told apart.
"""

import functools
import json
import re
import shutil
import signal
import string
import subprocess
from collections import Counter
from pathlib import Path

from . import Skip, build

SIZE = "count"
TIMEOUT_S = 1800
LEAST_TRANSLATED = 0.01
OPTIMIZER = "/libdynopt.so"
LIBRARIES = [Path("/lib64/ld-linux-x86-64.so.2"), Path("/lib/x86_64-linux-gnu/libc.so.6"),
             Path("/lib/x86_64-linux-gnu/libm.so.6")]
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


def kind_of(name, binary):
    if name in ("???", ""):
        return "translated"
    if name.endswith(OPTIMIZER):
        return "optimizer"
    return "program" if name == str(binary) else "libraries"


def figures(totals, binary):
    """total: what the program executed; share: the parts of it that are in its own file, in
    libraries and in no file; optimizer: what an optimizer executed beside it."""
    kinds = Counter()
    for name, n in totals.items():
        kinds[kind_of(name, binary)] += n
    optimizer = kinds.pop("optimizer", 0)
    total = sum(kinds.values())
    return {"total": total, "share": {kind: round(n / (total or 1), 5) for kind, n in kinds.items()},
            "optimizer": optimizer}


def wrap_of(variant, places):
    """What the program is run by while it is counted."""
    return [string.Template(word).safe_substitute(places) for word in variant.counted or variant.wrap]


@functools.cache
def surroundings():
    """What a count depends on beside the binary and its data: scripts, loader, libraries."""
    return [build.file_digest(p) for p in [*sorted((build.HERE / "inputs").iterdir()), *LIBRARIES] if p.is_file()]


def kept(builder, program, given, variant, places):
    """The count of a binary, made once: it does not vary."""
    key = build.digest(places, given.run, given.stdin, given.n[SIZE], wrap_of(variant, places), surroundings())

    def make(folder):
        counted = count(given, places, variant, folder, builder.environment())
        (folder / "counted.json").write_text(json.dumps(counted), encoding="ascii")

    folder = builder.folder("counts", program, key, make)
    return json.loads((folder / "counted.json").read_text(encoding="ascii"))


def count(given, places, variant, folder, environment):
    """Total and where, in an empty folder; raises Skip with the reason where valgrind cannot do it."""
    if not shutil.which("valgrind"):
        raise Skip("valgrind is not installed")
    if variant.uncounted:
        raise Skip(variant.uncounted)
    work = folder / "run"
    work.mkdir(parents=True)
    where = given.place(given.folder, SIZE, places) or work
    tool = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out.%p"]
    if variant.report:
        tool += ["--smc-check=all", "--trace-children=yes"]
    stdin = given.place(given.stdin, SIZE, places) or "/dev/null"
    with open(stdin, "rb") as read, open(folder / "log", "wb") as log:
        try:
            done = subprocess.run([*tool, *wrap_of(variant, places), *given.command(SIZE, places)], cwd=where,
                                  stdin=read, stdout=subprocess.DEVNULL, stderr=log, check=False, env=environment,
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
        counted = figures(by_object(lines), binary)
        if variant.report and counted["share"].get("translated", 0) < LEAST_TRANSLATED:
            raise Skip("under 1 % of what was executed lay outside of the program's files: hot code was not translated")
        return counted
    raise Skip("callgrind left no figures for the program")
