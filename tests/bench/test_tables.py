# SPDX-License-Identifier: MIT
"""Tables: what is shipped is well-formed, and what is misspelt is said so."""

import unittest

from common import BENCH, Case
from harness import Failed, Skip, table, variants

GOOD = """
[mine]
build = '$CC $CFLAGS $LDFLAGS -o mine "$src/mine.c"'
binary = "mine"
local = "."
[mine.inputs.a]
run = "$program $n 'two words'"
n = { count = 1, quick = 2, full = 3 }
"""
PLACES = {"build": "/b", "here": "/h", "status": "/s", "dynamorio": "/nonexistent"}


class Shipped(unittest.TestCase):
    def setUp(self):
        self.programs, _ = table.read_programs([BENCH / "programs.toml", BENCH / "kernels.toml"])
        self.variants = variants.Variants(BENCH / "variants.toml", {}, PLACES)

    def test_seven_real_programs_with_two_inputs_that_profiles_can_be_swapped_between(self):
        real = [p for p in self.programs.values() if p.source]
        self.assertEqual({p.name for p in real}, {"sqlite", "lua", "duktape", "tcc", "mawk", "bzip2", "zstd"})
        for program in real:
            first, second = [i.name for i in program.inputs.values() if not i.phases][:2]
            self.assertEqual(program.trained_on(first, "other"), [second])
            self.assertEqual(program.trained_on(second, "other"), [first])
            self.assertEqual(program.trained_on(first, "merged"), [first, second])

    def test_sizes_grow(self):
        for program in self.programs.values():
            for given in program.inputs.values():
                self.assertLess(given.n["count"], given.n["quick"] + 1)
                self.assertLess(given.n["quick"], given.n["full"])

    def test_sets_name_variants_that_exist(self):
        for names in self.variants.sets.values():
            self.assertEqual(names[0], "O2")
            for name in names:
                self.variants.get(name)

    def test_dynopt_stands_on_every_build_with_and_without_the_flag(self):
        for built in ("", "pgo-same+", "thinlto+"):
            with_flag, without = (self.variants.get(built + w) for w in ("dynopt-eager", "dynopt-unprepared"))
            self.assertEqual((with_flag.driver, without.driver), ("dynopt", ""))
            self.assertEqual(with_flag.wrap, without.wrap)
            self.assertLessEqual({with_flag.name, without.name}, set(self.variants.sets["full"]))


class Wrong(Case):
    def refuse(self, text, *words):
        path = self.write("mine.toml", text)
        with self.assertRaises(Failed) as caught:
            table.read_programs([path])
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_the_good_one_is_accepted(self):
        programs, _ = table.read_programs([self.write("mine.toml", GOOD)])
        given = programs["mine"].inputs["a"]
        places = {"program": "/p", "data": "", "here": "", "src": ""}
        self.assertEqual(given.command("full", places), ["/p", "3", "two words"])
        self.assertEqual(programs["mine"].trained_on("a", "other"), [])

    def test_misspelt_key(self):
        self.refuse(GOOD.replace("binary", "binarry"), "mine.toml", "[mine]", "binarry")

    def test_missing_key(self):
        self.refuse(GOOD.replace('binary = "mine"', ""), "'binary' is missing")

    def test_wrong_type(self):
        self.refuse(GOOD.replace('"mine"\n', "7\n"), "'binary' must be a str")

    def test_missing_size(self):
        self.refuse(GOOD.replace("quick = 2, ", ""), "input 'a'", "quick")

    def test_unknown_place(self):
        self.refuse(GOOD.replace("$program", "$progam"), "progam")

    def test_no_toml(self):
        self.refuse("[mine", "mine.toml")

    def test_no_file(self):
        with self.assertRaises(Failed):
            table.read_programs([self.folder / "nothing.toml"])


class Words(unittest.TestCase):
    def setUp(self):
        more = {"gone": {"probe": ["/nonexistent/tool"], "hint": "the tool is not here"},
                "refuses": {"probe": ["sh", "-c", "echo no such thing >&2; exit 2"], "hint": "it refuses"},
                "old": {"probe": ["echo", "--lazy"], "probe_says": "--eager", "hint": "too old"},
                "here": {"probe": ["echo", "--eager"], "probe_says": "--eager"}}
        self.variants = variants.Variants(BENCH / "variants.toml", more, PLACES)

    def test_level_is_added_once(self):
        self.assertEqual(self.variants.get("pgo-same").cflags, "-O2")
        self.assertEqual(self.variants.get("O3").cflags, "-O3")
        self.assertEqual(self.variants.get("thinlto+O3").cflags, "-flto=thin -O3")

    def test_a_wrapped_variant_has_the_binary_of_the_same_build(self):
        self.assertEqual(self.variants.get("dynopt-eager").unwrapped(), self.variants.get("jumpstations").unwrapped())
        self.assertEqual(self.variants.get("valgrind").unwrapped(), self.variants.get("O2").unwrapped())
        self.assertEqual(self.variants.get("dynopt-remembered").unwrapped(), self.variants.get("dynopt").unwrapped())
        self.assertNotIn("--no-remember", self.variants.get("dynopt-remembered").wrap)
        self.assertEqual([self.variants.get(name).before for name in ("dynopt", "dynopt-remembered")], [1, 6])
        self.assertEqual(self.variants.get("dynopt").wrap, ("/b/bin/dynopt", "run", "--no-remember", "--status-dir=/s", "--"))

    def test_words_that_exclude_each_other(self):
        for name in ("pgo-same+pgo-other", "nonsense", "O2+nonsense"):
            with self.assertRaises(Failed):
                self.variants.get(name)

    def test_what_is_missing_is_skipped_with_its_reason(self):
        for name, reason in (("gone", "the tool is not here"), ("refuses", "it refuses: no such thing"),
                             ("pgo-same+gone", "the tool is not here"), ("old", "too old"),
                             ("dynamorio", "DYNAMORIO_HOME")):
            with self.assertRaisesRegex(Skip, reason):
                self.variants.demand(self.variants.get(name))
        self.variants.demand(self.variants.get("here"))

    def test_bolt_loses_jumpstations(self):
        with self.assertRaisesRegex(Skip, "jumpstations"):
            self.variants.demand(self.variants.get("bolt+dynopt"))


if __name__ == "__main__":
    unittest.main()
