"""How long a signal takes through an init."""

import os
import signal
import subprocess
import time

from kit import inits, place, processes, report

ROUND = 50
NOTE = """Waking two processes that sleep is most of it, and whether the second one is woken on a processor that sleeps, too: the
quarters between which half of the values lie tell. By the kernel's tracepoints pidone has the signal 5 µs after kill(2), as
tini does, and passes it on 2 µs later, where tini needs 1: it decides what is to be done about it in a state machine of its
own. CPU time is the same, 12.7 µs for each. dumb-init starts its child in a session of its own, which sched(7)'s autogrouping lets
run at once; there is none in a container, whose CPU cgroup takes its place, and pidone leaves the session alone."""


def round_of(commands, turns, seen):
    """All run at the same time, and get their signals in turn."""
    running = {name: processes.start(words, stdout=subprocess.PIPE) for name, words in commands.items()}
    for process in running.values():
        stamp(process)
    processes.settle([process.pid for process in running.values()])
    for _ in range(turns):
        for name, process in running.items():
            for _ in range(ROUND):
                sent = time.monotonic_ns()
                os.kill(process.pid, signal.SIGUSR1)
                seen[name].append((stamp(process) - sent) / 1e3)
    for process in running.values():
        processes.end(process)
        process.stdout.close()


def run(quick):
    """Started anew in each round: which CPUs an init and its child share is chance, and stays."""
    child = place.compiled("benches/latency.c")
    commands = {name: words + [child] for name, words in inits.all_of_them().items()}
    commands["no init (the limit)"] = [child]
    seen = {name: [] for name in commands}
    for _ in range(1 if quick else 20):
        round_of(commands, 4 if quick else 5, seen)
    lines = {name: [values, [worst(values)]] for name, values in seen.items()}
    checks = []
    if "tini" in seen:
        ours, theirs = report.median(seen["pidone"]), report.median(seen["tini"])
        checks.append(report.check("at most tini's", ours <= theirs, f"{ours:.1f} of {theirs:.1f} µs"))
    measures = [("kill(2) to the child's handler", "µs"), ("99 of 100 within", "µs")]
    how = "SIGUSR1 to the init, 5,000 times each, the next one when the child has told of the last."
    return report.row("Latency of a signal", how, [report.table("", measures, lines)], checks, [NOTE])


def stamp(process):
    """The next time that the child tells."""
    return int.from_bytes(os.read(process.stdout.fileno(), 8), "little")


def worst(values):
    """The 99th percentile."""
    return sorted(values)[len(values) * 99 // 100]
