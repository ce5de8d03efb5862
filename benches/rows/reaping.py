"""20,000 orphans in a burst."""

import subprocess
import time

from kit import inits, place, processes, report

TITLE = "Reaping 20,000 orphans"
HOW = """{orphans} orphans that exit at once, under an init that is PID 1 of its namespace. Most of the time goes into
making them."""
NOTES = [
    """Most of it is the kernel's own work: the inits differ by little more than two rounds of the same init do. Under a storm of
orphans, pidone waits for 1 ms between two rounds of reaping, because waking once for each orphan costs more CPU time. Each of 50 processes makes its
orphans and exits, so they reach the init many at a time: that is the number that waits at once.""",
]


def storm(words, orphans, watched):
    """Milliseconds until the last one is reaped, milliseconds of CPU of the init; or the most that waited at once:
    looking for that costs CPU time, so it is measured in a storm of its own."""
    probe = place.compiled("tests/init/probe.c")
    line = inits.first(words + [probe, "orphans", str(orphans), "0"])
    begin = time.perf_counter()
    outer = processes.start(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    most = 0
    init = inits.child_of(outer.pid)
    if watched:
        while not (told := ready(outer.stdout)):
            most = max(most, waiting(init))
            time.sleep(0.002)
    else:
        told = True
    if told and outer.stdout.readline() != b"born and gone %d\n" % orphans:
        raise RuntimeError(f"{words[0]}: the storm has failed")
    processes.wait_until(lambda: waiting(init) == 0, f"{words[0]} reaps all orphans")
    taken = (time.perf_counter() - begin) * 1e3, processes.cpu([init]) * 1e3
    outer.stdin.close()
    outer.wait(processes.PATIENCE)
    outer.stdout.close()
    processes.end(outer)
    return (most,) if watched else taken


def ready(pipe):
    """Whether there is something to read."""
    import select

    return bool(select.select([pipe], [], [], 0)[0])


def waiting(init):
    """Its children but for the command itself."""
    return max(0, len(processes.children(init)) - 1)


def run(quick):
    """All in turn, each PID 1 of a namespace of its own; None where the machine permits none."""
    if not inits.can_be_first():
        return None
    peers = inits.all_of_them()
    orphans = 2000 if quick else 20000
    seen = {name: [[], [], []] for name in peers}
    for _ in range(1 if quick else 5):
        for name, words in peers.items():
            wall, cpu = storm(words, orphans, watched=False)
            seen[name][0].append(wall)
            seen[name][1].append(cpu)
    for _ in range(1 if quick else 5):
        for name, words in peers.items():
            seen[name][2] += storm(words, orphans, watched=True)
    checks = []
    for at, what in enumerate(["time", "CPU of the init", "most that waited"]):
        values = {name: report.median(one[at]) for name, one in seen.items()}
        others = {name: value for name, value in values.items() if not name.startswith(report.OURS)}
        if others:
            best = min(others, key=others.get)
            ours, theirs = (report.amount(values[name], "ms" if at < 2 else "") for name in ("pidone", best))
            words = report.beside(ours, best, theirs)
            checks.append(report.check(f"{what}: lowest of all inits", values["pidone"] <= others[best], words))
    measures = [("time until all are reaped", "ms"), ("CPU of the init", "ms"), ("most that waited at once", "")]
    return report.row([report.table("", measures, seen)], checks, orphans=f"{orphans:,}")
