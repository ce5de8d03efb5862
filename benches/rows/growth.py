"""From 1 to 64 workers: what pidone takes for them, their first start, and reloads."""

import os
import time

from kit import chart, http, place, processes, report, services

LOOKS = 20

TITLE = "Growth from 1 to 64 workers"
SUBTITLE = "An app that boots at once, on two CPUs."
HOW = """pidone with 1 to 64 workers of the app. Then, beside pm2 and Node's cluster, the first start (until one worker answers, and until all listen) and
a reload (until the command and the old processes have exited): of an app that boots at once, of one that boots for 2 s of CPU time, and, where that would
take minutes, of one that boots for 0.25 s. The machine has two CPUs, so most of a start is the time in which Node.js processes boot."""
NOTES = [
    """pidone replaces one worker after the other, with `--surge 25%` a quarter of them at a time. pm2 replaces two at a time and does not wait
until the old ones have exited. Node's cluster has no reload: a script replaces one worker after the other. A target that compares with "the starts of its
workers, one by one" takes the start of one worker times their number.""",
    """`ctl status` asks the event loop of every worker for an answer, which the next `ctl status` shows as its delay. With 64 workers on
two CPUs, they wake while the first answer is being read.""",
]
# The peers in the chart.
DRAWN = ["pidone", "pidone, --surge 25%", "Node's cluster", "pm2"]


def panels(tables):
    """Starts and reloads beside the peers, and pidone's memory."""
    alone, together = tables[0], tables[1]
    peers = [peer for peer, _ in together["measures"]]
    for what, title in (("all listen", "First start, until all workers listen"), ("reload", "Reload")):
        found = {}
        for line, cells in together["lines"].items():
            count, measure = line.split(": ")
            for peer in DRAWN:
                if measure == what and peer in peers and cells[peers.index(peer)]:
                    found.setdefault(peer, {})[int(count)] = [value / 1e3 for value in cells[peers.index(peer)]]
        yield chart.curves(title, "s", found)
    yield chart.curves("Memory of pidone", "B", {"pidone": {int(count): values[0] for count, values in alone["lines"].items()}})


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


class Surge(services.Pidone):
    """pidone that replaces a quarter of the workers at a time."""

    name = "pidone, --surge 25%"

    def start(self):
        self.options = ("--surge", "25%")
        return super().start()


class AtOnce(services.Pidone):
    """pidone that boots all at once."""

    name = "pidone, --boot all"

    def start(self):
        self.options = ("--boot", "all")
        return super().start()

    reload = None


def started(kind, count, boot):
    """Starts this number of workers: the service, seconds until one answers and until all listen, and their process ids."""
    listens = place.scratch() / f"listens.{time.monotonic_ns()}"
    begin = time.perf_counter()
    service = kind(count, BOOT_CPU=boot, LISTENS=listens)
    http.until_answered(service.port, 1, every=0.002)
    first = time.perf_counter() - begin
    pids = lambda: listens.read_text().split() if listens.exists() else []  # noqa: E731
    processes.wait_until(lambda: len(pids()) >= count, "all listen", pause=0.002)
    return service, first, time.perf_counter() - begin, [int(pid) for pid in pids()]


def rest(service):
    """Waits until a start is over."""
    if isinstance(service, services.Pm2):
        # Its workers have timers, and never all sleep.
        time.sleep(1)
    else:
        processes.settle(service.workers())


def rollouts(title, boot, counts, rounds):
    """The first start and a reload of an app that boots for `boot` milliseconds of CPU: (table, values by line and peer)."""
    kinds = services.peers(services.Pidone, Surge, AtOnce, services.Cluster, services.Pm2)
    lines = {}

    def add(count, what, kind, seconds):
        lines.setdefault(f"{count}: {what}", {}).setdefault(kind.name, []).append(seconds * 1e3)

    for _ in range(rounds):
        for count in counts:
            for kind in kinds:
                service, first, last, old = started(kind, count, boot)
                if kind is not Surge:
                    add(count, "first answer", kind, first)
                    add(count, "all listen", kind, last)
                if service.reload:
                    rest(service)
                    begin = time.perf_counter()
                    service.reload()
                    processes.wait_until(lambda: not any(map(processes.alive, old)), "the old ones are gone", pause=0.005)
                    add(count, "reload", kind, time.perf_counter() - begin)
                service.stop()
    return report.across(title, "ms", lines, head="workers"), lines


def judged(name, lines, count, one):
    """The targets with this number of workers; `one`: milliseconds of the start of one."""
    middle = lambda what, kind: report.median(lines[f"{count}: {what}"][kind.name])  # noqa: E731
    boots = min(middle("all listen", kind) for kind in (services.Pidone, AtOnce))
    fast, slow = middle("reload", Surge), middle("reload", services.Pidone)
    first, before = middle("first answer", services.Pidone), middle("first answer", AtOnce)
    last, last_before = middle("all listen", services.Pidone), middle("all listen", AtOnce)
    times = lambda value, base: f"{report.amount(value, 'ms')}: {value / base:.2f}× {report.amount(base, 'ms')}"  # noqa: E731
    of = f"{count} workers, {name}"
    checks = [
        report.check(f"{of}: a reload with --surge 25% takes at most 1.3× the start of all workers", fast <= 1.3 * boots, times(fast, boots)),
        report.check(f"{of}: a reload takes at most 1.1× the starts of its workers, one by one", slow <= 1.1 * count * one, times(slow, count * one)),
        report.check(f"{of}: the last worker listens at most 5 % later than with --boot all", last <= 1.05 * last_before, times(last, last_before)),
    ]
    if count == 64:
        words = f"{of}: the first answer comes within a tenth of the time with --boot all"
        checks.append(report.check(words, first <= before / 10, times(first, before)))
    return checks


def boots(quick):
    """Tables and checks of starts and reloads."""
    apps = [("boots at once", 0, [2, 8, 16, 64], 3), ("2 s of CPU", 2000, [2, 8, 16], 1), ("0.25 s of CPU", 250, [64], 1)]
    if quick:
        apps = [("boots at once", 0, [2], 1), ("0.1 s of CPU", 100, [4], 1)]
    tables, checks = [], []
    for name, boot, counts, rounds in apps:
        found, lines = rollouts(f"An app that {name}" if boot == 0 else f"An app that boots for {name}", boot, counts, rounds)
        tables.append(found)
        if not quick:
            service, one, _, _ = started(services.Pidone, 1, boot)
            service.stop()
            checks += judged(name, lines, counts[-1], one * 1e3)
    return tables, checks


def run(quick):
    """Each number is started again in each round."""
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
    measures = [("pidone's memory", "B"), ("start to answers of all", "ms"), ("reload", "ms"), ("ctl status", "ms"), ("pidone's CPU per ctl status", "µs")]
    checks = [linear(measure, unit, {int(n): report.median(v[at]) for n, v in seen.items()}) for at, (measure, unit) in enumerate(measures)]
    table = report.table("", measures, seen, "workers", ratio=False)
    more, targets = boots(quick)
    return report.row([table, *more], checks + targets)


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
    words = f"{report.amount(start, unit)} + {report.amount(slope, unit)} per worker; with {largest} workers {above:.2f}× the line through fewer"
    return report.check(f"{measure}: grows linearly", above < 1.25, words)
