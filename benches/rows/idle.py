"""Wake-ups when nothing happens."""

import time

from kit import inits, processes, report, services

TITLE = "Wake-ups when idle"
HOW = "Context switches of the init or the manager, in all its threads. pidone's control socket is open."
NOTES = []


def run(quick):
    """All at the same time: a process that sleeps does not disturb the others."""
    seconds = 3 if quick else 10
    sleepers = {name: inits.sleeping(words) for name, words in inits.all_of_them().items()}
    watched = {name: [init.pid] for name, init in sleepers.items()}
    kinds = services.peers(services.Pidone, services.Cluster, services.Pm2, services.HAProxy)
    running = [kind(2).ready() for kind in kinds]
    for service in running:
        watched[f"{service.name}, 2 workers"] = service.managers()
    # The workers of Node.js are still busy with their heaps for a while, and pidone checks their ports once, 2 s after the last
    # one was opened (src/core/supervisor/unheld.rs).
    ours = [pid for name, pids in watched.items() if name.startswith(report.OURS) for pid in pids]
    processes.settle(ours, seconds=2.5)
    before = {name: sum(map(processes.switches, pids)) for name, pids in watched.items()}
    time.sleep(seconds)
    counts = {name: sum(map(processes.switches, pids)) - before[name] for name, pids in watched.items()}
    for init in sleepers.values():
        processes.end(init)
    for service in running:
        service.stop()
    checks = [
        report.check(f"{name}: no wake-ups", count == 0, str(count), gate=True)
        for name, count in counts.items()
        if name.startswith(report.OURS)
    ]
    lines = {name: [[count]] for name, count in counts.items()}
    table = report.table("", [(f"wake-ups in {seconds} s", "")], lines, ratio=False)
    return report.row([table], checks)
