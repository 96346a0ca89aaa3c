#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The path lab: exact block paths of real programs, and what translations of them would do.

    PROGRAM -(harness/build.py)-> binary -(qemu-x86_64, record.c)-> path -(pathlab)-> traces, figures
                                                       binary, traces -(dynopt run, callgrind)-> counted
    PROGRAM -(harness/build.py)-> binary -(dynopt run)-> samples
                                  binary -(callgrind, exact.py)-> samples, as good as they can be
                                                      binary, samples -(dynopt run, callgrind)-> counted
                                                      binary, samples -(dynopt run, timed.py)-> times

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
import exact  # noqa: E402
import tables  # noqa: E402
import timed  # noqa: E402
from harness import Failed, Skip, build, count, table, variants  # noqa: E402

PROGRAMS = ["sqlite/main", "lua/objects", "duktape/objects", "tcc/compile", "mawk/text", "bzip2/compress",
            "zstd/compress"]
SIZE = "count"
SAMPLED_SIZE = "full"
TRACES = ["direct=1", "full=1", "turn=1"]  # what the tables found better than what the runtime does by itself
EPILOG = """examples:
  /usr/bin/python3 bench/pathlab/lab.py traces lua/objects        writes build/bench/lab/lua.objects/traces
  /usr/bin/python3 bench/pathlab/lab.py measure                   all programs: traces, then callgrind
  /usr/bin/python3 bench/pathlab/lab.py sampled sqlite/main       samples of one long run, then callgrind
  /usr/bin/python3 bench/pathlab/lab.py drawn sqlite/main         the same with samples drawn from what is executed
  /usr/bin/python3 bench/pathlab/lab.py timed --rounds 6 lua/objects   the same samples in time, with and without translations
  /usr/bin/python3 bench/pathlab/lab.py passes                    what each pass saves in the programs' traces, by the cost model
  /usr/bin/python3 bench/pathlab/lab.py contexts --runs 40000000  does the way to an indirect jump tell where it leads?
  /usr/bin/python3 bench/pathlab/lab.py table --runs 20000000     the tables of docs/gains.md
  /usr/bin/python3 bench/pathlab/lab.py simulate --rules 'depth=0 , depth=4 side=0.1' sqlite/main
"""


def parse(arguments):
    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__.splitlines()[0], epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("command", choices=["traces", "simulate", "measure", "sampled", "drawn", "timed", "table", "passes", "contexts"])
    add("programs", nargs="*", metavar="PROGRAM/INPUT", help=f"default: {' '.join(PROGRAMS)}")
    add("--runs", type=int, default=100_000_000, metavar="N", help="end the recording after so many branches")
    add("--rules", default="", metavar="RULES", help="rules for pathlab (pathlab.c); sets are separated by ' , '")
    add("--plain", action="store_true", help="built without -fdynopt-jumpstations")
    add("--modules", default="", metavar="NAMES", help="measure: translate only in these modules (colons)")
    add("--budget", metavar="N", help="sampled: of dynopt run; that of dynopt run by itself")
    add("--kept", action="store_true", help="sampled: what was sampled last, if it is there, instead of another run")
    add("--drawn", action="store_true", help="timed: by all that is executed, not by what was sampled last")
    add("--beside", action="append", default=[], metavar="DIR", help="timed: a folder where another revision is built, for the same samples; as often as you like")
    add("--rounds", type=int, default=6, metavar="N", help="timed: how often (6)")
    add("--size", choices=table.SIZES, default=SAMPLED_SIZE, help=f"timed: how long each run is ({SAMPLED_SIZE})")
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
        recorded = options.command not in ("sampled", "drawn", "timed", "passes")
        for tool in ("qemu-x86_64",) * recorded + ("valgrind",):
            if not shutil.which(tool):
                raise Failed(f"{tool} is not installed (packages qemu-user, valgrind)")
        for made in ("pathlab", "record.so") * recorded:
            if not (self.keep / "tool" / made).exists():
                raise Failed(f"{self.keep}/tool/{made} is not built: cmake --build {self.built} --target pathlab "
                             "pathlab-record")

    def subject(self, name, size=SIZE):
        """(program, input, binary, folder, command, where it runs) of a word PROGRAM/INPUT."""
        program, _, given = name.partition("/")
        if program not in self.programs or given not in self.programs[program].inputs:
            raise Failed(f"unknown program or input '{name}'")
        program = self.programs[program]
        given = program.inputs[given]
        variant = self.variants.get("O2" if self.options.plain else "jumpstations")
        binary = self.builder.binary(program, variant, given.name)
        places = self.builder.places(program, given, size, binary)
        folder = self.keep / "lab" / (name.replace("/", ".") + (".plain" if self.options.plain else ""))
        (folder / "run").mkdir(parents=True, exist_ok=True)
        return Subject(name, binary, folder, given.command(size, places),
                       given.place(given.folder, size, places) or folder / "run",
                       given.place(given.stdin, size, places) or os.devnull)

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

    def contexts(self, name):
        answer, = self.simulate(self.subject(name), ["contexts"])
        return answer

    # -- what really happens ---------------------------------------------------

    def library(self):
        """libdynopt.so without debugging information, which valgrind 3.19 cannot read."""
        path = self.keep / "lab/libdynopt.so"
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(f".{os.getpid()}")
        subprocess.run(["strip", "-g", "-o", made, self.built / "lib/dynopt/libdynopt.so"], check=True)
        made.rename(path)
        return path

    def callgrind(self, subject, kind, given=None, options=()):
        """What callgrind has written of the program. given: options of dynopt run; else without it. options: callgrind's."""
        out = subject.folder / f"callgrind.{kind}"
        for old in subject.folder.glob(f"callgrind.{kind}.*"):
            old.unlink()
        command = ["valgrind", "-q", "--tool=callgrind", "--smc-check=all", f"--callgrind-out-file={out}.%p",
                   *options, *subject.command]
        environment = self.environment()
        if given:
            modules = [f"--modules={self.options.modules}"] if self.options.modules else []
            modules += ["--all"] if self.options.all else []
            command = [str(self.built / "bin/dynopt"), "run", "--no-agent", "--children", f"--status-dir={subject.folder}/status",
                       f"--programs={subject.binary.name}", *given, *modules, "--", *command]
            environment["DYNOPT_LIBRARY"] = str(self.keep / "lab/libdynopt.so")
            self.status(subject)
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
                if any(line.startswith("cmd:") and line.split()[1] == str(subject.binary) for line in file):
                    return path
        raise Failed(f"{subject.name}: callgrind left no figures")

    def by_object(self, *callgrind):
        """Executed instructions by module; '' is what is in no file."""
        with open(self.callgrind(*callgrind), encoding="utf-8", errors="replace") as file:
            return count.by_object(file.readlines())

    def plain(self, subject):
        """The same without dynopt; counted once for a command."""
        key = build.digest(subject.command, build.file_digest(subject.binary))
        path = subject.folder / f"plain.{key}.json"
        if not path.exists():
            path.write_text(json.dumps(self.by_object(subject, "plain")))
        return json.loads(path.read_text())

    def status(self, subject):
        """The folder of status files, with nothing in it."""
        folder = subject.folder / "status"
        folder.mkdir(mode=0o700, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        return folder

    def report(self, subject):
        done = subprocess.run([self.built / "bin/dynopt", "report", "--last", "--json",
                               f"--status-dir={subject.folder}/status"], capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def counted(self, subject, given):
        """What callgrind says of the program plainly and with these options of dynopt run, reading modules left out."""
        plain = self.plain(subject)
        translated = self.by_object(subject, "translated", given)
        same = all(self.told(subject, kind) == self.told(subject, "plain") for kind in ("plain", "translated"))
        own = sum(n for path, n in translated.items() if path.endswith("libdynopt.so"))
        report = self.report(subject)
        totals = report.get("totals", {})
        return {"plain": sum(plain.values()), "translated": sum(translated.values()) - own, "library": own,
                "cache": translated.get("???", 0) + translated.get("", 0), "same": same,
                "heads": totals.get("heads", 0), "done": totals.get("translated", 0),
                "refused": totals.get("refused", []), "heat": report.get("heat", {})}

    def measure(self, name):
        made = self.traces(name)
        return dict(made, **self.counted(made.pop("subject"), [f"--traces={made['traces']}"]), asked=made["trees"])

    # -- single passes ---------------------------------------------------------

    def pass_names(self):
        return re.findall(r"^X\((\w+),", (HERE.parent.parent / "engine/passes.def").read_text(), re.MULTILINE)

    def executed(self, subject, path, *options):
        """Of a hundred instructions in the program's own traces, how many are executed: proven ones, by the cost model."""
        done = subprocess.run([self.built / "bin/dynopt-ir", "--file", subject.binary, "--trace", path, "--costs", "1", *options],
                              capture_output=True, text=True, check=False)
        found = re.search(r"entries ([0-9.]+) %", done.stdout)
        if not found:
            raise Failed(f"{subject.name}: dynopt-ir says {done.stdout}{done.stderr}")
        return float(found.group(1))

    def passes(self, name):
        """What is executed with all passes, and how much more without each."""
        subject = self.subject(name)
        path = subject.folder / "traces"
        if not path.exists():
            self.traces(name)
        together = self.executed(subject, path)
        return {"all": together, **{one: self.executed(subject, path, "--without", one) - together for one in self.pass_names()}}

    # -- what samples alone find -----------------------------------------------

    def sample(self, name, path):
        """Samples of one run at full size, kept in `path`; what its report says of them."""
        subject = self.subject(name, SAMPLED_SIZE)
        command = [str(self.built / "bin/dynopt"), "run", f"--status-dir={self.status(subject)}", f"--keep-samples={path}"]
        command += [f"--budget={self.options.budget}"] * bool(self.options.budget) + ["--", *subject.command]
        with open(subject.stdin, "rb") as stdin, open(subject.folder / "sample.log", "wb") as log:
            done = subprocess.run(command, cwd=subject.where, stdin=stdin, stdout=subprocess.DEVNULL, stderr=log,
                                  check=False, env=self.environment())
        report = self.report(subject)
        if done.returncode != 0 or not path.exists():
            raise Failed(f"{name}: nothing was sampled (exit code {done.returncode}, {report.get('cause_text', '')}), see "
                         f"{subject.folder}/sample.log")
        return report

    def sampled(self, name):
        subject = self.subject(name)
        path, said = subject.folder / "samples", subject.folder / "samples.json"
        if not (self.options.kept and path.exists() and said.exists()):
            said.write_text(json.dumps(self.sample(name, path)))
        told = json.loads(said.read_text())
        seen, wrong = self.exact(subject).seen(path, subject.binary.name)
        return dict(self.counted(subject, [f"--samples={path}"]), program=name, run=told, seen=seen, wrong=wrong)

    def exact(self, subject):
        """What the program executes, counted once for a command."""
        key = build.digest(subject.command, build.file_digest(subject.binary))
        path = subject.folder / f"exact.{key}"
        if not path.exists():
            self.callgrind(subject, "exact", options=["--dump-instr=yes", "--collect-jumps=yes"]).rename(path)
        return exact.Exact(path)

    def drawn(self, name):
        """One row for each of DRAWN."""
        subject = self.subject(name)
        path, known = subject.folder / "drawn", self.exact(subject)
        for samples, branches in DRAWN:
            known.draw(path, samples, branches, seed=samples)
            yield dict(self.counted(subject, [f"--samples={path}"]), program=name, samples=samples, branches=branches)

    def timed(self, name):
        """Lines of its table, with the samples of the last `sampled`."""
        subject = self.subject(name)
        path = subject.folder / ("drawn" if self.options.drawn else "samples")
        if self.options.drawn:
            self.exact(subject).draw(path, 0, True, seed=0)
        elif not path.exists():
            raise Failed(f"{name}: nothing was sampled yet (lab.py sampled {name})")
        builds = [self.built, *(Path(build).resolve() for build in self.options.beside)]
        return list(timed.Timed(self, name, path, builds, max(os.sched_getaffinity(0))).lines(self.options.rounds))

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


SAMPLED_HEAD = ("| program | samples | heads tried | translated | samples in translated trees | in trees that would save nothing "
                "| in trees refused otherwise | in no tree | executed from translations | executed instructions "
                "| in the sampled run: in all, since the last batch | agent | walks, instructions of each, standing still "
                "| branches seen, error |\n" + "|---" * 14 + "|")
DRAWN = [(2000, False), (2000, True), (20000, False), (20000, True), (0, True)]  # samples (0: what is executed), branches known
DRAWN_HEAD = ("| program | samples | branches | heads tried | translated | executed from translations | executed instructions |\n"
              + "|---" * 7 + "|")
TREES = ("TRANSLATED", "NO_GAIN", "REFUSED")  # what has become of a sample's trees (status_file.h)


def share(part, whole):
    return f"{100 * part / whole:.0f} %" if whole else "-"


def sampled_line(row):
    run, heat = row["run"], row["heat"]
    kinds = [heat.get("trees", {}).get(kind, 0) for kind in TREES]
    kinds.append(heat.get("samples", 0) - sum(kinds))
    trees = " | ".join(share(kind, heat.get("samples", 0)) for kind in kinds)
    return (f"| {row['program']} | {run['samples']} | {row['heads']} | {row['done']} | {trees} "
            f"| {100 * row['cache'] / row['translated']:.1f} % | {100 * (row['translated'] / row['plain'] - 1):+.2f} % "
            f"| {share(run['samples_cache'], run['samples'])}, {share(run['recent_cache'], run['recent'])} "
            f"| {run['agent_cpu_ns'] / 1e6:.0f} ms | {run['walks']}, {run['walk_instructions'] // max(1, run['walks'])}, "
            f"{share(run['walks_stood'], run['walks'])} | {100 * row['seen']:.0f} %, {row['wrong']:.3f} |"
            + ("" if row["same"] else " OUTPUT DIFFERS |"))


def drawn_line(row):
    return (f"| {row['program']} | {row['samples'] or 'all'} | {'known' if row['branches'] else '-'} | {row['heads']} | {row['done']} "
            f"| {100 * row['cache'] / row['translated']:.1f} % | {100 * (row['translated'] / row['plain'] - 1):+.2f} % |"
            + ("" if row["same"] else " OUTPUT DIFFERS |"))


def answer(lab, name):
    """Lines for standard output."""
    options = lab.options
    if options.command == "measure":
        row = lab.measure(name)
        with open(lab.keep / "lab/measured.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        return [measured_line(row)]
    if options.command == "sampled":
        return [sampled_line(lab.sampled(name))]
    if options.command == "drawn":
        return [drawn_line(row) for row in lab.drawn(name)]
    if options.command == "timed":
        return lab.timed(name)
    if options.command == "contexts":
        row = lab.contexts(name)
        return [f"| {name} | {100 * row['plt'] / row['insns']:.2f} % | {100 * row['jumps'] / row['insns']:.2f} % | " + " | ".join(
            f"{share(one['right'], row['jumps'])}, {share(one['sure'], row['jumps'])}" for one in row["lengths"]) + " |"]
    if options.command == "passes":
        row = lab.passes(name)
        return [f"| {name} | {row.pop('all'):.2f} | " + " | ".join(f"{more:+.2f}" for more in row.values()) + " |"]
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
    if options.command in ("measure", "sampled", "drawn"):
        lab.library()
    if options.command == "contexts":
        print("| program | PLT jumps | indirect jumps | last branches: 0: right, sure | 1 | 2 | 3 | 4 | 6 | 8 |\n|---|---|---|" + "---|" * 7)
    if options.command == "passes":
        names = lab.pass_names()
        print("| program | executed | " + " | ".join(names) + " |\n|---|---|" + "---|" * len(names))
    if options.command == "sampled":
        print(SAMPLED_HEAD)
    if options.command == "drawn":
        print(DRAWN_HEAD)
    if options.command == "timed":
        print(timed.HEAD)
    if options.command == "measure":
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
