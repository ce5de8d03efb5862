"""Messages from workers to workers."""

import time

from kit import http, place, processes, report, services

APP = str(place.APPS / "relay.js")
WORKERS = 4
SIZE = 200
# Messages of each worker: as fast as they can be sent while others are read, and 1,000 a second.
FULL = {"count": 20_000, "slice": 50, "pause": 0}
CALM = {"count": 5_000, "slice": 10, "pause": 10}

TITLE = "Messages between workers"
HOW = """Four workers, each of which sends messages of about 300 bytes, in the form of @socket.io/cluster-adapter, to the three
others: first as fast as they can while they read, then 1,000 per second each. A load ends when all messages have arrived."""
NOTES = []


class Pidone(services.Pidone):
    """pidone, which passes messages on."""

    def start(self):
        words = [place.pidone(), "-i", self.count, "--control", "off", "--", "node", APP]
        return [processes.start(words, self.environment)]


class Primary(services.Service):
    """Node.js' own primary, which passes messages on."""

    name = "Node's primary"

    def start(self):
        return [processes.start(["node", APP], self.environment | {"WORKERS": str(self.count)})]


def relayed(service, load):
    """Messages a second, and microseconds of the manager's CPU for each."""
    manager = service.managers()
    before, begin = processes.cpu(manager), time.perf_counter()
    words = {"workers": WORKERS, "size": SIZE, **load}
    http.asked(service.port, "/relay?" + "&".join(f"{name}={value}" for name, value in words.items()))
    seconds = time.perf_counter() - begin
    messages = WORKERS * load["count"]
    return messages / seconds, (processes.cpu(manager) - before) * 1e6 / messages


def run(quick):
    """Both in turn."""
    lines = {}
    for _ in range(1 if quick else 5):
        for kind in (Pidone, Primary):
            service = kind(WORKERS).ready()
            values = lines.setdefault(service.name, [[], [], [], []])
            for at, load in enumerate([FULL, CALM]):
                count = load["count"] // (5 if quick else 1)
                rate, cpu = relayed(service, {**load, "count": count})
                values[0] += [rate] if load is FULL else []
                values[1 + at].append(cpu)
            values[3].append(processes.memory(service.managers()[0])[0])
            service.stop()
    measures = [
        ("messages per second", "/s"),
        ("the manager's CPU per message", "µs"),
        ("the same at 4,000 messages per second", "µs"),
        ("the manager's memory", "B"),
    ]
    rate, cpu, calm, memory = (report.median(values) for values in lines["pidone"])
    theirs = [report.median(values) for values in lines["Node's primary"]]
    checks = [
        report.check("at least as many messages per second as Node's primary", rate >= theirs[0], f"{rate / theirs[0]:.2f}×"),
        report.check("less CPU than Node's primary", cpu < theirs[1] and calm < theirs[2], f"{cpu / theirs[1]:.2f}× and {calm / theirs[2]:.2f}×"),
    ]
    return report.row([report.table("", measures, lines)], checks)
