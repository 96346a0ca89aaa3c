# SPDX-License-Identifier: MIT
"""bench-run: everything a command leaves behind is counted; callgrind files are read right; what
several processes share is told from what they do not; a build is made once; what is timed together prints the same."""

import concurrent.futures
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

from common import BENCH, Case
from harness import Failed, Skip, build, count, sharing, table, variants

sys.path.insert(0, str(BENCH / "pathlab"))
import timed  # noqa: E402

BUSY = "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done"


class Runner(Case):
    def run_one(self, *command, timeout=60):
        read, write = os.pipe()
        script = f'exec "$@" 3>&{write}'
        subprocess.run(["sh", "-c", script, "sh", os.environ["BENCH_RUN"], str(timeout), "/dev/null",
                        self.folder / "out", self.folder / "err", *command], check=True, pass_fds=[write], timeout=300)
        os.close(write)
        with os.fdopen(read) as result:
            names = ("status", "user", "system", "helper", "wall", "peak", "helpers", "late")
            return dict(zip(names, map(int, result.read().split()), strict=True))

    def test_status_and_output(self):
        cost = self.run_one("sh", "-c", "echo out; echo err >&2; exit 3")
        self.assertEqual(os.waitstatus_to_exitcode(cost["status"]), 3)
        self.assertEqual((self.folder / "out").read_text(), "out\n")
        self.assertEqual((self.folder / "err").read_text(), "err\n")

    def test_a_waited_child_counts_as_the_command(self):
        cost = self.run_one("sh", "-c", f"({BUSY}); exit 0")
        self.assertGreater(cost["user"], 0)
        self.assertEqual(cost["helpers"], 0)

    def test_what_is_left_behind_counts_as_helper(self):
        cost = self.run_one("sh", "-c", f"({BUSY}) & exit 0")
        self.assertEqual(cost["helpers"], 1)
        self.assertGreater(cost["helper"], 10 * cost["user"])

    def test_memory_is_the_command_s_not_ours(self):
        small = self.run_one("true")["peak"]
        large = self.run_one("/usr/bin/python3", "-c", "x = bytearray(100 << 20)")["peak"]
        self.assertLess(small, 20 << 10)
        self.assertGreater(large, 100 << 10)

    def test_time_runs_out(self):
        cost = self.run_one("tail", "-f", "/dev/null", timeout=1)
        self.assertTrue(os.WIFSIGNALED(cost["status"]))
        self.assertEqual(cost["late"], 1)

    def test_an_interrupt_ends_the_command(self):
        cost = self.run_one("sh", "-c", "kill -INT $PPID; exec tail -f /dev/null")
        self.assertEqual(os.WTERMSIG(cost["status"]), 9)
        self.assertEqual(cost["late"], 1)

    def test_a_command_that_does_not_exist(self):
        cost = self.run_one(str(self.folder / "nothing"))
        self.assertEqual(os.waitstatus_to_exitcode(cost["status"]), 127)
        self.assertIn("nothing", (self.folder / "err").read_text())


CALLGRIND = """version: 1
cmd: /b/prog 3
positions: line
events: Ir

ob=(1) /b/prog
fl=(1) prog.c
fn=(1) main
3 10
+2 5
cob=(2) /lib/libc.so.6
cfn=(2) puts
calls=2 0
* 900
-1 7

ob=(2)
fn=(2)
0 900

ob=(3) ???
fn=(3) 0x0000000000401234
0 50
totals: 972
"""


class Callgrind(unittest.TestCase):
    def test_calls_are_not_counted_twice(self):
        totals = count.by_object(CALLGRIND.splitlines(keepends=True))
        self.assertEqual(dict(totals), {"/b/prog": 22, "/lib/libc.so.6": 900, "???": 50})

    def test_shares(self):
        totals = count.by_object(CALLGRIND.splitlines(keepends=True))
        counted = count.figures(totals, "/b/prog")
        self.assertEqual((counted["total"], counted["optimizer"]), (972, 0))
        self.assertAlmostEqual(counted["share"]["translated"], 50 / 972, places=4)
        self.assertAlmostEqual(sum(counted["share"].values()), 1, places=3)

    def test_the_optimizer_s_own_instructions_are_told_apart(self):
        totals = count.by_object(CALLGRIND.replace("/lib/libc.so.6", "/x/lib/dynopt/libdynopt.so").splitlines(True))
        counted = count.figures(totals, "/b/prog")
        self.assertEqual((counted["total"], counted["optimizer"]), (72, 900))
        self.assertAlmostEqual(counted["share"]["translated"], 50 / 72, places=4)

    def test_other_words_stand_before_the_program_while_it_is_counted(self):
        words = {"x": {"wrap": ["x"], "counted": ["$stripped/x", "--programs=$name"]}, "y": {"wrap": ["y"]}}
        known = variants.Variants(BENCH / "variants.toml", words, {})
        places = {"stripped": "/s", "name": "prog"}
        self.assertEqual(count.wrap_of(known.get("x"), places), ["/s/x", "--programs=prog"])
        self.assertEqual(count.wrap_of(known.get("y"), places), ["y"])

    def test_an_optimizer_whose_code_did_not_run_is_no_count(self):
        words = {"x": {"wrap": ["x"], "report": ["x"]}}
        variant = variants.Variants(BENCH / "variants.toml", words, {}).get("x")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "out.1"
            path.write_text(CALLGRIND)
            counted = count.read_counts(Path(folder), "/b/prog", variant)
            self.assertEqual(counted["total"], 972)
            path.write_text(CALLGRIND.replace("0 50\n", "0 5\n"))
            with self.assertRaisesRegex(Skip, "was not translated"):
                count.read_counts(Path(folder), "/b/prog", variant)
            with self.assertRaisesRegex(Skip, "no figures"):
                count.read_counts(Path(folder), "/b/other", variant)


MEBIBYTES = 30
HOLDER = f"x = bytearray(b'1' * ({MEBIBYTES} << 20)); print('ready', flush=True); input()"


class Sharing(Case):
    def test_private_memory_is_in_the_sum_once_for_each(self):
        processes = [subprocess.Popen(["/usr/bin/python3", "-c", HOLDER], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True) for _ in range(3)]
        for process in processes:
            self.assertEqual(process.stdout.readline(), "ready\n")
        now = sharing.at_once(processes)
        for process in processes:
            process.communicate("\n")
        self.assertGreater(now["private_kib"], 3 * MEBIBYTES << 10)
        self.assertGreater(now["pss_kib"], now["private_kib"])
        self.assertIsNone(sharing.at_once(processes))

    def test_one_that_fails_is_a_reason(self):
        given = table.Input(name="a", run="$program -c 'exit 3'", n={"quick": 1})
        places = {"program": "sh", "data": "", "here": "", "src": ""}
        with self.assertRaisesRegex(Skip, "exit code 3"):
            sharing.measure(given, "quick", places, (), self.folder / "work", dict(os.environ))


class Folders(Case):
    def test_made_once_by_whoever_comes_first(self):
        made = []

        def make(folder):
            made.append(folder)
            (folder / "file").touch()

        # As many builders as there are threads: what locks must be seen by other processes too.
        def use(_):
            folder = build.Builder(self.folder, self.folder / "keep", print).kept("builds", "p", "key", make)
            return (folder / "file").exists()

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(list(pool.map(use, range(16))), [True] * 16)
        self.assertEqual(len(made), 1)

    def test_what_was_not_finished_is_made_anew(self):
        builder = build.Builder(self.folder, self.folder / "keep", print)

        def fail(folder):
            (folder / "half").touch()
            raise Skip("no")

        with self.assertRaises(Skip):
            builder.kept("builds", "p", "key", fail)
        folder = builder.kept("builds", "p", "key", lambda folder: None)
        self.assertEqual([p.name for p in folder.iterdir()], ["done"])


class Timed(Case):
    """With a dynopt that runs the program, and with one that prints something else when it translates."""

    def setUp(self):
        super().setUp()
        for build, more in (("good", ":"), ("bad", '[ "$options" = "--off " ] || echo more')):
            (self.folder / build / "bin").mkdir(parents=True)
            script = self.write(f"{build}/bin/dynopt", '#!/bin/sh\nshift; options=\nwhile [ "$1" != -- ]; do case $1 in --status-dir=*) ;; '
                                '*) options="$options$1 ";; esac; shift; done; shift\n' + f'"$@"; {more}\n')
            script.chmod(0o755)
        (self.folder / "data").mkdir()
        self.write("data/input", "what is read\n")
        self.options = SimpleNamespace(size="quick")

    def subject(self, _, size):
        return SimpleNamespace(command=["sh", "-c", f"cat input; echo {size}; echo >made"], stdin=os.devnull,
                               where=self.folder / "data", folder=self.folder)

    def environment(self):
        return {"PATH": os.environ["PATH"]}

    def timed(self, *builds):
        return timed.Timed(self, "mine/a", "samples", [self.folder / build for build in builds], max(os.sched_getaffinity(0)))

    def test_all_run_as_often(self):
        times = self.timed("good").rounds("count", 3)
        self.assertEqual([len(one) for one in times.values()], [3, 3, 3])
        self.assertFalse((self.folder / "data/made").exists(), "each writes into a folder of its own")

    def test_rows(self):
        rows = list(self.timed("good").lines(2))
        self.assertEqual(len(rows), 2)
        self.assertIn("| mine/a | again |", rows[0])
        self.assertIn(f"| mine/a | {self.folder}/good |", rows[1])

    def test_another_output_is_no_result(self):
        with self.assertRaisesRegex(Failed, "outputs differ"):
            self.timed("good", "bad").rounds("count", 1)


if __name__ == "__main__":
    unittest.main()
