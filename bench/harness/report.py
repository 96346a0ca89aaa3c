# SPDX-License-Identifier: MIT
"""The document as one HTML page that needs nothing beside itself.

The page, its style and the drawing code are in report/; Chart.js is put in from where
Debian installs it. Without it the page has all tables and says why it has no charts.
"""

import json
from pathlib import Path

REPORT = Path(__file__).resolve().parent.parent / "report"
LIBRARIES = [Path("/usr/share/javascript/chart.js/chart.min.js"),
             Path("/usr/share/nodejs/chart.js/dist/chart.min.js")]


def library():
    for path in LIBRARIES:
        if path.exists():
            return path.read_text(encoding="utf-8").replace("</script", "<\\/script")
    return ""


def page(document):
    """The page as text. What is put in is never searched for further marks."""
    parts = {
        "@STYLE@": (REPORT / "style.css").read_text(encoding="utf-8"),
        "@DOCUMENT@": json.dumps(document).replace("</", "<\\/"),
        "@LIBRARY@": library(),
        "@DRAW@": (REPORT / "draw.js").read_text(encoding="utf-8"),
    }
    left, made = (REPORT / "page.html").read_text(encoding="utf-8"), []
    for mark, content in parts.items():
        before, _, left = left.partition(mark)
        made += [before, content]
    return "".join(made) + left


def write(path, document):
    path.write_text(page(document), encoding="utf-8")
