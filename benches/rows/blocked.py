"""Requests on new connections while one worker is busy."""

import time

from kit import http, report, services
from kit.client import Client

BLOCKS = {20: 30, 200: 6, 1000: 2}
RATES = [50, 200, 1000]
# A request that takes longer has waited for the busy worker: the rest answers within a millisecond.
LATE = "late"


class Reuseport(services.Pidone):
    """pidone with one queue for each worker, and nothing but the kernel's choice."""

    name = "pidone, reuseport"

    def start(self):
        self.options = ("--balance", "reuseport")
        return super().start()


class Shared(services.Pidone):
    """pidone with one queue for all workers."""

    name = "pidone, shared"

    def start(self):
        self.options = ("--balance", "shared")
        return super().start()


class LeastConn(services.HAProxy):
    """HAProxy that sends a request to the process with the fewest connections."""

    name = "HAProxy, leastconn"
    balance = "leastconn"


KINDS = [services.Pidone, Reuseport, Shared, services.Cluster, services.Pm2, LeastConn]
MEASURES = {
    LATE: ("Of 1,000 requests, so many took over 25 ms", ""),
    "p99": ("99 of 100 requests within", "ms"),
    "max": ("The longest", "ms"),
}
NOTE = """One worker at a time is busy: a request that blocks its event loop, and when it is answered a pause of the same length, at
most 100 ms. What that worker has already accepted waits for it with every peer. With one worker everybody waits; it is there
for comparison."""


def blocked(service, block, rate, times):
    """One worker is busy that often for so many milliseconds."""
    client = Client(service.port, rate, 0, 30)
    client.tell("answered", max(10, rate // 10))
    for _ in range(times):
        http.asked(service.port, f"/block?for={block}")
        time.sleep(min(block, 100) / 1e3)
    seen = client.stop()
    if seen["lost"] + seen["refused"]:
        print(f"{service.name}, {block} ms, {rate}/s: {seen}", flush=True)
    return seen


def run(quick):
    """Each service gets all loads."""
    counts, blocks, rates = ([2], [200], [200]) if quick else ([1, 2, 4], list(BLOCKS), RATES)
    seen = {what: {} for what in MEASURES}
    lost = 0
    for count in counts:
        for kind in services.peers(*KINDS):
            service = kind(count).ready()
            for block in blocks:
                for rate in rates:
                    told = blocked(service, block, rate, BLOCKS[block])
                    lost += (told["lost"] + told["refused"]) if isinstance(service, services.Pidone) else 0
                    name = f"{count} {'worker' if count == 1 else 'workers'}, busy for {block} ms, {rate:,}/s"
                    for what in MEASURES:
                        seen[what].setdefault(name, {}).setdefault(service.name, []).append(told[what])
            service.stop()
    tables = [report.across(*MEASURES[what], lines, "load", []) for what, lines in seen.items()]
    how = "Each request has a connection of its own, and counts from the moment it was due. "
    how += "One of the workers is kept busy for the time given, again and again."
    return report.row("One worker is busy", how, tables, checks(seen, lost), [NOTE])


def checks(seen, lost):
    """The targets."""
    late = {name: line for name, line in seen[LATE].items() if not name.startswith("1 ")}
    ours = {name: report.median(line["pidone"]) for name, line in late.items()}
    worst = max(ours, key=ours.get)
    found = [
        report.check("none lost", not lost, f"{lost}", gate=True),
        report.check("none waits over 25 ms while another worker is idle", not ours[worst], f"{ours[worst]:.3g} of 1,000 with {worst}"),
    ]
    for peer in ("Node's cluster", "pm2"):
        behind = [
            f"{name} ({ours[name]:.3g}, {report.median(line[peer]):.3g})"
            for name, line in late.items()
            if peer in line and ours[name] > report.median(line[peer])
        ]
        found.append(report.check(f"at least as good as {peer} in every cell", not behind, "; ".join(behind) or "in all"))
    return found
