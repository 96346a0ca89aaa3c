# SPDX-License-Identifier: MIT
"""Variants: words of variants.toml joined by "+", and whether they can be had here.

Invariant: two variants with the same build() share one binary; what a variant is run
by (wrap) never changes how it is built. A probe is run once and its answer kept.
"""

import string
import subprocess
from dataclasses import dataclass

from . import Failed, Skip, table

WORD_KEYS = {"about": str, "cflags": str, "ldflags": str, "level": bool, "driver": str,
             "profile": str, "post": str, "wrap": list, "probe": list, "probe_says": str,
             "hint": str, "before": int, "report": list, "live": str, "counted": list, "uncounted": str}
PROBE_TIMEOUT_S = 20


@dataclass(frozen=True)
class Variant:
    name: str
    words: tuple
    about: str
    cflags: str
    ldflags: str
    driver: str
    profile: str
    post: str
    wrap: tuple
    before: int
    report: tuple
    live: str
    counted: tuple
    uncounted: str

    def unwrapped(self):
        """What identifies the binary: everything but the command it is run by."""
        return (self.cflags, self.ldflags, self.driver, self.profile, self.post)


class Variants:
    def __init__(self, path, more_words, places):
        document = table.read_toml(path)
        self.words = dict(document["words"], **more_words)
        self.sets = document["sets"]
        self.absent = document["absent"]
        self.places = places
        self.probed = {}
        for name, word in self.words.items():
            table.check_keys(f"variant '{name}'", word, WORD_KEYS, ())

    def get(self, name):
        parts = name.split("+")
        for part in parts:
            if part not in self.words:
                raise Failed(f"unknown variant '{part}'; words are {', '.join(self.words)}")
        rows = [self.words[part] for part in parts]
        if not any(row.get("level") for row in rows):
            rows.insert(0, self.words["O2"])

        def one(key):
            values = {row[key] for row in rows if key in row}
            if len(values) > 1:
                raise Failed(f"variant '{name}': {' and '.join(sorted(values))} exclude each other")
            return values.pop() if values else ""

        def joined(key):
            return " ".join(dict.fromkeys(row[key] for row in rows if key in row))

        def words(key):
            return tuple(self.fill(w) for row in rows for w in row.get(key, []))

        about = "; ".join(self.words[p].get("about", p) for p in parts)
        return Variant(name=name, words=tuple(parts), about=about, cflags=joined("cflags"),
                       ldflags=joined("ldflags"), driver=one("driver"),
                       profile=one("profile"), post=one("post"),
                       wrap=words("wrap"), before=one("before") or 1, report=words("report"), live=one("live"),
                       counted=words("counted"),
                       uncounted=next((row["uncounted"] for row in rows if "uncounted" in row), ""))

    def fill(self, text):
        return string.Template(text).safe_substitute(self.places)

    def demand(self, variant):
        """Raises Skip with the reason where a tool of the variant is missing or refuses."""
        if variant.post == "bolt" and variant.driver == "dynopt":
            raise Skip("BOLT does not keep jumpstations: notes would describe the old code")
        for part in variant.words:
            if part not in self.probed:
                self.probed[part] = self.probe(self.words[part])
            if self.probed[part]:
                raise Skip(self.probed[part])

    def probe(self, word):
        """None, or why not."""
        if "probe" not in word:
            return None
        command = [self.fill(w) for w in word["probe"]]
        hint = word.get("hint", f"{command[0]} is missing")
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False,
                                  stdin=subprocess.DEVNULL, timeout=PROBE_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired):
            return hint
        if done.returncode != 0 or word.get("probe_says", "") not in done.stdout + done.stderr:
            said = (done.stderr or done.stdout).strip().splitlines()
            return f"{hint}: {said[-1]}" if said and done.returncode != 0 else hint
        return None
