"""How long a signal takes through an init."""

import os
import signal
import subprocess
import time

from kit import inits, place, processes, report

ROUND = 50

TITLE = "Latency of a signal"
HOW = """SIGUSR1 to the init, 5,000 times each, from kill(2) to the child's handler. The next signal is sent when the child has
reported the last one."""
NOTES = [
    """Most of the time goes into waking two sleeping processes, and depends on whether the second one wakes on a processor that sleeps
too: that is why the quartiles are far apart. By the kernel's tracepoints, pidone receives the signal 5 µs after kill(2), as tini does, and passes
it on 2 µs later, tini 1 µs later: in pidone, a state machine decides what to do with it. The CPU time is the same, 12.7 µs for each signal.
dumb-init starts its child in a new session, which autogrouping (sched(7)) then runs at once; in a container there is no
autogrouping, because the CPU cgroup takes its place. pidone does not change the session.""",
]


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
    """Started again in each round: which CPUs an init and its child share is chance, and does not change later."""
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
        checks.append(report.check("not slower than tini", ours <= theirs, report.beside(f"{ours:.1f} µs", "tini", f"{theirs:.1f} µs")))
    measures = [("from kill(2) to the child's handler", "µs"), ("99 of 100 within", "µs")]
    return report.row([report.table("", measures, lines)], checks)


def stamp(process):
    """The next time that the child tells."""
    return int.from_bytes(os.read(process.stdout.fileno(), 8), "little")


def worst(values):
    """The 99th percentile."""
    return sorted(values)[len(values) * 99 // 100]
