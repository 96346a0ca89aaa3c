# SPDX-License-Identifier: MIT
"""What the tests of the harness share: where it is, SKIP where a package is missing."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
sys.path.insert(0, str(BENCH))

for package in ("numpy", "jsonschema"):
    try:
        __import__(package)
    except ImportError:
        print(f"SKIP: python3-{package} is not installed")
        sys.exit(77)


class Case(unittest.TestCase):
    """A test with a folder of its own and the harness's command line."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="dynopt-bench-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def bench(self, *arguments, runner=None):
        """Runs bench.py with a build folder of its own; all its output is in stdout."""
        environment = dict(os.environ, DYNOPT_BENCH_RUNNER=str(runner or os.environ["BENCH_RUN"]))
        return subprocess.run(["/usr/bin/python3", "-B", BENCH / "bench.py", "--build", self.folder / "build",
                               "--out", self.folder / "out", *map(str, arguments)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              env=environment)
