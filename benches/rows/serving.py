"""CPU per request, throughput and p99 under a load."""

import subprocess

from kit import chart, place, processes, report, services, wrk

# Name, path, a connection for each request?
LOADS = [
    ("trivial, keep-alive", "/", False),
    ("trivial, one connection per request", "/", True),
    ("1 ms, keep-alive", "/busy", False),
    ("1 ms, one connection per request", "/busy", True),
]
NEW = LOADS[1][0]
KEPT = LOADS[0][0]
SHARED = "pidone, shared"


class Shared(services.Pidone):
    """pidone with one socket that all workers accept from."""

    name = SHARED

    def start(self):
        self.options = ("--balance", "shared")
        return super().start()


KINDS = [services.Pidone, Shared, services.Bare, services.Cluster, services.ClusterNone, services.Pm2, services.HAProxy]
FACTORS = {"cpu": "CPU per 100,000 requests, all processes", "rate": "Requests per second", "p99": "99 of 100 requests within"}
UNITS = {"cpu": "s", "rate": "/s", "p99": "ms"}

TITLE = "Serving"
SUBTITLE = "Two workers on two CPUs, a trivial answer; the client runs on the same machine."
HOW = """wrk on the same machine, 64 connections in all, a thread for each worker, 1 s for each load. The answer is `PID PATH`; "1 ms" first does
{turns} turns of PBKDF2, which take a millisecond on this machine. The CPU time is that of the service with its manager or proxy, without wrk's.
Bare node is the limit: N processes, each with its own port and its own clients, and no manager."""
NOTES = [
    """With pidone as with bare node, there is only the kernel between wrk and a worker, and on a kept connection pidone does nothing at all.
Where the two differ, it is by which processes share a processor, and by how many connections each worker has: the kernel spreads pidone's connections
by chance, and bare node's are dealt out evenly, which is not possible on one port. So no manager can do better than bare node. The
targets below name what bare node costs of Node's cluster and of pm2, and, where bare node is the peer, what Node's own cluster costs when its
primary hands out one shared socket (SCHED_NONE).""",
    """Chance is also why, when every processor is busy, the slowest new connections wait longer with pidone's default than with a peer that deals
connections out one by one: one worker has a queue while another has none. With `--balance shared` all workers have one queue; its price is
that under little load one worker gets most of the connections.""",
]


def panels(tables):
    """CPU time, rate and latency with two workers."""
    for what, table in zip(("CPU time per 100,000 requests", "Requests per second", "99 of 100 requests within"), tables):
        yield from chart.of_table(table, {f"2 workers, {NEW}": f"{what}, new connections", f"2 workers, {KEPT}": f"{what}, keep-alive"})


def generators(service):
    """Where each wrk sends its load: one for each worker, with every peer, because bare node needs one for each port."""
    ports = service.ports()
    return ports * (service.count // len(ports))


def measured(service, path, close, seconds):
    """One load on one service."""
    family = service.family()
    # On a machine that is busy enough, a whole second may pass without an answer.
    for _ in range(5):
        before = processes.cpu(family)
        seen = wrk.load(generators(service), path, close, seconds)
        spent = processes.cpu(family) - before
        if seen["requests"]:
            break
    if family != service.family():
        raise RuntimeError(f"{service.name} was another at the end of the load")
    if seen["errors"]:
        print(f"{service.name}, {path}, close {close}: {seen['errors']} errors of {seen['requests']} requests", flush=True)
    return {"cpu": spent / seen["requests"] * 1e5, "rate": seen["rate"], "p99": seen["p99"]}


def run(quick):
    """Each is started again for each round, warmed up, and gets all loads."""
    turns = int(subprocess.run(["node", place.APPS / "busy.js"], stdout=subprocess.PIPE, check=True).stdout)
    # wrk counts in whole seconds. A quick run shows that all of it works.
    seconds, rounds, loads = (1, 1, LOADS[:2]) if quick else (1, 4, LOADS)
    seen = {what: {} for what in FACTORS}
    for count in [2] if quick else [1, 2, 4]:
        for turn in range(rounds):
            # Each of them is first in its turn, after whatever was last.
            kinds = services.peers(*KINDS)
            for kind in kinds[turn:] + kinds[:turn]:
                service = kind(count, BUSY_TURNS=turns).ready()
                processes.settle(service.workers())
                if not quick:
                    # V8 compiles what is used; a trivial answer shows that most.
                    for _, path, close in LOADS[:2]:
                        wrk.load(generators(service), path, close, seconds)
                for name, path, close in loads:
                    for what, value in measured(service, path, close, seconds).items():
                        line = seen[what].setdefault(f"{count} {'worker' if count == 1 else 'workers'}, {name}", {})
                        line.setdefault(service.name, []).append(value)
                service.stop()
    tables = [report.across(FACTORS[what], UNITS[what], lines, "load") for what, lines in seen.items()]
    return report.row(tables, checks(seen), turns=f"{turns:,}")


def checks(seen):
    """The targets."""
    medians = {
        what: {name: {peer: report.median(values) for peer, values in line.items()} for name, line in lines.items()}
        for what, lines in seen.items()
    }
    found = []

    def worst(text, load, against, limit):
        ratios = {
            name: line["pidone"] / line[against]
            for name, line in medians["cpu"].items()
            if name.endswith(load) and against in line
        }
        if ratios:
            name = max(ratios, key=ratios.get)
            line = medians["cpu"][name]
            words = f"{ratios[name]:.2f}× with {name}"
            # A peer without a manager between the connection and the worker.
            peer = services.ClusterNone.name if against == services.Bare.name else services.Bare.name
            words += f"; {peer} {line[peer] / line[against]:.2f}×"
            found.append(report.check(text, ratios[name] <= limit, words))

    worst("CPU, new connections: at most 0.4× Node's cluster", NEW, "Node's cluster", 0.4)
    worst("CPU, new connections: at most 0.4× pm2", NEW, "pm2", 0.4)
    worst("CPU, new connections: within 5 % of bare node", NEW, "bare node", 1.05)
    worst("CPU, keep-alive: within 3 % of bare node", KEPT, "bare node", 1.03)
    for peer in ("Node's cluster", "pm2"):
        losses = behind(medians, "pidone", peer)
        rows = sum(2 for line in medians["rate"].values() if peer in line)
        words = f"worse in {len(losses)} of {rows}" + (f": {'; '.join(losses)}" if losses else "")
        words += f"; with --balance shared, in {len(behind(medians, SHARED, peer))}"
        found.append(report.check(f"throughput and p99: better than {peer} with every load", not losses, words))
    return found


def behind(medians, ours, peer):
    """Where a peer is ahead."""
    return [
        f"{what} with {name} ({line[ours] / line[peer]:.2f}×)"
        for what, better in (("rate", 1), ("p99", -1))
        for name, line in medians[what].items()
        if peer in line and (line[ours] - line[peer]) * better < 0
    ]
