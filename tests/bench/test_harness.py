# SPDX-License-Identifier: MIT
"""The whole way, from a table to the report, with made-up times (fake_runner.py)."""

import json
import os
import re
import shutil
import sys
import unittest
from pathlib import Path

import common
import jsonschema
from common import BENCH, ROOT, Case
from harness import report

if not shutil.which("clang-19") or not shutil.which("ld.lld-19"):
    print("SKIP: clang-19 or lld-19 is not installed")
    sys.exit(77)

FAKE = Path(__file__).resolve().parent / "fake_runner.py"
TABLE = """
[mine]
about = "prints its arguments"
local = "src"
binary = "mine"
build = '$CC $CFLAGS $LDFLAGS -o mine "$src/mine.c"'
data = 'generate records $((n * 1000)) >input'
[mine.inputs.a]
run = "$program a $n"
stdin = "$data/input"
n = { count = 1, quick = 2, full = 3 }
[mine.inputs.b]
run = "$program b $n"
n = { count = 1, quick = 2, full = 3 }
output = "file"
filter = "sed 's/pid.*//'"

[variants.slower]
wrap = ["env", "FACTOR=1.05"]
[variants.equal]
wrap = ["env", "FACTOR=1.0"]
[variants.wrong]
wrap = ["sh", "-c", '"$@"; echo more', "sh"]
[variants.file]
wrap = ["sh", "-c", '"$@"; [ ! -e file ] || echo more >>file', "sh"]
[variants.crash]
wrap = ["sh", "-c", 'echo the reason >&2; exit 9', "sh"]
[variants.translates]
wrap = ["env", "A=1"]
report = ["echo", '{"totals": {"translated": 5}}']
live = "totals.translated"
[variants.idle]
wrap = ["env", "A=1"]
report = ["echo", '{"totals": {"translated": 0}, "state_text": "nothing to do"}']
live = "totals.translated"
[variants.mute]
wrap = ["env", "A=1"]
report = ["false"]
live = "totals.translated"
[variants.interrupts]
wrap = ["sh", "-c", '[ $(cat "$HOME/runs") -lt 12 ] || kill -TERM $(cut -d" " -f4 /proc/$PPID/stat); "$@"', "sh"]
[variants.remembers]
wrap = ["sh", "-c", 'mkdir -p "$0"; echo >>"$0/runs"; "$@"', "$remembered"]
before = 4
[variants.meets]
wrap = ["sh", "-c", 'case $PWD in */beside.*) for i in $(seq 200); do [ -e ../../met.$2.$3 ] && break; sleep 0.1; done; [ $i -lt 200 ] || exit 1;; esac; "$@"', "sh"]
[variants.met]
wrap = ["sh", "-c", 'case $PWD in */beside.*) : >../../met.$2.$3; nproc >>"$HOME/processors";; esac; "$@"', "sh"]
[variants.missing]
wrap = ["/nonexistent/tool"]
probe = ["/nonexistent/tool"]
hint = "the tool is not here"
[variants.broken]
cflags = "-O7nonsense -Wl,--nonsense"
"""
SOURCE = r"""
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	unsigned sum = 0;
	for (int c; (c = getchar()) != EOF;)
		sum = sum * 31 + (unsigned)c;
	printf("%s %u\npid %d\n", argv[argc - 1], sum, argv[1][0] == 'b' ? getpid() : 0);
	FILE *file = argv[1][0] == 'b' ? fopen("file", "w") : NULL;
	if (file) {
		fprintf(file, "%s\n", argv[1]);
		fclose(file);
	}
	return 0;
}
"""


class Harness(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "src").mkdir()
        self.table = self.write("mine.toml", TABLE)
        self.write("src/mine.c", SOURCE)
        self.addCleanup(os.environ.__setitem__, "HOME", os.environ.get("HOME", "/"))
        os.environ["HOME"] = str(self.folder)

    def measure(self, variants, *more, code=0, program="mine", rounds=21):
        done = self.bench("--table", self.table, program, "--variants", variants, "--rounds", rounds,
                          "--no-counts", *more, runner=FAKE)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def document(self):
        return json.loads((self.folder / "out/results.json").read_text())

    def verdicts(self):
        return {f"{e['input']}/{name}": r["ratio"]["verdict"]
                for e in self.document()["experiments"] for name, r in e["results"].items()}

    def test_slower_is_found_and_equal_is_not(self):
        said = self.measure("slower,equal,again,missing")
        verdicts = self.verdicts()
        for given in "ab":
            self.assertEqual(verdicts[f"{given}/slower"], "slower", said)
            self.assertEqual(verdicts[f"{given}/equal"], "no difference seen", said)
            self.assertEqual(verdicts[f"{given}/again"], "no difference seen", said)
        self.assertIn("missing (mine/a, mine/b): the tool is not here", said)
        self.assertEqual({s["variant"] for s in self.document()["skipped"]}, {"missing"})
        self.assertEqual(self.document()["summary"]["programs"]["slower"]["verdict"], "slower")

    def test_the_document_fits_its_schema(self):
        self.measure("slower,missing,translates", rounds=3)
        schema = json.loads((BENCH / "results.schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        jsonschema.validate(self.document(), schema)
        self.assertEqual(set(self.verdicts().values()), {"the same", "too few rounds"})

    def test_an_optimizer_that_does_nothing_is_no_result(self):
        said = self.measure("translates,idle,mute", rounds=2, program="mine/a")
        experiment = self.document()["experiments"][0]
        self.assertEqual(set(experiment["results"]), {"O2", "translates"})
        self.assertEqual(experiment["reports"], {"translates": {"totals": {"translated": 5}}})
        self.assertIn("not measured\n    progress curve", said)
        self.assertIn("idle (mine/a): it did nothing: nothing to do", said)
        self.assertIn("mute (mine/a): it did nothing: no report", said)

    def test_what_is_remembered_is_of_one_experiment(self):
        self.measure("remembers,equal", rounds=3)
        self.assertEqual([len(e["samples"]["remembers"]) for e in self.document()["experiments"]], [3, 3])
        runs = (self.folder / "build/bench/work/remembered/runs").read_text()
        self.assertEqual(len(runs), 4 + 3, "unmeasured runs and rounds, of the last input alone")

    def test_instructions_are_counted_once_for_each_binary(self):
        if not shutil.which("valgrind"):
            self.skipTest("valgrind is not installed")
        done = self.bench("--table", self.table, "mine/a", "--variants", "again,translates", "--rounds", 1, runner=FAKE)
        self.assertEqual(done.returncode, 0, done.stdout)
        counts = self.document()["experiments"][0]["instructions"]
        self.assertEqual(set(counts), {"O2", "again"})
        self.assertEqual(counts["O2"], counts["again"])
        self.assertEqual(len(list((self.folder / "build/bench/counts/mine").glob("*/counted.json"))), 1)
        self.assertIn("translates, instructions (mine/a): under 1 %", done.stdout)

    def test_an_interrupted_run_keeps_what_it_has(self):
        said = self.measure("equal,interrupts", code=1, rounds=20)
        document = self.document()
        self.assertTrue(document["interrupted"], said)
        self.assertEqual([e["input"] for e in document["experiments"]], ["a"])
        self.assertIn(len(document["experiments"][0]["samples"]["equal"]), (3, 4))

    def test_rounds_alternate(self):
        self.measure("slower,equal", rounds=4, program="mine/a")
        samples = self.document()["experiments"][0]["samples"]
        self.assertEqual([s["position"] for s in samples["O2"]], [0, 2, 0, 2])
        self.assertEqual([s["position"] for s in samples["equal"]], [2, 0, 2, 0])
        self.assertEqual([s["round"] for s in samples["equal"]], [0, 1, 2, 3])

    def test_together_is_at_the_same_time_on_one_processor(self):
        said = self.measure("meets,met", "--together", rounds=3)
        samples = [e["samples"] for e in self.document()["experiments"]]
        self.assertEqual([sorted(s["position"] for s in one["met"]) for one in samples], [[0, 1, 2]] * 2)
        self.assertEqual(set((self.folder / "processors").read_text().split()), {"1"})
        self.assertTrue(self.document()["together"])
        self.assertIn("all at the same time on one processor", said)

    def test_together_a_wrong_output_fails_the_run(self):
        said = self.measure("equal,wrong,file,crash", "--together", code=1, rounds=2)
        self.assertIn("FAILED  mine/a, wrong: wrong output", said)
        self.assertIn("FAILED  mine/b, file: wrong output", said)
        self.assertIn("FAILED  mine/a, crash: exit code 9: the reason", said)
        self.assertIn("b/equal", self.verdicts())

    def test_a_wrong_output_fails_the_run(self):
        said = self.measure("equal,wrong,file", code=1, rounds=6)
        self.assertIn("FAILED  mine/a, wrong: wrong output", said)
        self.assertIn("FAILED  mine/b, file: wrong output", said)
        self.assertNotIn("a/wrong", self.verdicts())
        self.assertIn("a/file", self.verdicts())
        self.assertIn("a/equal", self.verdicts())

    def test_an_exit_code_fails_the_run(self):
        said = self.measure("crash", code=1, rounds=2, program="mine/a")
        self.assertIn("FAILED  mine/a, crash: exit code 9: the reason", said)

    def test_a_baseline_that_fails_is_all_that_is_lost(self):
        self.table.write_text(TABLE.replace('run = "$program a $n"', 'run = "false $program"'))
        said = self.measure("equal", code=1, rounds=6)
        self.assertIn("FAILED  mine/a, O2: mine/a: the baseline itself fails: exit code 1", said)
        self.assertEqual([e["input"] for e in self.document()["experiments"]], ["b"])
        self.assertIn("b/equal", self.verdicts())

    def test_a_build_that_fails_ends_the_run(self):
        said = self.measure("broken", code=1, rounds=2)
        self.assertIn("nonsense", said)

    def test_compare(self):
        self.measure("slower,equal", rounds=12)
        kept = self.folder / "old.json"
        document = self.document()
        kept.write_text(json.dumps(document))
        new = self.folder / "out/results.json"
        same = self.bench("--compare", kept, "--with", new)
        self.assertEqual(same.returncode, 0, same.stdout)
        self.assertIn("no row got slower", same.stdout)
        for key in ("value", "low", "high"):
            document["experiments"][0]["results"]["equal"]["ratio"][key] *= 0.8
        kept.write_text(json.dumps(document))
        worse = self.bench("--compare", kept, "--with", new)
        self.assertEqual(worse.returncode, 1, worse.stdout)
        self.assertIn("1 of 4 rows got slower", worse.stdout)

    def test_the_report_needs_nothing_beside_itself(self):
        self.measure("slower", rounds=2)
        page = (self.folder / "out/report.html").read_text()
        for mark in ("@STYLE@", "@DOCUMENT@", "@DRAW@", "@LIBRARY@"):
            self.assertNotIn(mark, page)
        self.assertEqual(re.findall(r'<(?:script|link|img)[^>]*(?:src|href)=', page), [])
        data = re.search(r'<script id="document"[^>]*>(.*?)</script>', page, re.DOTALL).group(1)
        self.assertEqual(json.loads(data), self.document())

    def test_no_text_can_end_the_report_s_data(self):
        document = {"reason": "</script><script>alert(1)</script>@DRAW@"}
        page = report.page(document)
        data = re.search(r'<script id="document"[^>]*>(.*?)</script>', page, re.DOTALL).group(1)
        self.assertEqual(json.loads(data), document)
        self.assertIn("function drawHead", page)

    def test_wrong_use(self):
        for arguments in (["--rounds", "0"], ["--with", "x"], ["--nonsense"]):
            self.assertEqual(self.bench(*arguments).returncode, 2)
        for arguments, word in ((["nonsense"], "known are"), (["mine/x", "--table", self.table], "has no input"),
                                (["--compare", self.table], "no JSON"),
                                (["lua", "--variants", "x"], "unknown variant")):
            done = self.bench(*arguments)
            self.assertEqual(done.returncode, 1)
            self.assertIn(word, done.stdout)
            self.assertNotIn("Traceback", done.stdout)


class Documentation(Case):
    def test_the_example_of_ten_lines(self):
        text = (ROOT / "docs/bench.md").read_text()
        example = re.search(r"```toml\n(.*?)```", text, re.DOTALL).group(1)
        self.assertLessEqual(len(example.splitlines()), 10)
        path = self.write("mine.toml", example)
        self.write("primes.c", re.search(r"```c\n(.*?)```", text, re.DOTALL).group(1))
        done = self.bench("--table", path, "primes", "--variants", "pgo-same,pgo-other", "--size", "count",
                          "--rounds", "2", "--no-counts")
        self.assertEqual(done.returncode, 0, done.stdout)
        results = json.loads((self.folder / "out/results.json").read_text())["experiments"]
        self.assertEqual([e["input"] for e in results], ["few", "many"])
        self.assertEqual(set(results[0]["results"]), {"O2", "pgo-same", "pgo-other"})


if __name__ == "__main__":
    unittest.main()
