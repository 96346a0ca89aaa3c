#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures dynopt against profile-guided builds and emulators; `./dev bench --help`.

This file reads the command line and says what is done in which order; the parts are
in harness/. Exit codes: 0 measured; 1 an output was wrong, something failed, or
--compare found something slower; 2 wrong use.
"""

import argparse
import concurrent.futures
import os
import signal
import sys
import time
from pathlib import Path

from harness import Failed, Skip, build, count, machine, measure, report, results, sharing, table, text, variants

HERE = Path(__file__).resolve().parent
QUICK_PROGRAMS = ["sqlite", "lua", "zstd"]
EMULATION_ROUNDS = 3
BUILDING_THREADS = 4 * os.cpu_count()
DESCRIPTION = "Run-time optimization against PGO, BOLT and emulators, on real programs."
EPILOG = """examples:
  ./dev bench --quick                       three programs, -O2, PGO, dynopt: a quarter of an hour
  ./dev bench lua --variants O2,O3,pgo-same+bolt --rounds 20
  ./dev bench --table mine.toml myprogram   a program of your own (docs/bench.md)
  ./dev bench --compare old/results.json    is anything slower than it was?
"""


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench", description=DESCRIPTION, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("programs", nargs="*", metavar="PROGRAM[/INPUT]", help="what to measure (default: all)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help=f"{', '.join(QUICK_PROGRAMS)}; runs of 1 s, few variants")
    size.add_argument("--full", action="store_true", help="all programs and variants, runs of 3 to 10 s: hours")
    add("--variants", metavar="A,B,...", help="words of bench/variants.toml, joined by +; O2 is always there")
    add("--rounds", type=int, metavar="N", help="how often each is run (default: 10; 8 quick, 21 full)")
    add("--size", choices=table.SIZES, help="how long each run is (default: quick; full with --full)")
    add("--precision", type=float, default=2.0, metavar="PERCENT",
        help="half width of an interval that is good enough (default: 2)")
    add("--together", action="store_true", help="all variants of an input at the same time on one processor, not in turns: less noise "
        "by what happens to the machine, some by what they take from each other's caches; wall times say nothing")
    add("--no-emulation", action="store_true", help="without valgrind, qemu and DynamoRIO")
    add("--no-counts", action="store_true", help="without executed instructions")
    add("--table", action="append", default=[], metavar="FILE", help="programs and variants of your own")
    add("--out", metavar="DIR", help="where results.json and report.html go (default: build/bench/out)")
    add("--compare", metavar="OLD.json", help="compare with an older result; with --with, without measuring")
    add("--with", dest="with_", metavar="NEW.json", help="the newer result for --compare")
    add("--list", action="store_true", help="list programs, inputs and words for variants")
    add("--build", default=str(HERE.parent / "build"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.with_ and not options.compare:
        parser.error("--with needs --compare")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.precision <= 0:
        parser.error("--precision must be positive")
    return options


def say(message):
    print(f"    {message}", file=sys.stderr, flush=True)


class Bench:
    def __init__(self, options):
        self.options = options
        self.keep = Path(options.build).resolve() / "bench"
        self.out = Path(options.out or self.keep / "out").resolve()
        tables = [HERE / "programs.toml", HERE / "kernels.toml", *options.table]
        self.programs, words = table.read_programs(tables)
        self.builder = build.Builder(options.build, self.keep, say)
        places = {"build": str(self.builder.build_folder), "here": str(HERE),
                  "status": str(self.keep / "work/status"), "remembered": str(self.keep / "work/remembered"),
                  "dynamorio": os.environ.get("DYNAMORIO_HOME", "/nonexistent")}
        self.variants = variants.Variants(HERE / "variants.toml", words, places)
        self.skipped, self.failures, self.interrupted = [], [], False
        self.size = options.size or ("full" if options.full else "quick")
        self.rounds = options.rounds or (8 if options.quick else 21 if options.full else 10)
        self.runner = measure.Runner(os.environ.get("DYNOPT_BENCH_RUNNER", str(self.keep / "tool/bench-run")),
                                     self.keep / "work", self.builder.environment())

    # -- what is asked for ---------------------------------------------------

    def chosen_inputs(self):
        """Pairs (program, input) in the order of the tables."""
        asked = self.options.programs or (QUICK_PROGRAMS if self.options.quick else list(self.programs))
        pairs = []
        for name in asked:
            program, _, wanted = name.partition("/")
            if program not in self.programs:
                raise Failed(f"unknown program '{program}'; known are {', '.join(self.programs)}")
            inputs = self.programs[program].inputs
            if wanted and wanted not in inputs:
                raise Failed(f"{program} has no input '{wanted}'; it has {', '.join(inputs)}")
            for given in inputs.values():
                if given.name == wanted or (not wanted and not (self.options.quick and given.phases)):
                    pairs.append((self.programs[program], given))
        return pairs

    def chosen_variants(self):
        if self.options.variants:
            names = ["O2", *self.options.variants.split(",")]
        else:
            names = self.variants.sets["quick" if self.options.quick else "full" if self.options.full else "usual"]
        return [self.variants.get(name) for name in dict.fromkeys(names)]

    def plan(self):
        experiments = []
        main = self.chosen_variants()
        for program, given in self.chosen_inputs():
            kind = "kernels" if program.table.name == "kernels.toml" else "programs"
            experiments.append((measure.Experiment(program, given, self.size, kind, self.rounds), main))
        if not (self.options.quick or self.options.variants or self.options.no_emulation):
            emulated = [self.variants.get(name) for name in self.variants.sets["emulation"]]
            for experiment, _ in list(experiments):
                if experiment.kind == "programs" and not experiment.input.phases:
                    experiments.append((measure.Experiment(experiment.program, experiment.input, "quick", "emulation",
                                                           EMULATION_ROUNDS), emulated))
        return experiments

    # -- what is done --------------------------------------------------------

    def skip(self, experiment, name, reason):
        row = {"program": experiment.program.name, "input": experiment.input.name, "variant": name,
               "reason": str(reason)}
        if row not in self.skipped:
            self.skipped.append(row)

    def build_one(self, experiment, variant):
        try:
            self.variants.demand(variant)
            return self.builder.binary(experiment.program, variant, experiment.input.name)
        except Skip as reason:
            return reason

    def build_all(self, plan):
        jobs = [(experiment, variant) for experiment, chosen in plan for variant in chosen]
        say(f"{len(jobs)} variants of {len(plan)} inputs to build, those at hand excepted")
        with concurrent.futures.ThreadPoolExecutor(BUILDING_THREADS) as pool:
            made = list(pool.map(lambda job: self.build_one(*job), jobs))
        for (experiment, variant), binary in zip(jobs, made):
            if isinstance(binary, Skip):
                self.skip(experiment, variant.name, binary)
            else:
                experiment.add(variant, binary)
        for experiment, _ in plan:
            if experiment.baseline in experiment.variants:
                self.builder.data(experiment.program, experiment.input.n[experiment.size])
        return [experiment for experiment, _ in plan if experiment.baseline in experiment.variants]

    def count_all(self, experiments):
        """Executed instructions, one pool for all: valgrind runs do not disturb each other's counts."""
        def one(job):
            experiment, _, (variant, binary) = job
            places = self.builder.places(experiment.program, experiment.input, count.SIZE, binary)
            try:
                if variant.counted and self.options.quick:
                    raise Skip("translating under valgrind takes minutes; not with --quick")
                if variant.counted:
                    places.update(stripped=self.builder.without_debug_information(), name=Path(binary).name)
                return count.kept(self.builder, experiment.program, experiment.input, variant, places)
            except Skip as reason:
                return reason

        jobs = [(e, name, made) for e in experiments if e.kind != "emulation" for name, made in e.variants.items()]
        say(f"counting executed instructions of {len(jobs)} variants")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            counted = list(pool.map(one, jobs))
        found = {}
        for (experiment, name, _), figure in zip(jobs, counted):
            if isinstance(figure, Skip):
                self.skip(experiment, f"{name}, instructions", figure)
            else:
                found.setdefault((experiment.name, experiment.kind), {})[name] = figure
        return found

    def share_all(self, experiments):
        """Memory of several processes at once: the first input of each program, the baseline and
        what runs something beside the program."""
        made, seen = [], set()
        for e in experiments:
            names = [name for name, (variant, _) in e.variants.items() if name == e.baseline or variant.live]
            if e.kind != "programs" or e.program.name in seen or len(names) < 2:
                continue
            seen.add(e.program.name)
            found = {}
            for name in names:
                variant, binary = e.variants[name]
                places = self.builder.places(e.program, e.input, "quick", binary)
                try:
                    found[name] = sharing.measure(e.input, "quick", places, variant.wrap, self.keep / "work/sharing",
                                                  self.builder.environment())
                except Skip as reason:
                    self.skip(e, f"{name}, memory", reason)
            if len(found) > 1:
                made.append({"program": e.program.name, "input": e.input.name, "processes": sharing.PROCESSES,
                             "variants": found})
        return made

    def measure_all(self, experiments):
        processor = max(os.sched_getaffinity(0)) if self.options.together else None
        lab = measure.Lab(self.runner, self.builder.places, self.keep / "work", say, processor)
        for number, experiment in enumerate(experiments, 1):
            say(f"[{number}/{len(experiments)}] {experiment.name}")
            try:
                lab.measure(experiment)
            except KeyboardInterrupt:
                say("interrupted; what was measured is kept")
                self.interrupted = True
            except Failed as failure:
                say(f"{failure}; the others go on")
                experiment.give_up(str(failure))
            self.failures += experiment.failures
            for name, reason in experiment.skipped.items():
                self.skip(experiment, name, reason)
            if self.interrupted:
                break
        return [e for e in experiments if e.runs.get(e.baseline)]

    def run(self):
        started, load = machine.now(), machine.load()
        clock = time.monotonic()
        experiments = self.build_all(self.plan())
        counts = {} if self.options.no_counts else self.count_all(experiments)
        with build.locked(self.keep / "work/lock", lambda: say("waiting until another run has measured")):
            experiments = self.measure_all(experiments)
            shared = [] if self.interrupted else self.share_all(experiments)
        precision = self.options.precision / 100
        records = [results.experiment_record(e, precision) for e in experiments]
        for record in records:
            key = (f"{record['program']}/{record['input']}", record["kind"])
            if key in counts:
                record["instructions"] = {n: c for n, c in counts[key].items() if n in record["results"]}
        return {
            "schema": results.SCHEMA, "started": started, "seconds": round(time.monotonic() - clock, 1),
            "interrupted": self.interrupted,
            "revision": machine.revision(HERE), "rounds": self.rounds, "together": self.options.together,
            "size": self.size, "precision": precision,
            "machine": dict(machine.describe(self.builder.build_folder), load_before=load, load_after=machine.load()),
            "programs": results.programs_record(experiments), "variants": results.variants_record(experiments),
            "experiments": records, "summary": results.summary(experiments, precision),
            "sharing": shared, "absent": self.absent(experiments),
            "noise": results.noise(experiments), "skipped": self.skipped, "failures": self.failures,
        }

    def absent(self, experiments):
        """Figures that dynopt cannot give yet, by name, where it was measured at all."""
        measured = any(variant.report for e in experiments for variant, _ in e.variants.values())
        return self.variants.absent if measured else {}

    def list(self):
        for program in self.programs.values():
            print(f"{program.name:12} {program.about}")
            for given in program.inputs.values():
                print(f"    {program.name + '/' + given.name:24} {given.about}")
        print("\nwords for variants")
        for name, word in self.variants.words.items():
            print(f"    {name:24} {word.get('about', '')}")


def compare(old_path, new):
    lines, worse = text.compare_lines(results.compare(results.load(old_path), new))
    print("\n".join(lines))
    return 1 if worse else 0


def main(arguments):
    options = parse(arguments)
    if options.with_:
        return compare(options.compare, results.load(options.with_))
    if options.compare:
        results.load(options.compare)
    bench = Bench(options)
    if options.list:
        bench.list()
        return 0
    document = bench.run()
    bench.out.mkdir(parents=True, exist_ok=True)
    results.write(bench.out / "results.json", document)
    report.write(bench.out / "report.html", document)
    print("\n".join(text.lines(document)))
    print(f"\n{bench.out}/results.json, {bench.out}/report.html")
    worse = compare(options.compare, document) if options.compare else 0
    return 1 if document["failures"] or document["interrupted"] or not document["experiments"] else worse


def interrupt(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        sys.exit(main(sys.argv[1:]))
    except Failed as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
