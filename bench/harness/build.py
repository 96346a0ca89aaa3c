# SPDX-License-Identifier: MIT
"""From a program and a variant to a binary, each built once.

A build lives in builds/PROGRAM/KEY, where KEY is a digest of all that decides what
comes out: shell lines, compiler, flags, profile. Invariant: a folder with a file
"done" holds exactly what its key says; anything else is built anew. All keys have one
length, so that no variant has a longer path, and with it another stack, than another.
Safe to call from several threads and from several runs: one builds, the others wait; commands
that use a processor take a turn each, so that threads that wait for one another cost nothing.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

from . import Failed, Skip

HERE = Path(__file__).resolve().parent.parent
SOURCE_SH = HERE.parent / "tests/programs/source.sh"
SKIPPED = 77
KEY_LENGTH = 12
TRAINING_SIZE = "quick"
SAMPLES_PER_SECOND = 4000
BOLT_RUNTIME = "llvm-19/lib/libbolt_rt_instr.a"
BOLT_OPTIONS = ["--reorder-blocks=ext-tsp", "--reorder-functions=hfsort", "--split-functions",
                "--split-all-cold", "--split-eh", "--icf=1"]


def digest(*things):
    text = json.dumps(things, sort_keys=True, default=str).encode()
    return hashlib.sha256(text).hexdigest()[:KEY_LENGTH]


@contextlib.contextmanager
def locked(path, waiting=None):
    """Holds a file's lock against other threads and other runs; waiting() is called if it must wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def file_digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


class Builder:
    def __init__(self, build, keep, log):
        self.build_folder = Path(build).resolve()
        self.keep = Path(keep).resolve()
        self.log = log
        self.source_lock = threading.Lock()
        self.turns = threading.BoundedSemaphore(os.cpu_count())
        self.versions = {}
        self.sources = {}

    # -- what is needed first ------------------------------------------------

    def source(self, program):
        """$src: the unpacked source package, or the program's own folder."""
        if not program.source:
            return (program.table.parent / program.local).resolve()
        with self.source_lock:
            if program.source not in self.sources:
                done = subprocess.run([SOURCE_SH, program.source], env=self.environment(),
                                      capture_output=True, text=True, check=False)
                self.sources[program.source] = done
            done = self.sources[program.source]
        if done.returncode == SKIPPED:
            raise Skip(done.stderr.strip().removeprefix("SKIP: "))
        if done.returncode != 0:
            raise Failed(f"{program.name}: source.sh {program.source}: {done.stderr.strip()}")
        return Path(done.stdout.strip())

    def environment(self, **more):
        names = ("PATH", "HOME", "TMPDIR", "http_proxy", "https_proxy")
        kept = {k: os.environ[k] for k in names if k in os.environ}
        return dict(kept, LC_ALL="C", here=str(HERE), build=str(self.build_folder), DYNOPT_TEST_JOBS="1",
                    DYNOPT_SOURCES=os.environ.get("DYNOPT_SOURCES", str(self.build_folder / "sources")), **more)

    def compiler(self, variant):
        """Path of the C compiler and all that decides what it does."""
        if variant.driver == "dynopt":
            path = self.build_folder / "bin/dynopt-clang"
            if not path.exists():
                raise Skip("build/bin/dynopt-clang is not built")
            beside = sorted((self.build_folder / "lib/dynopt").glob("*"))
            parts = [path, *(p for p in beside if p.name != "libdynopt.so")]
            return str(path), [file_digest(p) for p in parts]
        if "clang" not in self.versions:
            said = subprocess.run(["clang-19", "--version"], capture_output=True, text=True, check=False)
            self.versions["clang"] = said.stdout.splitlines()[0] if said.returncode == 0 else ""
        return "clang-19", self.versions["clang"]

    def without_debug_information(self):
        """A folder with dynopt and its library for valgrind, which does not read clang's DWARF 5."""
        files = ["bin/dynopt", "lib/dynopt/libdynopt.so"]
        for name in files:
            if not (self.build_folder / name).exists():
                raise Skip(f"build/{name} is not built")

        def make(folder):
            for name in files:
                (folder / name).parent.mkdir(parents=True)
                self.tool(["strip", "-g", "-o", folder / name, self.build_folder / name], "strip")

        return self.kept("tool", "stripped", digest([file_digest(self.build_folder / f) for f in files]), make)

    # -- folders made once ---------------------------------------------------

    def folder(self, kind, program, key, make):
        """kind/PROGRAM/KEY, made by make(folder) unless it is there complete."""
        return self.kept(kind, program.name, key, make)

    def kept(self, kind, name, key, make):
        path = self.keep / kind / name / key
        with locked(path.with_suffix(".lock")):
            if not (path / "done").exists():
                shutil.rmtree(path, ignore_errors=True)
                path.mkdir(parents=True)
                make(path)
                (path / "done").touch()
        return path

    def run_lines(self, program, lines, folder, **environment):
        src = self.source(program)
        with self.turns, open(folder / "build.log", "w", encoding="utf-8") as log:
            done = subprocess.run([HERE / "build.sh", lines], cwd=folder, stdin=subprocess.DEVNULL, check=False,
                                  stdout=log, stderr=subprocess.STDOUT,
                                  env=self.environment(src=str(src), **environment))
        if done.returncode == 0:
            return
        said = (folder / "build.log").read_text(errors="replace").strip().splitlines()
        if done.returncode == SKIPPED:
            raise Skip(said[-1].removeprefix("SKIP: ") if said else "cannot be built here")
        raise Failed(f"{program.name}: build failed in {folder}:\n" + "\n".join(said[-15:]))

    def data(self, program, size_n):
        """$data for one $n."""
        if not program.data:
            return self.folder("data", program, "none", lambda folder: None)
        generator = file_digest(HERE / "inputs/generate.py")
        return self.folder("data", program, digest(program.data, size_n, generator),
                           lambda folder: self.run_lines(program, program.data, folder, n=str(size_n)))

    def places(self, program, given, size, binary):
        return {"program": str(binary), "data": str(self.data(program, given.n[size])),
                "here": str(HERE), "src": str(self.source(program))}

    # -- binaries ------------------------------------------------------------

    def compile(self, program, variant, more_cflags="", more_ldflags="", inputs_digest=""):
        """The linked binary, without what is done after linking."""
        cc, identity = self.compiler(variant)
        cflags = f"{variant.cflags} {more_cflags}".strip()
        ldflags = f"-fuse-ld=lld {variant.ldflags} {more_ldflags}".strip()
        key = digest(program.build, program.source, identity, cflags, ldflags, inputs_digest,
                     self.local_digest(program))

        def make(folder):
            short = f"{cflags} {ldflags}".replace(f"{self.keep}/", "")
            self.log(f"building {program.name}: {Path(cc).name} {short}")
            self.run_lines(program, program.build, folder, CC=cc, CFLAGS=cflags, LDFLAGS=ldflags)
            if not (folder / program.binary).exists():
                raise Failed(f"{program.name}: the build left no '{program.binary}' in {folder}")
            for objects in folder.glob("*.obj"):
                shutil.rmtree(objects)

        return self.folder("builds", program, key, make) / program.binary

    def local_digest(self, program):
        if not program.local:
            return ""
        folder = self.source(program)
        return [file_digest(p) for p in sorted(folder.rglob("*")) if p.is_file()]

    def binary(self, program, variant, measured):
        """The binary of a variant for the input that is measured."""
        flags = ("", "", "")
        if variant.profile:
            flags = self.profile_flags(program, variant, measured)
        linked = self.compile(program, variant, *flags)
        if variant.post == "bolt":
            return self.bolted(program, linked, measured)
        return linked

    def profile_flags(self, program, variant, measured):
        inputs = program.trained_on(measured, variant.profile)
        if not inputs:
            raise Skip(f"{program.name} has no other input to train on")
        if variant.profile == "sampled":
            profile = self.sampled(program, variant, inputs[0])
            option = f"-fprofile-sample-use={profile}"
        else:
            profile = self.instrumented(program, variant, inputs)
            option = f"-fprofile-use={profile} -Wno-profile-instr-unprofiled"
        return option, option if "-flto" in variant.cflags else "", file_digest(profile)

    def train(self, program, name, binary, folder, wrap=(), **environment):
        """Runs the binary once on an input, at the size of training, in a folder of its own."""
        given = program.inputs[name]
        places = self.places(program, given, TRAINING_SIZE, binary)
        work = folder / "work"
        work.mkdir(exist_ok=True)
        where = given.place(given.folder, TRAINING_SIZE, places) or work
        stdin = given.place(given.stdin, TRAINING_SIZE, places) or os.devnull
        with self.turns, open(folder / "train.log", "wb") as log, open(stdin, "rb") as read:
            done = subprocess.run([*wrap, *given.command(TRAINING_SIZE, places)], cwd=where, stdin=read, check=False,
                                  stdout=subprocess.DEVNULL, stderr=log, env=self.environment(**environment))
        shutil.rmtree(work)
        if done.returncode != 0:
            said = (folder / "train.log").read_text(errors="replace").strip().splitlines()
            raise Skip(f"training on '{name}' ended with {done.returncode}" + (f": {said[-1]}" if said else ""))

    def tool(self, command, what):
        with self.turns:
            done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False,
                                  stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
            errors = [line for line in said if "ERROR" in line or "error:" in line or "Assertion" in line]
            raise Skip(f"{what}: {(errors or said or ['exit code ' + str(done.returncode)])[0].strip()}")

    def instrumented(self, program, variant, inputs):
        """Profile of one or several inputs, by a build that counts."""
        gen = "-fprofile-generate -fprofile-update=single"
        plain = plain_of(variant)
        binary = self.compile(program, plain, gen, gen)

        def make(folder):
            self.log(f"training {program.name} on {', '.join(inputs)}")
            for name in inputs:
                self.train(program, name, binary, folder, LLVM_PROFILE_FILE=str(folder / f"{name}.profraw"))
            self.tool(["llvm-profdata-19", "merge", "-o", folder / "profile", *folder.glob("*.profraw")],
                      "llvm-profdata")
            for raw in folder.glob("*.profraw"):
                raw.unlink()

        runs = [program.inputs[i].run + str(program.inputs[i].n[TRAINING_SIZE]) for i in inputs]
        return self.folder("profiles", program, digest(str(binary), runs), make) / "profile"

    def sampled(self, program, variant, name):
        """Profile from instruction addresses at cpu-clock ticks; the binary is not
        position-independent, so that addresses are those of the file."""
        more = "-gmlt -fdebug-info-for-profiling -fno-pie -no-pie"
        binary = self.compile(program, plain_of(variant), more, "-no-pie")

        def make(folder):
            self.log(f"sampling {program.name} on {name}")
            record = folder / "perf.data"
            self.train(program, name, binary, folder, wrap=(
                "perf", "record", "-q", "-e", "cpu-clock:u", "-F", str(SAMPLES_PER_SECOND), "-o", str(record)))
            said = subprocess.run(["perf", "script", "-F", "ip", "-i", record], capture_output=True, text=True,
                                  check=False, stdin=subprocess.DEVNULL)
            counts = {}
            for line in said.stdout.split():
                counts[line] = counts.get(line, 0) + 1
            if not counts:
                raise Skip("perf recorded no samples")
            rows = [f"{ip}-{ip}:{n}" for ip, n in sorted(counts.items()) if int(ip, 16) < 1 << 32]
            (folder / "raw").write_text("\n".join([str(len(rows)), *rows, "0", ""]))
            self.tool(["llvm-profgen-19", f"--unsymbolized-profile={folder / 'raw'}", f"--binary={binary}",
                       f"--output={folder / 'profile'}", "--format=extbinary"], "llvm-profgen")
            record.unlink()

        run = program.inputs[name].run + str(program.inputs[name].n[TRAINING_SIZE])
        return self.folder("profiles", program, digest(str(binary), run, SAMPLES_PER_SECOND), make) / "profile"

    def bolted(self, program, linked, measured):
        options = [*BOLT_OPTIONS, *program.bolt]
        run = program.inputs[measured].run + str(program.inputs[measured].n[TRAINING_SIZE])

        def make(folder):
            self.log(f"BOLT on {program.name}, trained on {measured}")
            counting, data = folder / "counting", folder / "fdata"
            self.tool(["llvm-bolt-19", linked, "-instrument", f"--runtime-instrumentation-lib={BOLT_RUNTIME}",
                       f"--instrumentation-file={data}", *program.bolt, "-o", counting], "BOLT, instrumenting")
            self.train(program, measured, counting, folder)
            if not data.exists():
                raise Skip("BOLT: the instrumented program wrote no profile")
            self.tool(["llvm-bolt-19", linked, f"--data={data}", *options, "-o", folder / program.binary], "BOLT")
            counting.unlink()

        return self.folder("builds", program, digest(str(linked), options, run), make) / program.binary


def plain_of(variant):
    """The variant that profiles for it are taken from: same level and target, no flag, no
    link-time optimization, nothing after linking."""
    kept = [f for f in variant.cflags.split() if f.startswith(("-O", "-m"))]
    return replace(variant, cflags=" ".join(kept), ldflags="", driver="", profile="", post="", wrap=())
