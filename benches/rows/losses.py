"""Requests that fail in a crash, a reload, a change of the number, and a stop."""

from kit import http, processes, report, services
from kit.client import Client

RATE = 1000
KEPT = 32


def crash(service, client):
    """kill -9 of one of two, and until a new one answers."""
    _, _, pids = http.until_answered(service.port, service.count)
    client.tell("kill", min(pids))
    http.until_answered(service.port, 1, others=pids)


def reload(service, client):
    """New ones for old ones."""
    service.reload()


def scale(service, client):
    """Two, four, two."""
    service.scale(4)
    client.tell("by", 4)
    service.scale(2)


def stop(service, client):
    """SIGTERM, as `docker stop` sends it, and until all are gone."""
    service.stop()


# What happens, how, connections that are kept, pidone's options.
EVENTS = [
    ("crash", crash, 0, []),
    ("reload", reload, 0, []),
    ("reload, kept connections", reload, KEPT, ["--http-drain", "1s"]),
    ("2, 4 and 2 workers", scale, 0, []),
    ("stop", stop, 0, []),
]


def losses(kind, event, idle, options, patience):
    """One event under the load: failures that are not to be, those inside the killed process, requests."""
    service = (kind(2, *options) if kind is services.Pidone else kind(2)).ready()
    client = Client(service.port, RATE, idle, patience)
    client.tell("answered", 300)
    event(service, client)
    ended = event is stop
    if not ended:
        client.tell("answered", 300)
    seen = client.stop()
    if not ended:
        service.stop()
        # With somebody there to the end, nobody is refused.
        seen["lost"] += seen["refused"]
    if seen["lost"]:
        print(f"{kind.name}, {event.__name__}: {seen}", flush=True)
    return seen


def run(quick):
    """Two workers, 1,000 requests a second."""
    lines, inside = {}, {}
    for name, event, idle, options in EVENTS:
        for _ in range(1 if quick else 3):
            for kind in services.peers(services.Pidone, services.Cluster, services.Pm2):
                if quick and kind is not services.Pidone and event is not stop:
                    # What they lose takes its time to be lost.
                    continue
                if event.__name__ in ("reload", "scale") and not hasattr(kind, event.__name__):
                    continue
                if event is stop and kind is services.Cluster:
                    # What a SIGTERM does to it is the app's own.
                    continue
                seen = losses(kind, event, idle, options, patience=15 if quick else 5)
                lines.setdefault(name, {}).setdefault(kind.name, []).append(seen["lost"])
                if event is crash:
                    inside.setdefault("crash", {}).setdefault(kind.name, []).append(seen["inside"])
    checks = [
        report.check(f"{name}: pidone loses none", not any(line["pidone"]), f"{sum(line['pidone'])}", gate=True)
        for name, line in lines.items()
    ]
    how = (
        "Two workers, 1,000 requests a second on new connections or on some that are kept (pidone with `--http-drain 1s`), "
        "each answer checked and nothing tried again. In a stop, those that are refused do not count: the client "
        "knows. In a crash, those that were inside the killed process are counted by themselves: nobody can save them."
    )
    tables = [
        report.across("Failed requests per event", "", lines, "event"),
        report.across("Those inside the killed process", "", inside, "event"),
    ]
    return report.row("Requests that fail", how, tables, checks)
