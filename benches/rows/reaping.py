"""20,000 orphans in a burst."""

import subprocess
import time

from kit import inits, place, processes, report


NOTE = """The kernel's own work is most of it, and what lies between the inits is little more than what lies between two
rounds of one. pidone takes a breath of a millisecond between two rounds of a storm: an init that is woken for every orphan pays for
the waking. Those that wait are the children of one mother, of whom there are 50 here: they come all at once."""


def storm(words, orphans, watched):
    """Milliseconds until the last one is reaped, milliseconds of CPU of the init; or the most that waited at once,
    which somebody has to look for all the time, and so has a storm of its own."""
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
    """All in turn, each PID 1 of a namespace of its own."""
    title = "Reaping 20,000 orphans"
    if not inits.can_be_first():
        return report.row(title, "Left out: this machine permits no PID namespace.", [])
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
            words = f"{report.amount(values['pidone'], 'ms' if at < 2 else '')} of {report.amount(others[best], '')} ({best})"
            checks.append(report.check(f"{what}: best of all", values["pidone"] <= others[best], words))
    measures = [("time until all are reaped", "ms"), ("CPU of the init", "ms"), ("most that waited at once", "")]
    how = f"{orphans:,} orphans that end as soon as they are born, under an init that is PID 1 of its namespace; most of the time is what it takes to make them."
    return report.row(title, how, [report.table("", measures, seen)], checks, [NOTE])
