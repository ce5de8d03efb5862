"""The executable on disk."""

import os
import subprocess

from kit import inits, place, report


def run(quick):
    """The sizes do not vary."""
    lines = {}
    for name, words in inits.all_of_them().items():
        headers = subprocess.run(["readelf", "-lW", words[0]], capture_output=True, text=True).stdout
        shown = name if "INTERP" not in headers else f"{name} (and a C library)"
        lines[shown] = [[os.path.getsize(words[0])]]
    checks = []
    if place.musl() == place.pidone() and "tini-static" in lines:
        ours, theirs = (lines[name][0][0] for name in ("pidone", "tini-static"))
        checks.append(report.check("below tini-static", ours < theirs, f"{ours:,} of {theirs:,} bytes", gate=True))
    how = "The size of the executable; pidone is the musl build, which images get."
    return report.row("Size of the binary", how, [report.table("", [("bytes", "B")], lines)], checks)
