"""CPU per request, throughput and p99 under a load."""

import subprocess

from kit import place, processes, report, services, wrk

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
NOTE = """Between wrk and a worker there is nothing but the kernel with pidone, and with bare node: where the two differ, it is who
shares a processor with whom, and how many connections each worker has. pidone's are spread by chance, as the kernel does it;
bare node's are dealt out evenly, which no server on one port can have. Of keep-alive connections, pidone sees nothing at all.
So bare node is as far as anybody can get, and what it costs of Node's cluster and of pm2 is said beside each target; beside
those that compare with bare node, what Node's own cluster costs where its primary hands out one socket and is out of the way.

Chance is also why 99 of 100 new connections wait longer for a busy handler with pidone's default than with those who deal them
out one by one, when every processor is taken: some worker has a queue while another has none. `--balance shared` has no
queue of each worker's own; the price is that under little load one worker gets most of it."""
UNITS = {"cpu": "s", "rate": "/s", "p99": "ms"}


def generators(service):
    """Where each wrk sends its load: one for each worker, whoever serves, as bare node must have one for each port."""
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
    """Each is started anew for each round, warmed up, and gets all loads."""
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
    drawn = [f"2 workers, {name}" for name in (NEW, KEPT)]
    tables = [report.across(FACTORS[what], UNITS[what], lines, "load", drawn) for what, lines in seen.items()]
    how = f"wrk on the same machine, {wrk.CONNECTIONS} connections in all, with a thread for each worker; {seconds} s for each load. "
    how += f"The answer is `PID PATH`; \"1 ms\" does {turns:,} turns of PBKDF2 first, a millisecond of this machine. "
    how += "CPU time is that of the service, its manager or proxy included, wrk's not. Bare node is the limit: N "
    how += "processes with a port and clients of their own, and no manager."
    return report.row("Serving", how, tables, checks(seen), [NOTE])


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
            # Who has no manager in the way of a connection either.
            peer = services.ClusterNone.name if against == services.Bare.name else services.Bare.name
            words += f"; {peer} {line[peer] / line[against]:.2f}×"
            found.append(report.check(text, ratios[name] <= limit, words))

    worst("CPU, new connections: at most 0.4 of Node.js' cluster", NEW, "Node's cluster", 0.4)
    worst("CPU, new connections: at most 0.4 of pm2", NEW, "pm2", 0.4)
    worst("CPU, new connections: within 5 % of bare node", NEW, "bare node", 1.05)
    worst("CPU, keep-alive: within 3 % of bare node", KEPT, "bare node", 1.03)
    for peer in ("Node's cluster", "pm2"):
        losses = behind(medians, "pidone", peer)
        rows = sum(2 for line in medians["rate"].values() if peer in line)
        words = f"behind in {len(losses)} of {rows}" + (f": {'; '.join(losses)}" if losses else "")
        words += f"; with --balance shared in {len(behind(medians, SHARED, peer))}"
        found.append(report.check(f"throughput and p99 ahead of {peer} in every row", not losses, words))
    return found


def behind(medians, ours, peer):
    """Where a peer is ahead."""
    return [
        f"{what} with {name} ({line[ours] / line[peer]:.2f}×)"
        for what, better in (("rate", 1), ("p99", -1))
        for name, line in medians[what].items()
        if peer in line and (line[ours] - line[peer]) * better < 0
    ]
