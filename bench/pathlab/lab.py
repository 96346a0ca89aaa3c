#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The path lab: exact block paths of real programs, and what translations of them would do.

    PROGRAM -(harness/build.py)-> binary -(qemu-x86_64, record.c)-> path -(pathlab)-> traces, figures
                                                       binary, traces -(dynopt run, callgrind)-> counted

Exit codes: 0; 1 something failed; 2 wrong use. docs/gains.md explains the figures.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import tables  # noqa: E402
from harness import Failed, Skip, build, count, table, variants  # noqa: E402

PROGRAMS = ["sqlite/main", "lua/objects", "duktape/objects", "tcc/compile", "mawk/text", "bzip2/compress",
            "zstd/compress"]
SIZE = "count"
TRACES = ["direct=1", "full=1", "turn=1"]  # what the tables found better than what the runtime does by itself
EPILOG = """examples:
  /usr/bin/python3 bench/pathlab/lab.py traces lua/objects        writes build/bench/lab/lua.objects/traces
  /usr/bin/python3 bench/pathlab/lab.py measure                   all programs: traces, then callgrind
  /usr/bin/python3 bench/pathlab/lab.py table --runs 20000000     the tables of docs/gains.md
  /usr/bin/python3 bench/pathlab/lab.py simulate --rules 'depth=0 , depth=4 side=0.1' sqlite/main
"""


def parse(arguments):
    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__.splitlines()[0], epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("command", choices=["traces", "simulate", "measure", "table"])
    add("programs", nargs="*", metavar="PROGRAM/INPUT", help=f"default: {' '.join(PROGRAMS)}")
    add("--runs", type=int, default=100_000_000, metavar="N", help="end the recording after so many branches")
    add("--rules", default="", metavar="RULES", help="rules for pathlab (pathlab.c); sets are separated by ' , '")
    add("--plain", action="store_true", help="built without -fdynopt-jumpstations")
    add("--modules", default="", metavar="NAMES", help="measure: translate only in these modules (colons)")
    add("--all", action="store_true", help="measure: publish what the engine thinks saves nothing, too")
    add("--jobs", type=int, default=1, metavar="N", help="programs at a time")
    add("--build", default=str(HERE.parent.parent / "build"), metavar="DIR", help="where dynopt is built (build)")
    add("--compiler", metavar="DIR", help="build folder whose dynopt-clang builds the programs (that of --build)")
    return parser.parse_intermixed_args(arguments)


def say(message):
    print(f"    {message}", file=sys.stderr, flush=True)


class Lab:
    def __init__(self, options):
        self.options = options
        self.built = Path(options.build).resolve()
        self.keep = self.built / "bench"
        self.programs, words = table.read_programs([HERE.parent / "programs.toml", HERE.parent / "kernels.toml"])
        self.builder = build.Builder(options.compiler or options.build, self.keep, say)
        self.variants = variants.Variants(HERE.parent / "variants.toml", words, {"build": str(self.built)})
        for tool in ("qemu-x86_64", "valgrind"):
            if not shutil.which(tool):
                raise Failed(f"{tool} is not installed (packages qemu-user, valgrind)")
        for made in ("pathlab", "record.so"):
            if not (self.keep / "tool" / made).exists():
                raise Failed(f"{self.keep}/tool/{made} is not built: cmake --build {self.built} --target pathlab "
                             "pathlab-record")

    def subject(self, name):
        """(program, input, binary, folder, command, where it runs) of a word PROGRAM/INPUT."""
        program, _, given = name.partition("/")
        if program not in self.programs or given not in self.programs[program].inputs:
            raise Failed(f"unknown program or input '{name}'")
        program = self.programs[program]
        given = program.inputs[given]
        variant = self.variants.get("O2" if self.options.plain else "jumpstations")
        binary = self.builder.binary(program, variant, given.name)
        places = self.builder.places(program, given, SIZE, binary)
        folder = self.keep / "lab" / (name.replace("/", ".") + (".plain" if self.options.plain else ""))
        (folder / "run").mkdir(parents=True, exist_ok=True)
        return Subject(name, binary, folder, given.command(SIZE, places),
                       given.place(given.folder, SIZE, places) or folder / "run",
                       given.place(given.stdin, SIZE, places) or os.devnull)

    def environment(self, **more):
        """Nothing of the caller's that would move the program's stack, and libc's choices fixed."""
        return {"PATH": os.environ["PATH"], "LC_ALL": "C", **more}

    def simulate(self, subject, rules):
        """pathlab's answers, one for each set of rules, about the path that the program takes."""
        pipe = subject.folder / f"path.{os.getpid()}"
        os.mkfifo(pipe)
        recorder = ["qemu-x86_64", "-cpu", "max", "-plugin",
                    f"{self.keep}/tool/record.so,out={pipe}"]
        with open(subject.stdin, "rb") as stdin, open(subject.folder / "record.log", "wb") as log:
            recording = subprocess.Popen([*recorder, *subject.command], cwd=subject.where, stdin=stdin,
                                         stdout=subprocess.DEVNULL, stderr=log, env=self.environment())
            done = subprocess.run([self.keep / "tool/pathlab", pipe, f"limit={self.options.runs}", *rules], capture_output=True, text=True,
                                  check=False)
        pipe.unlink(missing_ok=True)
        if recording.wait() not in (0, -signal.SIGPIPE):
            raise Failed(f"{subject.name}: recording ended with {recording.returncode}, see {subject.folder}/record.log")
        if done.returncode != 0:
            raise Failed(f"{subject.name}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def traces(self, name):
        subject = self.subject(name)
        path = subject.folder / "traces"
        answer, = self.simulate(subject, [*TRACES, *self.options.rules.split(), f"traces={path}"])
        return dict(answer, program=name, traces=str(path), subject=subject)

    # -- what really happens ---------------------------------------------------

    def library(self):
        """libdynopt.so without debugging information, which valgrind 3.19 cannot read."""
        path = self.keep / "lab/libdynopt.so"
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(f".{os.getpid()}")
        subprocess.run(["strip", "-g", "-o", made, self.built / "lib/dynopt/libdynopt.so"], check=True)
        made.rename(path)
        return path

    def callgrind(self, subject, kind, traces=None):
        """Executed instructions by module; '' is what is in no file."""
        out = subject.folder / f"callgrind.{kind}"
        for old in subject.folder.glob(f"callgrind.{kind}.*"):
            old.unlink()
        command = ["valgrind", "-q", "--tool=callgrind", "--smc-check=all", f"--callgrind-out-file={out}.%p",
                   *subject.command]
        environment = self.environment()
        if traces:
            modules = [f"--modules={self.options.modules}"] if self.options.modules else []
            modules += ["--all"] if self.options.all else []
            command = [str(self.built / "bin/dynopt"), "run", "--no-agent", "--children", f"--status-dir={subject.folder}/status",
                       f"--programs={subject.binary.name}", f"--traces={traces}", *modules, "--", *command]
            environment["DYNOPT_LIBRARY"] = str(self.keep / "lab/libdynopt.so")
            (subject.folder / "status").mkdir(mode=0o700, exist_ok=True)
            for old in (subject.folder / "status").iterdir():
                old.unlink()
        with open(subject.stdin, "rb") as stdin, open(f"{out}.log", "wb") as log, \
                open(f"{out}.stdout", "wb") as stdout:
            done = subprocess.run(command, cwd=subject.where, stdin=stdin, stdout=stdout, stderr=log, check=False,
                                  env=environment)
        if done.returncode != 0:
            raise Failed(f"{subject.name}: under callgrind, exit code {done.returncode}, see {out}.log")
        for path in subject.folder.glob(f"callgrind.{kind}.*"):
            if not path.suffix[1:].isdigit():
                continue
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = file.readlines()
            if any(line.startswith("cmd:") and line.split()[1] == str(subject.binary) for line in lines):
                return count.by_object(lines)
        raise Failed(f"{subject.name}: callgrind left no figures")

    def plain(self, subject):
        """The same without dynopt; counted once for a command."""
        key = build.digest(subject.command, build.file_digest(subject.binary))
        path = subject.folder / f"plain.{key}.json"
        if not path.exists():
            path.write_text(json.dumps(self.callgrind(subject, "plain")))
        return json.loads(path.read_text())

    def report(self, subject):
        done = subprocess.run([self.built / "bin/dynopt", "report", "--last", "--json",
                               f"--status-dir={subject.folder}/status"], capture_output=True, text=True, check=False)
        return json.loads(done.stdout)["totals"] if done.returncode == 0 else {}

    def measure(self, name):
        made = self.traces(name)
        subject = made.pop("subject")
        plain = self.plain(subject)
        translated = self.callgrind(subject, "translated", made["traces"])
        same = all(self.told(subject, kind) == self.told(subject, "plain") for kind in ("plain", "translated"))
        own = sum(n for path, n in translated.items() if path.endswith("libdynopt.so"))
        report = self.report(subject)
        return dict(made, plain=sum(plain.values()), translated=sum(translated.values()) - own, library=own,
                    cache=translated.get("???", 0) + translated.get("", 0), same=same,
                    asked=made["trees"], done=report.get("translated", 0), refused=report.get("refused", []))

    def told(self, subject, kind):
        """What the program wrote, times left out."""
        return re.sub(rb" +[0-9]+\.[0-9]+s", b"", (subject.folder / f"callgrind.{kind}.stdout").read_bytes())


class Subject:
    def __init__(self, name, binary, folder, command, where, stdin):
        self.name, self.binary, self.folder = name, binary, folder
        self.command, self.where, self.stdin = command, where, stdin


def measured_line(row):
    """One row of the table; what the program executes in all is compared, reading modules left out."""
    change = 100 * (row["translated"] / row["plain"] - 1)
    return (f"| {row['program']} | {row['plain'] / 1e6:.0f} M | {row['asked']} | {row['done']} "
            f"| {100 * row['inside'] / row['insns']:.1f} % | {100 * (row['simulated'] / row['insns'] - 1):+.2f} % "
            f"| {100 * row['cache'] / row['translated']:.1f} % | {change:+.2f} % |"
            + ("" if row["same"] else " OUTPUT DIFFERS |"))


def answer(lab, name):
    """Lines for standard output."""
    options = lab.options
    if options.command == "measure":
        row = lab.measure(name)
        with open(lab.keep / "lab/measured.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        return [measured_line(row)]
    if options.command == "traces":
        made = lab.traces(name)
        made.pop("subject")
        return [json.dumps(made)]
    rules = tables.all_rules() if options.command == "table" else options.rules.split(" , ")
    sets = [words.split() for words in rules]
    joined = sum(([","] * (number > 0) + words for number, words in enumerate(sets)), [])
    answers = lab.simulate(lab.subject(name), joined)
    rows = [dict(row, program=name, rules=" ".join(words)) for row, words in zip(answers, sets)]
    if options.command == "table":
        (lab.keep / "lab" / f"{name.replace('/', '.')}.answers.json").write_text(json.dumps(rows))
    return [json.dumps(row) for row in rows]


def write_tables(lab, programs):
    """Of all programs that have answers by now."""
    answers = {}
    for name in programs:
        path = lab.keep / "lab" / f"{name.replace('/', '.')}.answers.json"
        if path.exists():
            answers[name] = {row["rules"]: row for row in json.loads(path.read_text())}
    path = lab.keep / "lab/tables.md"
    path.write_text("\n".join(tables.write(list(answers), answers)) + "\n")
    print(path)


def main(arguments):
    options = parse(arguments)
    lab = Lab(options)
    failures, programs = 0, options.programs or PROGRAMS
    if options.command == "measure":
        lab.library()
        print("| program | instructions | trees asked | done | simulated: in trees | executed "
              "| counted: in the cache | executed |\n|---|---|---|---|---|---|---|---|")
    with ThreadPoolExecutor(options.jobs) as pool:
        for name, job in [(name, pool.submit(answer, lab, name)) for name in programs]:
            try:
                lines = job.result()
                if options.command != "table":
                    print("\n".join(lines), flush=True)
            except (Failed, Skip) as failure:
                failures += 1
                say(f"{name}: {failure}")
    if options.command == "table":
        write_tables(lab, programs)
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Failed, Skip) as failure:
        sys.exit(f"lab.py: {failure}")
