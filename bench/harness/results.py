# SPDX-License-Identifier: MIT
"""The document that a run leaves (results.schema.json), and two of them compared.

Invariant: everything shown in the terminal and in the report is in the document,
together with every sample it was computed from.
"""

import json
from . import Failed, measure, stats

SCHEMA = "dynopt-bench-1"


def ratio_record(ratio, wanted):
    more = 0 if ratio.verdict == "the same" else stats.more_rounds(ratio, wanted)
    return {"value": round(ratio.value, 5), "low": round(ratio.low, 5), "high": round(ratio.high, 5),
            "rounds": ratio.rounds, "verdict": ratio.verdict, "more_rounds": more}


def as_ratio(record):
    return stats.Ratio(record["value"], record["low"], record["high"], record["rounds"])


def times(samples, key="cpu_s"):
    return [getattr(s, key) for s in samples]


def paired(ours, theirs):
    """Times of the rounds that both have."""
    rounds = {s.round: s for s in theirs}
    both = [(s.cpu_s, rounds[s.round].cpu_s) for s in ours if s.round in rounds]
    return [a for a, _ in both], [b for _, b in both]


def own_build(variant, experiment):
    """The variant that runs the same binary with nothing around it, if it is measured."""
    return next((name for name, (other, _) in experiment.variants.items()
                 if variant.wrap and not other.wrap and other.unwrapped() == variant.unwrapped()), None)


def experiment_record(experiment, wanted):
    base = experiment.runs[experiment.baseline]
    results = {}
    for name, samples in experiment.runs.items():
        if not samples:
            continue
        variant = experiment.variants[name][0]
        low, middle, high = stats.quartiles(times(samples))
        record = {"cpu_s": {"median": middle, "quartile_1": low, "quartile_3": high},
                  "wall_s": stats.quartiles(times(samples, "wall_s"))[1],
                  "helper_s": stats.quartiles(times(samples, "helper_s"))[1],
                  "peak_kib": int(stats.quartiles(times(samples, "peak_kib"))[1]),
                  "ratio": ratio_record(stats.paired_ratio(*paired(samples, base)), wanted)}
        own = own_build(variant, experiment)
        if own and own != name and experiment.runs[own]:
            record["over"] = dict(ratio_record(stats.paired_ratio(*paired(samples, experiment.runs[own])), wanted),
                                  variant=own)
        results[name] = record
    return {"program": experiment.program.name, "input": experiment.input.name, "kind": experiment.kind,
            "phases": experiment.input.phases, "size": experiment.size, "n": experiment.input.n[experiment.size],
            "baseline": experiment.baseline, "output": experiment.output, "results": results,
            "reports": experiment.reports,
            "samples": {name: measure.as_records(samples) for name, samples in experiment.runs.items()}}


def summary(experiments, wanted):
    """Geometric means of each variant, by kind; only over unphased experiments that were not
    interrupted, and only where every one of them has the variant, so that all means are over the same set."""
    made = {}
    for kind in dict.fromkeys(e.kind for e in experiments):
        group = [e for e in experiments if e.kind == kind and not e.input.phases] or \
                [e for e in experiments if e.kind == kind]
        most = max(len(e.runs[e.baseline]) for e in group)
        group = [e for e in group if len(e.runs[e.baseline]) == most]
        for name in dict.fromkeys(n for e in group for n in e.runs):
            have = [e for e in group if e.runs.get(name) and e.runs[e.baseline]]
            if not have:
                continue
            pairs = [paired(e.runs[name], e.runs[e.baseline]) for e in have]
            made.setdefault(kind, {})[name] = dict(
                ratio_record(stats.geometric_mean(pairs), wanted), inputs=len(have), of=len(group))
    return made


def noise(experiments):
    """How much the baseline moved by itself, and what else ran on the machine meanwhile."""
    spreads, others, stolen = [], [], []
    for e in experiments:
        samples = e.runs[e.baseline]
        if len(samples) > 1:
            low, middle, high = stats.quartiles(times(samples))
            spreads.append((high - low) / middle)
        for run in e.runs.values():
            others += times(run, "others")
            stolen += [s.stolen / s.wall_s for s in run if s.wall_s]

    def median(values):
        return round(stats.quartiles(values)[1], 4) if values else 0.0

    return {"baseline_quartile_spread": median(spreads), "others_busy_processors": median(others),
            "stolen_share": median(stolen)}


def programs_record(experiments):
    found = {}
    for e in experiments:
        record = found.setdefault(e.program.name, {"about": e.program.about, "source": e.program.source, "inputs": {}})
        record["inputs"][e.input.name] = {"about": e.input.about, "run": e.input.run}
    return found


def variants_record(experiments):
    keys = ("about", "cflags", "ldflags", "wrap")
    return {name: {key: getattr(variant, key) for key in keys}
            for e in experiments for name, (variant, _) in e.variants.items()}


def write(path, document):
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise Failed(f"{path}: no JSON: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise Failed(f"{path}: not a result of schema {SCHEMA}")
    return document


def ratios(document):
    return {(e["program"], e["input"], e["kind"], name): result["ratio"]
            for e in document["experiments"] for name, result in e["results"].items() if name != e["baseline"]}


def compare(old, new):
    """Rows of what both hold: key, old, new, change; the interval of the change holds for
    all rows together, so one slower row is one too many."""
    before, after = ratios(old), ratios(new)
    both = [key for key in after if key in before]
    return [{"key": key, "old": before[key], "new": after[key],
             "change": stats.changed(as_ratio(before[key]), as_ratio(after[key]), len(both))} for key in both]
