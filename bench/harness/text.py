# SPDX-License-Identifier: MIT
"""The document as tables for a terminal of 100 columns."""

MARKS = {"faster": "-", "slower": "+", "no difference seen": " ", "too few rounds": "?", "the same": "="}


def percent(value):
    return f"{100 * (value - 1):+6.1f} %"


def table(rows, heads, left=1):
    """Columns as wide as their widest cell; the first `left` to the left."""
    cells = [heads, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    lines = []
    for row in cells:
        parts = [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(parts).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return lines


def interval(record):
    return f"{record['low']:.3f}..{record['high']:.3f}"


def result_row(name, result, instructions):
    ratio = result["ratio"]
    more = str(ratio["more_rounds"]) if ratio["more_rounds"] else ""
    return [name, f"{result['cpu_s']['median']:.3f}", f"{result['wall_s']:.3f}",
            f"{result['peak_kib'] / 1024:.1f}", f"{ratio['value']:.3f}", interval(ratio), MARKS[ratio["verdict"]],
            more, instructions]


def instruction_ratio(experiment, name):
    counts = experiment.get("instructions", {})
    base = counts.get(experiment["baseline"])
    return f"{counts[name]['total'] / base['total']:.3f}" if base and name in counts else ""


def experiment_lines(experiment):
    rows = [result_row(name, result, instruction_ratio(experiment, name))
            for name, result in experiment["results"].items()]
    title = f"{experiment['program']}/{experiment['input']} ({experiment['kind']}, n = {experiment['n']})"
    heads = ["variant", "CPU s", "wall s", "MiB", "ratio", "95 % interval", "", "more", "insns"]
    lines = ["", title] + table(rows, heads)
    for name, result in experiment["results"].items():
        if "over" in result:
            over = result["over"]
            lines.append(f"    {name} over {over['variant']}: {over['value']:.3f} ({interval(over)})")
    for name, report in experiment["reports"].items():
        if did(report):
            lines.append(f"    {name}: {did(report)}")
    return lines


def did(report):
    """One line of dynopt report --json, of the figures that are in it."""
    totals, said = report.get("totals", {}), []
    if "translated" in totals:
        said.append(f"{totals['translated']} of {totals.get('heads', '?')} heads translated")
    if "before_main_ns" in report:
        said.append(f"{report['before_main_ns'] / 1e6:.0f} ms before main")
    if "agent_cpu_ns" in report:
        said.append(f"agent CPU {report['agent_cpu_ns'] / 1e6:.0f} ms")
    refused = sum(row.get("count", 0) for row in totals.get("refused", []))
    return ", ".join(said + ([f"{refused} refused"] if refused else []))


def summary_lines(document):
    lines = []
    for kind, variants in document["summary"].items():
        rows = [[name, f"{r['value']:.3f}", interval(r), MARKS[r["verdict"]], f"{r['inputs']} of {r['of']}"]
                for name, r in variants.items()]
        lines += ["", f"geometric mean, {kind}"] + table(rows, ["variant", "ratio", "95 % interval", "", "inputs"])
    return lines


def sharing_lines(document):
    rows = document["sharing"]
    if not rows:
        return []
    names = list(dict.fromkeys(name for row in rows for name in row["variants"]))
    cells = [[f"{row['program']}/{row['input']}",
              *(f"{row['variants'][n]['pss_kib'] / 1024:.1f}" if n in row["variants"] else "" for n in names)]
             for row in rows]
    return ["", f"memory of {rows[0]['processes']} processes at once, MiB; what they share counts once"] + \
        table(cells, ["input", *names])


def absent_lines(document):
    rows = document["absent"]
    return ["", "not measured", *(f"    {name}: {reason}" for name, reason in rows.items())] if rows else []


def reason_lines(document):
    lines = []
    grouped = {}
    for row in document["skipped"]:
        grouped.setdefault((row["variant"], row["reason"]), []).append(f"{row['program']}/{row['input']}")
    if grouped:
        lines += ["", "skipped"]
    for (variant, reason), where in grouped.items():
        names = ", ".join(where) if len(where) < 4 else f"{len(where)} inputs"
        lines.append(f"    {variant} ({names}): {reason}")
    for row in document["failures"]:
        lines.append(f"FAILED  {row['program']}/{row['input']}, {row['variant']}: {row['reason']}")
    return lines


def legend(document):
    noise = document["noise"]
    how = ", all at the same time on one processor" if document.get("together") else ""
    return ["", f"ratio: CPU time (user + system, helpers included) to the baseline's, paired by round{how}",
            "- faster, + slower, ? too few rounds to say, blank: the interval holds 1 (no difference seen)",
            f"more: rounds to come to +-{100 * document['precision']:.1f} %; insns: executed instructions, by callgrind",
            f"The baseline's own middle half spread over {100 * noise['baseline_quartile_spread']:.1f} %; others "
            f"kept {noise['others_busy_processors']:.2f} processors busy; {100 * noise['stolen_share']:.1f} % of "
            "time was stolen."]


def lines(document):
    made = []
    for experiment in document["experiments"]:
        made += experiment_lines(experiment)
    return made + summary_lines(document) + sharing_lines(document) + reason_lines(document) + \
        absent_lines(document) + legend(document)


def compare_lines(rows):
    if not rows:
        return ["nothing to compare: the two results share no program, input and variant"], False
    worse = [r for r in rows if r["change"].low > 1]
    cells = [["/".join(r["key"][:2]), r["key"][3], f"{r['old']['value']:.3f}", f"{r['new']['value']:.3f}",
              f"{r['change'].value:.3f}", f"{r['change'].low:.3f}..{r['change'].high:.3f}",
              "+" if r["change"].low > 1 else "-" if r["change"].high < 1 else ""] for r in rows]
    made = ["", "compared with the older result (intervals hold for all rows together)"]
    made += table(cells, ["input", "variant", "old", "new", "change", "interval", ""], left=2)
    made.append(f"{len(worse)} of {len(rows)} rows got slower" if worse else "no row got slower beyond the noise")
    return made, bool(worse)
