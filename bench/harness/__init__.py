# SPDX-License-Identifier: MIT
"""The benchmark harness; bench.py beside this folder is its command line.

table, variants   what is measured: read from TOML, checked, nothing is run
build             from a program and a variant to a binary, cached by content
measure, count    from binaries to samples: CPU time in turns, executed instructions
stats             from samples to medians, ratios and intervals; pure functions
results           the JSON document, and two of them compared
text, report      the document as a terminal table and as an HTML page

Arrows go down this list only from results on; table and variants know nobody.
"""


class Skip(Exception):
    """Something cannot be had here; the text says why and is shown to the user."""


class Failed(Exception):
    """Something is wrong; the run ends with exit code 1."""
