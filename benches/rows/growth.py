"""From 1 to 64 workers."""

import os
import time

from kit import http, place, processes, report, services

LOOKS = 20


NOTE = """A look at `ctl status` asks every worker's event loop for a sign of life, so that the next look can tell its delay. With
64 of them on few processors, they wake while the answer is being read."""


def look(service, times):
    """Milliseconds of each `ctl status`, and microseconds of CPU that pidone has spent on one."""
    manager = service.managers()
    before = processes.cpu(manager)
    words = [place.pidone(), "ctl", "--control", service.control, "status", "--json"]
    walls = []
    null = os.open(os.devnull, os.O_WRONLY)
    for _ in range(times):
        begin = time.perf_counter()
        pid = os.posix_spawn(words[0], words, service.environment, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
        os.waitpid(pid, 0)
        walls.append((time.perf_counter() - begin) * 1e3)
    os.close(null)
    # The workers' event loops answer a little later.
    processes.settle(manager)
    return walls, (processes.cpu(manager) - before) * 1e6 / times


def run(quick):
    """Each number is started anew in each round."""
    counts = [1, 2, 4] if quick else [1, 2, 4, 8, 16, 32, 64]
    seen = {str(count): [[], [], [], [], []] for count in counts}
    for _ in range(1 if quick else 2):
        for count in counts:
            values = seen[str(count)]
            begin = time.perf_counter()
            service = services.Pidone(count)
            http.until_answered(service.port, count)
            values[1].append((time.perf_counter() - begin) * 1e3)
            processes.settle(service.family())
            walls, cpu = look(service, 3 if quick else LOOKS)
            values[3] += walls
            values[4].append(cpu)
            values[0].append(processes.memory(service.managers()[0])[0])
            begin = time.perf_counter()
            service.reload()
            values[2].append((time.perf_counter() - begin) * 1e3)
            service.stop()
    measures = [("pidone's memory", "B"), ("start to answers of all", "ms"), ("reload", "ms"), ("ctl status", "ms"), ("pidone's CPU of it", "µs")]
    checks = [linear(measure, unit, {int(n): report.median(v[at]) for n, v in seen.items()}) for at, (measure, unit) in enumerate(measures)]
    how = "pidone with so many workers of the app; start and reload are the machine's own work with so many Node.js processes."
    return report.row("Growth", how, [report.table("", measures, seen, "workers", ratio=False, drawn="curve")], checks, [NOTE])


def linear(measure, unit, points):
    """The line of least squares; linear if the largest number is not far above what the smaller ones lead to."""
    def fit(some):
        n, sx, sy = len(some), sum(some), sum(some.values())
        slope = (n * sum(x * y for x, y in some.items()) - sx * sy) / (n * sum(x * x for x in some) - sx * sx)
        return slope, (sy - slope * sx) / n

    slope, start = fit(points)
    largest = max(points)
    before, from_there = fit({x: y for x, y in points.items() if x != largest})
    above = points[largest] / max(before * largest + from_there, 1e-9)
    words = f"{report.amount(start, unit)} and {report.amount(slope, unit)} for each worker; {largest} workers: {above:.2f}× what the fewer ones lead to"
    return report.check(f"{measure}: linear", above < 1.25, words)
