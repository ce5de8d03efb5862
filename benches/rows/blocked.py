"""Requests on new connections while one worker is busy."""

import time

from kit import chart, http, report, services
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
    LATE: ("Requests per 1,000 that took over 25 ms", ""),
    "p99": ("99 of 100 requests within", "ms"),
    "max": ("The longest answer", "ms"),
}

TITLE = "One worker is busy"
SUBTITLE = "Two workers, of which one blocks its event loop; 200 requests per second on new connections."
HOW = """Each request has its own connection, and its time counts from the moment it was due. One of the workers is kept busy for
the time given, again and again."""
NOTES = [
    """One worker at a time is busy: a request blocks its event loop, and the next one follows its answer after a pause of the same length, at
most 100 ms. With every peer, what that worker has already accepted waits for it. With one worker every request waits: that is
shown for comparison.""",
]


def panels(tables):
    """The slowest of 100 requests."""
    lines = {f"2 workers, busy for {busy} ms, 200/s": f"99 of 100 requests within, busy for {busy} ms at a time" for busy in BLOCKS}
    yield from chart.of_table(tables[1], lines)


def blocked(service, block, rate, times):
    """One worker is busy for `block` milliseconds, `times` times."""
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
    tables = [report.across(*MEASURES[what], lines, "load") for what, lines in seen.items()]
    return report.row(tables, checks(seen, lost))


def checks(seen, lost):
    """The targets."""
    late = {name: line for name, line in seen[LATE].items() if not name.startswith("1 ")}
    ours = {name: report.median(line["pidone"]) for name, line in late.items()}
    worst = max(ours, key=ours.get)
    found = [
        report.check("no request fails", not lost, f"{lost}", gate=True),
        report.check("no request takes over 25 ms while another worker is idle", not ours[worst], f"{ours[worst]:.3g} of 1,000 with {worst}"),
    ]
    for peer in ("Node's cluster", "pm2"):
        behind = [
            f"{name} ({ours[name]:.3g}, {report.median(line[peer]):.3g})"
            for name, line in late.items()
            if peer in line and ours[name] > report.median(line[peer])
        ]
        found.append(report.check(f"not worse than {peer} with any load", not behind, "; ".join(behind) or "all"))
    return found
