# SPDX-License-Identifier: MIT
"""What a figure depends on beside the code: machine, kernel, tools, load."""

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

TOOLS = {
    "clang": ["clang-19", "--version"],
    "lld": ["ld.lld-19", "--version"],
    "bolt": ["llvm-bolt-19", "--version"],
    "perf": ["perf", "--version"],
    "valgrind": ["valgrind", "--version"],
    "qemu": ["qemu-x86_64", "--version"],
}


def first_line(command, contains=""):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = [line.strip() for line in done.stdout.splitlines() if contains in line]
    return lines[0] if done.returncode == 0 and lines else ""


def read(path, otherwise=""):
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return otherwise


def processor():
    for line in read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def describe(build):
    memory = next((int(line.split()[1]) for line in read("/proc/meminfo").splitlines()
                   if line.startswith("MemTotal")), 0)
    flags = read("/proc/cpuinfo")
    return {
        "processor": processor(),
        "processors": os.cpu_count(),
        "virtual": "hypervisor" in flags,
        "memory_kib": memory,
        "kernel": platform.release(),
        "system": first_line(["sh", "-c", ". /etc/os-release; echo \"$PRETTY_NAME\""]),
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown"),
        "address_randomization": read("/proc/sys/kernel/randomize_va_space"),
        "huge_pages": read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "tools": {name: said for name, command in TOOLS.items()
                  if (said := first_line(command, "LLVM version" if name == "bolt" else ""))},
        "dynopt": first_line([str(build / "bin/dynopt"), "--version"]),
    }


def revision(folder):
    said = first_line(["git", "-C", str(folder), "describe", "--always", "--dirty"])
    return said or "unknown"


def now():
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def load():
    return [float(x) for x in read("/proc/loadavg", "0 0 0").split()[:3]]
