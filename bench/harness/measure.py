# SPDX-License-Identifier: MIT
"""Runs variants in turns, or together, and records what each run cost.

One experiment is one program, one input, one size, and the variants that could be
built. Every variant is run once to warm the machine up and to compare outputs, then
once a round (or as often as it says before that); odd rounds go backwards, so that a slow drift of the machine hits all
the same. Together means that all variants of a round run at the same time, on one processor that they share: whatever
happens to the machine meanwhile hits all of them alike, and a processor's clock and neighbours are the same for all. Invariant: no sample enters a result unless its output equals the
baseline's; a difference is recorded and fails the run as a whole.

What an optimizer does inside the process that it optimizes is never warmed up: each run
starts it from nothing, but for variants that are about what it remembers; its helpers' CPU time is added to the program's.
"""

import hashlib
import json
import os
import signal
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from . import Failed

TIMEOUT_S = 1800
GRACE_S = 30


@dataclass(frozen=True)
class Sample:
    round: int
    position: int
    user_s: float
    system_s: float
    helper_s: float
    wall_s: float
    peak_kib: int
    others: float
    stolen: float

    @property
    def cpu_s(self):
        return self.user_s + self.system_s + self.helper_s


@dataclass(frozen=True)
class Outcome:
    sample: Sample
    status: int
    output: str
    late: bool
    message: str  # the last line that it wrote to its standard error


def cpu_ticks():
    """Busy and stolen seconds of the whole machine since it started."""
    with open("/proc/stat", encoding="ascii") as stat:
        n = [int(x) for x in stat.readline().split()[1:9]]
    tick = os.sysconf("SC_CLK_TCK")
    return (n[0] + n[1] + n[2] + n[5] + n[6]) / tick, n[7] / tick


def says(status):
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit code {os.waitstatus_to_exitcode(status)}"


def own_folder(path, folder):
    """`path`, with links to what `folder` holds, and nothing else."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    for entry in Path(folder).iterdir() if folder else ():
        (path / entry.name).symlink_to(entry)
    return path


class Runner:
    def __init__(self, tool, work, environment):
        self.tool = tool
        self.work = Path(work)
        self.environment = environment

    def beside(self, number):
        """Another one, whose runs may take place at the same time."""
        return Runner(self.tool, self.work / f"beside.{number}", self.environment)

    def where(self, folder, alone):
        """The folder to run in: an own one, empty or with links to what `folder` holds, if others may write the same files at the same time."""
        own = own_folder(self.work / "run", None if alone else folder)
        return Path(folder) if folder and alone else own

    def run(self, given, size, places, wrap, round_number=0, position=0, alone=True):
        """One run of one input; the digest of its output included."""
        where = self.where(given.place(given.folder, size, places), alone)
        produced = where / given.output if given.output else None
        if produced:
            produced.unlink(missing_ok=True)
        out, err = self.work / "stdout", self.work / "stderr"
        stdin = given.place(given.stdin, size, places) or os.devnull
        before, stolen_before = cpu_ticks()
        figures = self.call([str(TIMEOUT_S), stdin, out, err, *wrap, *given.command(size, places)], where)
        after, stolen = cpu_ticks()
        status, user, system, helper, wall, peak, _, late = figures
        spent = (user + system + helper) / 1e6
        sample = Sample(round_number, position, user / 1e6, system / 1e6, helper / 1e6, wall / 1e6, peak,
                        round(max(0.0, (after - before - spent) / (wall / 1e6)), 3) if wall else 0.0,
                        round(stolen - stolen_before, 3))
        lines = err.read_text(errors="replace").strip().splitlines() if err.exists() else []
        return Outcome(sample, status, self.digest_output(given, status, out, produced), bool(late), lines[-1] if lines else "")

    def call(self, arguments, where):
        read, write = os.pipe()

        def give_result_descriptor():
            os.dup2(write, 3)

        with subprocess.Popen([self.tool, *map(str, arguments)], cwd=where, env=self.environment,
                              stdin=subprocess.DEVNULL, preexec_fn=give_result_descriptor,
                              close_fds=False) as process:
            os.close(write)
            try:
                process.wait(TIMEOUT_S + GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
        with os.fdopen(read) as result:
            figures = result.read().split()
        if len(figures) != 8:
            raise Failed(f"{self.tool} gave no result for: {' '.join(map(str, arguments))}")
        return [int(f) for f in figures]

    def digest_output(self, given, status, out, produced):
        total = hashlib.sha256(f"{says(status)}\n".encode())
        for path in filter(None, (out, produced)):
            if not path.exists():
                total.update(b"missing")
                continue
            if given.filter:
                with open(path, "rb") as read:
                    text = subprocess.run(["sh", "-c", given.filter], stdin=read, capture_output=True,
                                          check=False).stdout
                path = self.work / "filtered"
                path.write_bytes(text)
            with open(path, "rb") as read:
                total.update(hashlib.file_digest(read, "sha256").digest())
        return total.hexdigest()


@dataclass
class Experiment:
    """variants maps names to (Variant, binary); runs to lists of samples."""
    program: object
    input: object
    size: str
    kind: str
    rounds: int
    baseline: str = "O2"
    output: str = ""
    variants: dict = field(default_factory=dict)
    runs: dict = field(default_factory=dict)
    failures: list = field(default_factory=list)
    skipped: dict = field(default_factory=dict)
    reports: dict = field(default_factory=dict)

    def add(self, variant, binary):
        self.variants[variant.name] = (variant, binary)
        self.runs[variant.name] = []

    @property
    def name(self):
        return f"{self.program.name}/{self.input.name}"

    def drop(self, name, reason, failed):
        self.variants.pop(name)
        self.runs.pop(name)
        self.reports.pop(name, None)
        if failed:
            self.failures.append({"program": self.program.name, "input": self.input.name, "variant": name,
                                  "reason": reason})
        else:
            self.skipped[name] = reason

    def give_up(self, reason):
        """There is nothing to compare with: no sample of it counts."""
        self.failures.append({"program": self.program.name, "input": self.input.name, "variant": self.baseline,
                              "reason": reason})
        self.runs.clear()


class Lab:
    """Measures experiments one after the other; say() shows progress. processor: where the variants of a round run together; None: in turns."""

    def __init__(self, runner, places, work, say, processor=None):
        self.processor = processor
        self.runner = runner
        self.places = places
        self.status = work / "status"
        self.remembered = work / "remembered"
        self.say = say

    def once(self, experiment, name, round_number=0, position=0, runner=None):
        variant, binary = experiment.variants[name]
        places = self.places(experiment.program, experiment.input, experiment.size, binary)
        return (runner or self.runner).run(experiment.input, experiment.size, places, variant.wrap, round_number, position,
                                           alone=not runner)

    def in_turns(self, experiment, number):
        order = list(experiment.variants)
        if number % 2:
            order.reverse()
        for position, name in enumerate(order):
            yield name, self.once(experiment, name, number, position)

    def together(self, experiment, number):
        """All at the same time; who else was busy is known of the round only."""
        def one(position, name):
            os.sched_setaffinity(0, {self.processor})  # of this thread, and of what it starts
            return self.once(experiment, name, number, position, self.runner.beside(position))

        names = list(experiment.variants)
        names = names[number % len(names):] + names[:number % len(names)]
        start, (before, _) = time.monotonic(), cpu_ticks()
        with ThreadPoolExecutor(len(names)) as pool:
            outcomes = list(pool.map(one, range(len(names)), names))
        spent = sum(outcome.sample.cpu_s for outcome in outcomes)
        others = max(0.0, (cpu_ticks()[0] - before - spent) / (time.monotonic() - start))
        for name, outcome in zip(names, outcomes):
            yield name, replace(outcome, sample=replace(outcome.sample, others=round(others, 3)))

    def warm_up(self, experiment):
        """Returns the seconds one round takes; drops what is wrong, crashes or does nothing."""
        took = {}
        shutil.rmtree(self.remembered, ignore_errors=True)
        baseline = self.once(experiment, experiment.baseline)
        if baseline.status != 0:
            raise Failed(f"{experiment.name}: the baseline itself fails: {says(baseline.status)}: "
                         f"{baseline.message}")
        experiment.output = baseline.output
        took[experiment.baseline] = baseline.sample.wall_s
        for name in list(experiment.variants):
            if name == experiment.baseline:
                continue
            for _ in range(experiment.variants[name][0].before):
                shutil.rmtree(self.status, ignore_errors=True)
                outcome = self.once(experiment, name)
            took[name] = outcome.sample.wall_s
            if self.judge(experiment, name, outcome):
                self.ask(experiment, name)
        return sum(took[name] for name in experiment.variants)

    def ask(self, experiment, name):
        """Keeps what an optimizer says of the run that just ended; one that did nothing is out."""
        variant = experiment.variants[name][0]
        if not variant.report:
            return
        done = subprocess.run(variant.report, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, env=self.runner.environment)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            report = {}
        figure = report
        for key in filter(None, variant.live.split(".")):
            figure = figure.get(key, 0) if isinstance(figure, dict) else 0
        if variant.live and not figure:
            said = [report.get(k, "") for k in ("state_text", "cause_text")] + [done.stderr.strip()]
            experiment.drop(name, "it did nothing: " + (": ".join(filter(None, said)) or "no report"), failed=False)
            self.say(f"{experiment.name}: {name}: {experiment.skipped[name]}")
        elif report:
            experiment.reports[name] = report

    def judge(self, experiment, name, outcome):
        """True if the output is right; else the variant is out of the experiment."""
        if outcome.output == experiment.output and not outcome.late:
            return True
        if name == experiment.baseline:
            raise Failed(f"{experiment.name}: two runs of the baseline print different things")
        variant = experiment.variants[name][0]
        reason = f"{says(outcome.status)}" + (", time ran out" if outcome.late else "")
        message = outcome.message
        if os.WIFEXITED(outcome.status) and outcome.status == 0:
            reason = "wrong output"
            message = ""
        crashed_by_bolt = variant.post == "bolt" and os.WIFSIGNALED(outcome.status)
        if crashed_by_bolt:
            reason = f"what BOLT made does not run ({reason})"
        if message:
            reason += f": {message}"
        experiment.drop(name, reason, failed=not crashed_by_bolt)
        self.say(f"{experiment.name}: {name}: {reason}")
        return False

    def measure(self, experiment):
        start = time.monotonic()
        per_round = self.warm_up(experiment)
        self.say(f"{experiment.name}: {len(experiment.variants)} variants, {experiment.rounds} rounds, "
                 f"about {per_round * experiment.rounds:.0f} s")
        for number in range(experiment.rounds):
            for name, outcome in (self.in_turns if self.processor is None else self.together)(experiment, number):
                if self.judge(experiment, name, outcome):
                    experiment.runs[name].append(outcome.sample)
        self.seconds = time.monotonic() - start


def as_records(samples):
    return [dict(asdict(s), cpu_s=round(s.cpu_s, 6)) for s in samples]
