#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The path lab on a made-up path through subject.S, whose every figure can be counted by hand.

    test_pathlab.py PATHLAB SUBJECT
"""

import json
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PATHLAB, SUBJECT = sys.argv[1:3]
FILE, BLOCK = 0xfffffff0, 0xfffffff1
ROUNDS, RARE = 1000, 10


def symbols():
    done = subprocess.run(["nm", SUBJECT], capture_output=True, text=True, check=True)
    return {words[2]: int(words[0], 16) for words in map(str.split, done.stdout.splitlines()) if len(words) == 3}


def offset_of(addr):
    """File offset of a link-time address."""
    data = Path(SUBJECT).read_bytes()
    at, size, n = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    for i in range(n):
        kind, _, offset, start, _, filled = struct.unpack_from("<IIQQQQ", data, at + i * size)
        if kind == 1 and start <= addr < start + filled:
            return addr - start + offset
    raise AssertionError(f"no segment holds {addr:#x}")


class Path_:
    """A stream, block by block, as the recorder writes it."""

    def __init__(self):
        self.known = {}
        path = SUBJECT.encode()
        self.words = [FILE, len(path), *struct.unpack(f"<{(len(path) + 3) // 4}I", path.ljust(-len(path) % 4 + len(path),
                                                                                             b"\0"))]

    def go(self, start, end):
        if start not in self.known:
            self.known[start] = len(self.known)
            offset = offset_of(start)
            self.words += [BLOCK, 0, offset & 0xffffffff, offset >> 32, 0, end - start]
        self.words.append(self.known[start])

    def answer(self, *rules):
        with tempfile.NamedTemporaryFile() as file:
            file.write(struct.pack(f"<{len(self.words)}I", *self.words))
            file.flush()
            done = subprocess.run([PATHLAB, file.name, *rules], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)


def loop_path():
    """main calls loop, which goes round ROUNDS times; every RARE-th round takes the rare way."""
    at = symbols()
    path = Path_()
    call_at = at["behind"] - 5
    path.go(at["main"], at["main_behind"])
    for i in range(ROUNDS):
        path.go(at["head"] if i else at["loop"], call_at)
        if i % RARE:
            path.go(call_at, at["behind"])
            path.go(at["leaf"], at["leaf_ret"] + 1)
            path.go(at["behind"], at["rare"])
            path.go(at["middle"], at["out"])
        else:
            path.go(at["rare"], at["out"])
    path.go(at["out"], at["main"])
    path.go(at["main_behind"], at["main_behind"] + 1)
    return path


USUAL = ROUNDS - ROUNDS // RARE
RARE_ROUNDS = ROUNDS // RARE
# mov test js | call, push mov lea pop ret, jmp | nop nop | dec jnz
INSNS = 3 + 2 + 1 + ROUNDS * 5 + USUAL * 7 + RARE_ROUNDS * 2


class Loop(unittest.TestCase):
    def check(self, answer, **figures):
        self.assertEqual({name: answer[name] for name in figures}, figures)

    def test_all_in_one_tree(self):
        answer = loop_path().answer("side=0.05", "rounds=1", "least=0.01", "worth=9")
        self.check(answer, insns=INSNS, torn=0, trees=1, entries=1, inside=INSNS - 6,
                   calls=2 * USUAL, jumps=USUAL, nops=2 * RARE_ROUNDS, stubs=0, rsp_leas=0, exits=1, stub_exits=0,
                   pushes_inlined=2 * USUAL, pushes_unused=0, pushes_root=0, cut_system=0,
                   exit_branch=1)
        self.assertEqual(sum(n for name, n in answer.items() if name.startswith("outside_")), 6)

    def test_rare_way_left_out(self):
        answer = loop_path().answer("side=0.2", "rounds=1", "least=0.01", "worth=9")
        # It leaves by the branch, runs to head in original text, and enters by the site again.
        self.check(answer, trees=1, entries=1 + RARE_ROUNDS, exits=1 + RARE_ROUNDS, hops=1 + RARE_ROUNDS,
                   inside=INSNS - 6 - 4 * RARE_ROUNDS, calls=2 * USUAL, nops=0)

    def test_calls_stay(self):
        answer = loop_path().answer("side=0.05", "rounds=1", "least=0.01", "worth=9", "depth=0")
        # Each usual round leaves in front of its call, and the next one enters; rare ones stay.
        self.check(answer, calls=0, stub_exits=0, pushes_inlined=0, entries=USUAL, hops=USUAL, jumps=0, cut_call_rules=USUAL,
                   inside=3 * ROUNDS + RARE_ROUNDS * 4)

    def test_no_loops_in_trees(self):
        answer = loop_path().answer("side=0.05", "rounds=1", "least=0.01", "worth=9", "back=0")
        self.check(answer, entries=ROUNDS, exits=ROUNDS, linked=ROUNDS - 1, hops=1)

    def test_no_links_either(self):
        answer = loop_path().answer("side=0.05", "rounds=1", "least=0.01", "worth=9", "back=0", "linked=0")
        self.check(answer, entries=ROUNDS, exits=ROUNDS, linked=0, hops=ROUNDS)

    def test_traces_name_the_blocks(self):
        at = symbols()
        with tempfile.NamedTemporaryFile() as file:
            loop_path().answer("side=0.05", "rounds=1", "least=0.01", "worth=9", f"traces={file.name}")
            lines = Path(file.name).read_text(encoding="ascii").split("\n")
        self.assertEqual(lines[0], f"trace {Path(SUBJECT).name} {at['head']:#x} entries 1")
        self.assertEqual(lines[1].split()[:2], ["block", f"{at['head']:#x}"])
        starts = [int(line.split()[1], 16) for line in lines if line.startswith("  block")]
        self.assertEqual(sorted(starts), sorted([at["head"], at["behind"] - 5, at["leaf"], at["behind"], at["middle"],
                                                 at["rare"]]))

    def test_damaged_stream(self):
        path = loop_path()
        path.words.append(12345)
        with self.assertRaises(subprocess.CalledProcessError):
            path.answer()


OUTER, INNER = 100, 50
INSIDE = OUTER * (1 + INNER * 3 + 2)


def nest_path():
    """nest alone: OUTER rounds of INNER rounds."""
    at = symbols()
    path = Path_()
    for i in range(OUTER):
        path.go(at["outer"] if i else at["nest"], at["inner_out"])
        for _ in range(INNER - 1):
            path.go(at["inner"], at["inner_out"])
        path.go(at["inner_out"], at["outer_out"])
    path.go(at["outer_out"], at["nest_end"])
    return path


class Nest(unittest.TestCase):
    check = Loop.check

    def test_one_tree_holds_both(self):
        answer = nest_path().answer("rounds=1", "least=0.001", "worth=9")
        self.check(answer, trees=1, nodes=3, entries=1, hops=1, exits=1, inside=INSIDE, torn=0)

    def test_too_large(self):
        # Behind the inner loop the outer one goes on in original text.
        answer = nest_path().answer("rounds=1", "least=0.001", "worth=9", "blocks=2")
        self.check(answer, trees=1, nodes=2, entries=OUTER, hops=OUTER, linked=0, inside=INSIDE - 2 * OUTER)

    def test_too_large_ends_at_the_loop(self):
        answer = nest_path().answer("rounds=1", "least=0.001", "worth=9", "blocks=2", "full=1")
        self.check(answer, trees=2, nodes=3, entries=2 * OUTER, hops=1, linked=2 * OUTER - 1, inside=INSIDE)


TURN_INSIDE = OUTER * (2 + INNER * 3 + INNER - 1 + 2)


def turn_path():
    """turn alone: OUTER rounds of INNER rounds, each of which begins in the inner loop's middle."""
    at = symbols()
    path = Path_()
    for i in range(OUTER):
        path.go(at["turn_outer"] if i else at["turn"], at["turn_top"])
        path.go(at["turn_middle"], at["turn_behind"])
        for _ in range(INNER - 1):
            path.go(at["turn_top"], at["turn_behind"])
        path.go(at["turn_behind"], at["turn_out"])
    path.go(at["turn_out"], at["turn_end"])
    return path


class Turn(unittest.TestCase):
    def blocks(self, *rules):
        """Answer, and offsets of the blocks in the trace of the one tree with their branches."""
        at = symbols()
        with tempfile.NamedTemporaryFile() as file:
            answer = turn_path().answer("rounds=1", "least=0.001", "worth=9", f"traces={file.name}", *rules)
            lines = Path(file.name).read_text(encoding="ascii").split("\n")
        names = {addr: name for name, addr in at.items() if name.startswith("turn_")}
        words = [line.split() for line in lines if line.startswith("  block")]
        self.assertEqual((answer["trees"], answer["entries"], answer["inside"]), (1, 1, TURN_INSIDE))
        return [(names[int(w[1], 16)], w[w.index("branch") + 1] if "branch" in w else None) for w in words]

    def test_closed_where_it_was_entered(self):
        self.assertEqual(self.blocks(), [("turn_outer", None), ("turn_middle", "980"), ("turn_top", None),
                                         ("turn_behind", "990")])

    def test_closed_where_the_code_jumps_back(self):
        blocks = self.blocks("turn=1")
        self.assertEqual([name for name, _ in blocks], ["turn_outer", "turn_middle", "turn_top", "turn_middle",
                                                        "turn_behind"])
        self.assertEqual([branch for _, branch in blocks], [None, "1000", None, "980", "990"])


def choose_path():
    """choose alone: minus leads to a, plus to b, by turns, and each tenth time minus leads to b; a jump through a slot at last."""
    at = symbols()
    path = Path_()
    for i in range(ROUNDS):
        path.go(at["choose"], at["choose_plus"])
        plus = i % 2
        path.go(at["choose_plus" if plus else "choose_minus"], at["choose_minus" if plus else "choose_go"])
        path.go(at["choose_go"], at["choose_a"])
        left = "choose_b" if plus or i % 20 == 0 else "choose_a"
        path.go(at[left], at["choose_plt" if left == "choose_b" else "choose_b"])
    path.go(at["choose"], at["choose_plus"])
    path.go(at["choose_minus"], at["choose_go"])
    path.go(at["choose_plt"], at["choose_end"])
    path.go(at["choose"], at["choose_plus"])
    return path


class Contexts(unittest.TestCase):
    def test_way_to_the_jump(self):
        answer = choose_path().answer("contexts")
        self.assertEqual((answer["jumps"], answer["plt"], answer["insns"]), (ROUNDS, 1, 5 * ROUNDS + 6))
        lengths = {one["length"]: one for one in answer["lengths"]}
        # The jump alone: of a thousand 450 to a, 550 to b. Its own run tells nothing, the one before it whether plus or minus.
        for length in (0, 1):
            self.assertEqual((lengths[length]["contexts"], lengths[length]["right"], lengths[length]["sure"]), (1, 550, 0))
        self.assertEqual((lengths[2]["contexts"], lengths[2]["right"], lengths[2]["sure"]), (2, 950, 1000))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
