"""From start to the first answer, from crash to full capacity, from reload to done."""

import os
import signal
import time

from kit import http, processes, report, services

SPARE = "pidone, --spares 1"

TITLE = "Start, crash, reload and stop"
HOW = """Two workers of the app; a client asks on a new connection every millisecond. Crash: `kill -9` of one worker, until a new process
answers. Reload: `pidone ctl reload` and `pm2 reload`, until the command and the old processes have exited, and new ones answer.
Stop: SIGTERM, until all processes have exited."""
NOTES = [
    """pidone replaces one worker after the other. For each, that takes the start of the successor, at least 10 ms in which requests on their way
to the old worker are served, and the exit of the old worker. pm2 replaces two at a time and does not wait, and so loses requests; its time includes
the start of its client.""",
]


class Spared(services.Pidone):
    """pidone with a spare."""

    name = SPARE

    def start(self):
        self.options = ("--spares", "1")
        return super().start()

    def ready(self):
        super().ready()
        # The spare has booted when it has nothing more to do.
        processes.wait_until(lambda: len(processes.children(self.roots[0].pid)) == self.count + 1, "there is a spare")
        return self


def crash(service):
    """Milliseconds from kill -9 of one of two to an answer of another one than the one that is left."""
    _, _, pids = http.until_answered(service.port, service.count)
    victim, *left = sorted(pids)
    begin = time.perf_counter()
    os.kill(victim, signal.SIGKILL)
    http.until_answered(service.port, 1, others=pids)
    return (time.perf_counter() - begin) * 1e3


def reload(service):
    """Milliseconds from the command until it says that it is done, and it is."""
    _, _, old = http.until_answered(service.port, service.count)
    begin = time.perf_counter()
    service.reload()
    processes.wait_until(lambda: not any(map(processes.alive, old)), "the old ones are gone")
    http.until_answered(service.port, service.count, others=old)
    return (time.perf_counter() - begin) * 1e3


def run(quick):
    """Two workers; all in turn."""
    kinds = services.peers(services.Pidone, Spared, services.Bare, services.Cluster, services.Pm2)
    seen = {kind.name: [[], [], [], [], []] for kind in kinds}
    for _ in range(1 if quick else 7):
        for kind in kinds:
            values = seen[kind.name]
            begin = time.perf_counter()
            service = kind(1 if kind is services.Bare else 2)
            first, last, _ = http.until_answered(service.ports()[0], service.count)
            lag = time.perf_counter() - begin - last
            values[0].append((first + lag) * 1e3)
            values[1].append((last + lag) * 1e3)
            service.ready()
            processes.settle(service.workers())
            if kind is not services.Bare:
                values[2].append(crash(service))
                processes.settle(service.workers())
            if hasattr(service, "reload"):
                values[3].append(reload(service))
            begin = time.perf_counter()
            service.stop()
            values[4].append((time.perf_counter() - begin) * 1e3)
    checks = []
    if "pm2" in seen:
        words = ["first answer", "all have answered", "crash to full capacity", "reload"]
        for at, what in enumerate(words):
            ours, theirs = report.median(seen["pidone"][at]), report.median(seen["pm2"][at])
            found = report.beside(report.amount(ours, "ms"), "pm2", report.amount(theirs, "ms"))
            checks.append(report.check(f"{what}: faster than pm2", ours < theirs, found))
    ours, theirs = (report.median(seen[name][4]) for name in ("pidone", "bare node"))
    found = report.beside(report.amount(ours, "ms"), "bare node", report.amount(theirs, "ms"))
    checks.append(report.check("stop without clients: at most 200 ms longer than bare node", ours < theirs + 200, found))
    lines = {f"{name} (one, the limit)" if name == "bare node" else name: v for name, v in seen.items()}
    measures = [("start to first answer", "ms"), ("start to answers of both", "ms"), ("crash to full capacity", "ms"), ("reload", "ms"), ("stop without clients", "ms")]
    return report.row([report.table("", measures, lines)], checks)
