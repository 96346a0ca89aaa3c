# SPDX-License-Identifier: MIT
"""Reads tables of programs (programs.toml says what the keys mean).

Invariant: what leaves this module is complete and well-formed. An unknown key, a
missing one or a wrong type is an error that names file, program and key, since a
misspelt key that is silently ignored would measure something else than asked for.
"""

import shlex
import string
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from . import Failed

SIZES = ("count", "quick", "full")
PROGRAM_KEYS = {"about": str, "source": str, "local": str, "binary": str, "build": str,
                "data": str, "bolt": list, "inputs": dict}
INPUT_KEYS = {"about": str, "run": str, "n": dict, "filter": str, "output": str,
              "folder": str, "stdin": str, "phases": bool}


@dataclass(frozen=True)
class Input:
    name: str
    run: str
    n: dict
    about: str = ""
    filter: str = ""
    output: str = ""
    folder: str = ""
    stdin: str = ""
    phases: bool = False

    def command(self, size, places):
        """The words of the command; places maps program, data, here, src."""
        known = dict(places, n=self.n[size])
        return [string.Template(word).substitute(known) for word in shlex.split(self.run)]

    def place(self, text, size, places):
        return string.Template(text).substitute(dict(places, n=self.n[size]))


@dataclass(frozen=True)
class Program:
    name: str
    build: str
    binary: str
    inputs: dict
    table: Path
    about: str = ""
    source: str = ""
    local: str = ""
    data: str = ""
    bolt: list = field(default_factory=list)

    def trained_on(self, measured, kind):
        """Names of the inputs a profile of this kind is taken from; [] if there are none."""
        whole = [i.name for i in self.inputs.values() if not i.phases]
        if kind in ("same", "sampled"):
            return [measured]
        if kind == "merged":
            return whole if len(whole) > 1 else []
        at = whole.index(measured) if measured in whole else -1
        others = whole[at + 1:] + whole[:max(at, 0)]
        return others[:1]


def check_keys(where, given, allowed, required):
    for key, value in given.items():
        if key not in allowed:
            raise Failed(f"{where}: unknown key '{key}'; known are {', '.join(allowed)}")
        if not isinstance(value, allowed[key]):
            raise Failed(f"{where}: '{key}' must be a {allowed[key].__name__}")
    for key in required:
        if key not in given:
            raise Failed(f"{where}: '{key}' is missing")


def read_input(where, name, given):
    check_keys(where, given, INPUT_KEYS, ("run", "n"))
    for size in SIZES:
        if not isinstance(given["n"].get(size), int):
            raise Failed(f"{where}: 'n' must give a whole number for each of {', '.join(SIZES)}")
    made = Input(name=name, **given)
    places = dict.fromkeys(("program", "data", "here", "src"), "")
    try:
        made.command("count", places)
    except (KeyError, ValueError) as error:
        raise Failed(f"{where}: 'run': {error}; known are $program $data $here $src $n") from error
    return made


def read_program(path, name, given):
    where = f"{path}: [{name}]"
    if not isinstance(given, dict):
        raise Failed(f"{path}: '{name}' is no program")
    check_keys(where, given, PROGRAM_KEYS, ("build", "binary", "inputs"))
    if not given["inputs"]:
        raise Failed(f"{where}: no inputs")
    inputs = {key: read_input(f"{where}, input '{key}'", key, value)
              for key, value in given["inputs"].items()}
    return Program(name=name, table=path, **dict(given, inputs=inputs))


def read_toml(path):
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise Failed(f"{path}: {error}") from error


def read_programs(paths):
    """All programs of all tables, by name in order, and words for variants they add."""
    programs, words = {}, {}
    for path in map(Path, paths):
        document = read_toml(path)
        words.update(document.pop("variants", {}))
        for name, given in document.items():
            programs[name] = read_program(path.resolve(), name, given)
    return programs, words
