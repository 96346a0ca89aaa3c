# SPDX-License-Identifier: MIT
"""The lab's tables: which rules are compared, and how pathlab's answers become rows of Markdown."""

LINEAR = "side=0.51 worth=1"
UNITS = [
    ("paths without loops, not linked", LINEAR + " back=0 linked=0"),
    ("paths, not linked", LINEAR + " linked=0"),
    ("paths", LINEAR),
    ("trees of sides from 20 %", "side=0.2 worth=1"),
    ("trees of sides from 10 %", "side=0.1 worth=1"),
    ("trees of sides from 5 %", "side=0.05 worth=1"),
    ("trees of sides from 2 %", "worth=1"),
    ("2 %, not linked", "worth=1 linked=0"),
    ("2 %, ending at other trees' loops", "worth=1 stop=1"),
]
USUAL = ""
SIZES = [(f"{blocks} blocks, {8 * blocks} instructions", f"blocks={blocks} insns={8 * blocks}" if blocks != 64 else USUAL)
         for blocks in (16, 32, 64, 128, 256)]
DEPTHS = [(f"depth {depth}", f"depth={depth}" if depth != 4 else USUAL) for depth in (0, 1, 2, 4)]
CALLS = [("gone into even if left inside too often", "leave=0")]
WORTH = [(f"trees that cost at most {100 * worth:g} %", f"worth={worth}" if worth != 0.05 else USUAL)
         for worth in (0, 0.02, 0.05, 0.1)]
SITES = [("first place that can be a site", USUAL), ("next one that needs no slot", "direct=1")]
LARGE = [("next site that needs no slot", "direct=1"),
         ("and full trees end at other trees' loops", "direct=1 full=1"),
         ("and 128 blocks, 1024 instructions", "direct=1 full=1 blocks=128 insns=1024")]
GROUPS = [("unit (no tree dropped for its cost)", UNITS), ("size", SIZES), ("calls inlined", DEPTHS + CALLS),
          ("trees dropped for their cost", WORTH), ("sites", SITES), ("together", LARGE)]

SAVED = [("jumps", "direct jumps whose target follows"), ("nops", "NOPs"), ("tables", "distances added in jumps through tables"),
         ("calls", "calls and returns that are gone"), ("rsp_moves", "sub and add rsp in inlined calls")]
ADDED = [("added_jumps", "jumps at ends of blocks"), ("stubs", "ways out of inlined calls"),
         ("rsp_leas", "rsp moved around inlined calls"),
         ("hops_call", "jumps into trees behind calls"), ("hops_return", "behind returns"),
         ("hops_indirect", "behind indirect jumps"), ("hops_loop", "at loops"), ("hops_exit", "behind exits"),
         ("hops_other", "elsewhere")]
POSSIBLE = [("pushes_inlined", "saves and restores in inlined calls"), ("pushes_unused", "- register not written between"),
            ("pushes_root", "saves and restores of the tree's own function"),
            ("dead", "results nobody reads"), ("sinkable", "results only other ways read"),
            ("copies", "register moves"), ("tests_known", "tests whose outcome is known"),
            ("loads_private", "loads from private slots, value in a register"),
            ("loads_plain", "- plain memory"), ("loads_ordered", "- ordered memory, own stores"),
            ("loads_unproved", "- not allowed: no PLAIN mark"),
            ("gone_private", "of these into the same register: private"), ("gone_plain", "- plain"),
            ("gone_ordered", "- ordered"),
            ("again_private", "loads again, a register would be needed: private"), ("again_plain", "- plain"),
            ("again_ordered", "- ordered, own stores"), ("invariant", "loads of slots that a loop never writes")]
EXITS = [("leave_return", "return of the function in which it began"), ("leave_indirect", "indirect jump"),
         ("exit_branch", "way that is not in the tree"), ("cut_call_indirect", "call by pointer"),
         ("cut_call_foreign", "call through the PLT"), ("cut_call_marks", "call that marks forbid to inline"),
         ("cut_call_rules", "call left by the rules"), ("cut_system", "system call"), ("cut_unknown", "other instruction")]
OUTSIDE = [("outside_dropped", "tree not worth its cost"), ("outside_unproven", "not proven or not reached"),
           ("outside_site", "no site"), ("outside_small", "too little heat"), ("outside_before", "beside its tree"),
           ("outside_file", "no module")]


def heading(title, programs):
    return [f"| {title} | " + " | ".join(name.split("/")[0] for name in programs) + " |",
            "|---" * (len(programs) + 1) + "|"]


def shares(rows, fields, programs, answers):
    """One row a field, in percent of executed instructions."""
    lines = heading(rows, programs)
    for field, title in fields:
        cells = [f"{100 * answers[name][field] / answers[name]['insns']:.2f}" for name in programs]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def net(title, sets, programs, answers):
    """One row a set of rules: change of executed instructions, and in brackets what is executed in trees."""
    lines = heading(title, programs)
    for name, rules in sets:
        cells = []
        for program in programs:
            answer = answers[program][rules]
            cells.append(f"{100 * (answer['simulated'] / answer['insns'] - 1):+.1f} "
                         f"({100 * answer['inside'] / answer['insns']:.0f})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def all_rules():
    return list(dict.fromkeys([USUAL] + [rules for _, sets in GROUPS for _, rules in sets]))


def write(programs, answers):
    """answers[program][rules] -> Markdown."""
    usual = {program: answers[program][USUAL] for program in programs}
    lines = []
    for title, sets in GROUPS:
        lines += net(title, sets, programs, answers) + [""]
    lines += shares("saved today", SAVED, programs, usual) + [""]
    lines += shares("added today", ADDED, programs, usual) + [""]
    lines += shares("could be saved", POSSIBLE, programs, usual) + [""]
    lines += shares("trees are left by", EXITS, programs, usual) + [""]
    lines += shares("original text, because", OUTSIDE, programs, usual) + [""]
    lines += heading("trees", programs)
    for field, title in (("trees", "trees"), ("nodes", "blocks"), ("tree_insns", "instructions")):
        lines.append(f"| {title} | " + " | ".join(str(usual[p][field]) for p in programs) + " |")
    cells = [f"{usual[p]['inside'] / max(1, usual[p]['entries']):.0f}" for p in programs]
    lines.append("| instructions executed for each entry | " + " | ".join(cells) + " |")
    return lines
