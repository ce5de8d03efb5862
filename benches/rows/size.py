"""The executable on disk."""

import os
import subprocess

from kit import inits, place, report


TITLE = "Size of the binary"
HOW = "The size of the executable. pidone is the musl build, which is the one for images."
NOTES = []


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
        checks.append(report.check("smaller than tini-static", ours < theirs, report.beside(f"{ours:,} bytes", "tini-static", f"{theirs:,}"), gate=True))
    return report.row([report.table("", [("bytes", "B")], lines)], checks)
