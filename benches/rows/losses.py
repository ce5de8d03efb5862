"""Requests that fail in a reload, a stop, a crash, and a change of the number of workers."""

from kit import failures, http, report, services
from kit.client import Client

RATE = 1000
KEPT = 32

TITLE = "Failed requests"
CHART = "Failed requests of all sent (per 1,000)"
SUBTITLE = "1,000 requests per second on two workers, no retries. Crash: without requests inside the killed process."
HOW = """Two workers, 1,000 requests per second, each on a new connection or, where it says so, on {kept} connections that are kept
(pidone with `--http-drain 1s`). Every answer is checked, and no request is sent again. The client counts from 300 answers before the
event to 300 after it; all {rounds} rounds are added up. Reload: `pidone ctl reload`, `pm2 reload`, and for Node's cluster a script
that replaces one worker after the other ([`cluster.js`](apps/cluster.js)). Crash: `kill -9` of one worker. Stop: SIGTERM, as from `docker stop`."""
NOTES = [
    """In a crash, requests inside the killed process cannot be saved by any manager: they are counted in a table of their
own. In a stop, connections that are refused after the listening socket is closed are neither failures nor in the number of requests sent:
nothing was accepted, and the client can go elsewhere. Node's cluster has no command to change the number of workers, and what it does at
SIGTERM is for the app to write.""",
]

panels = failures.panels


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
    ("reload", reload, 0, []),
    ("reload, kept connections", reload, KEPT, ["--http-drain", "1s"]),
    ("stop", stop, 0, []),
    ("crash", crash, 0, []),
    ("scale from 2 to 4 workers and back", scale, 0, []),
]


def losses(kind, event, idle, options, patience):
    """One event under the load: what the client has seen."""
    service = (kind(2, *options) if kind is services.Pidone else kind(2)).ready()
    client = Client(service.port, RATE, idle, patience)
    client.tell("answered", 300)
    event(service, client)
    if event is not stop:
        client.tell("answered", 300)
    seen = client.stop()
    seen["failed"] = seen["lost"]
    if event is stop:
        # No listening socket is left, and the client is told so.
        seen["sent"] -= seen["refused"]
    else:
        service.stop()
        seen["failed"] += seen["refused"]
    if seen["failed"]:
        print(f"{kind.name}, {event.__name__}: {seen}", flush=True)
    return seen


def run(quick):
    """Two workers, 1,000 requests a second."""
    seen, rounds = {}, 1 if quick else 5
    for name, event, idle, options in EVENTS:
        for _ in range(rounds):
            for kind in services.peers(services.Pidone, services.Cluster, services.Pm2):
                if quick and kind is not services.Pidone and event is not stop:
                    # A request that pm2 loses often ends by its timeout only.
                    continue
                if event.__name__ in ("reload", "scale") and not hasattr(kind, event.__name__):
                    continue
                if event is stop and kind is services.Cluster:
                    # The app decides what it does at SIGTERM.
                    continue
                found = losses(kind, event, idle, options, patience=15 if quick else 5)
                seen.setdefault(name, {}).setdefault(kind.name, []).append(found)
    tables = failures.tables(seen)
    return report.row(tables, failures.checks(tables, "pidone"), kept=KEPT, rounds=rounds)
