"""How long it takes to start a command through an init."""

import os
import sys
import time

from kit import inits, processes, report

TITLE = "Start of a command"
HOW = "From posix_spawn(3) of `INIT -- /bin/true` to its exit, 1,000 times each."
NOTES = []


def once(words):
    """Milliseconds from the start to the end."""
    begin = time.perf_counter()
    pid = os.posix_spawn(words[0], words, processes.environment())
    _, status = os.waitpid(pid, 0)
    taken = time.perf_counter() - begin
    if status != 0:
        sys.exit(f"{words} ended with {status}")
    return taken * 1e3


def run(quick):
    """All in turn, the first rounds for the caches."""
    commands = {name: words + ["/bin/true"] for name, words in inits.all_of_them().items()}
    commands["no init (the limit)"] = ["/bin/true"]
    seen = {name: [] for name in commands}
    for turn in range(60 if quick else 1010):
        for name, words in commands.items():
            taken = once(words)
            if turn >= 10:
                seen[name].append(taken)
    checks = []
    if "tini-static" in seen:
        ours, theirs = report.median(seen["pidone"]), report.median(seen["tini-static"])
        words = report.beside(f"{ours:.3f} ms", "tini-static", f"{theirs:.3f} ms")
        checks.append(report.check("not slower than tini-static", ours <= theirs, words))
    lines = {name: [values] for name, values in seen.items()}
    return report.row([report.table("", [("start to end", "ms")], lines)], checks)
