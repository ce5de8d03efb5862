"""Requests that fail when a unit of a booted systemd is reloaded, restarted, and loses a process."""

import os
import signal

from kit import failures, http, place, processes, report, services
from kit.client import Client
from kit.machine import Machine, number_inside

RATE = 1000

# As most instructions have it.
PLAIN = """
[Service]
ExecStart=/usr/bin/node server.js
Restart=always
WorkingDirectory=/srv/app
Environment=NODE_ENV=production PORT={port}
DynamicUser=yes
"""


class Shipped:
    """examples/systemd/app.service and app.socket, with two workers."""

    name = "pidone"
    units = ["app.socket", "app"]
    count = 2

    def __init__(self):
        self.port = http.fresh_ports(1)

    def files(self):
        """The unit files: name -> text."""
        texts = {name: (place.ROOT / "examples/systemd" / name).read_text() for name in ("app.service", "app.socket")}
        texts = {name: text.replace("8080", str(self.port)) for name, text in texts.items()}
        return texts | {"app.service.d/two.conf": f"[Service]\nEnvironment=WEB_CONCURRENCY={self.count}\n"}

    def start(self, machine):
        """Starts it, and waits until all of it answers."""
        machine.run("systemctl", "start", *self.units)
        http.until_answered(self.port, self.count)

    def stop(self):
        """Ends what does not end with the machine."""

    def reload(self, machine):
        """Returns when it is done."""
        machine.run("systemctl", "reload", "app")

    def restart(self, machine):
        """Returns when systemctl does."""
        machine.run("systemctl", "restart", "app")

    def victim(self, machine):
        """A process that runs the app."""
        return processes.children(machine.main_pid("app"))[0]


class Plain(Shipped):
    """A unit that starts Node.js itself, once."""

    name = "node in a unit"
    units = ["plain"]
    count = 1
    reload = None

    def files(self):
        return {"plain.service": PLAIN.format(port=self.port)}

    def restart(self, machine):
        machine.run("systemctl", "restart", *self.units)

    def victim(self, machine):
        return machine.main_pid(self.units[0])


class Template(Plain):
    """A unit for each process, behind HAProxy, which checks them."""

    name = "units behind HAProxy"
    count = 2

    def __init__(self):
        self.port = http.fresh_ports(1 + self.count)
        self.own = range(self.port + 1, self.port + 1 + self.count)
        self.units = [f"node@{port}" for port in self.own]
        self.proxy = None

    def files(self):
        return {"node@.service": PLAIN.format(port="%i")}

    def start(self, machine):
        config = services.HAPROXY.format(port=self.port, balance="roundrobin") + "    option redispatch\n"
        config += "".join(f"    server app{port} 127.0.0.1:{port} check\n" for port in self.own)
        path = place.scratch() / "units.cfg"
        path.write_text(config)
        machine.run("systemctl", "start", *self.units)
        for port in self.own:
            http.until_answered(port, 1)
        self.proxy = processes.start([place.tool("haproxy"), "-db", "-f", path])
        http.until_answered(self.port, self.count)

    def stop(self):
        if self.proxy:
            # On TERM it waits for its idle connections.
            processes.end(self.proxy, signal.SIGINT)

    def restart(self, machine):
        for unit, port in zip(self.units, self.own):
            old = {number_inside(machine.main_pid(unit))}
            machine.run("systemctl", "restart", unit)
            http.until_answered(port, 1, others=old)


def reload(setup, machine, client):
    """systemctl reload."""
    setup.reload(machine)


def restart(setup, machine, client):
    """systemctl restart, one after the other where there are several."""
    setup.restart(machine)


def kill(setup, machine, client):
    """kill -9 of a process that runs the app."""
    client.tell("kill", setup.victim(machine))


EVENTS = [reload, restart, kill]

TITLE = "Units of systemd"
CHART = "Failed requests of all sent (per 1,000) under systemd"
SUBTITLE = "1,000 requests per second, no retries. Kill: without requests inside the killed process."
HOW = """Under a booted systemd, 1,000 requests per second, each checked and on a new connection: from 300 answers before the
event to 300 after the last process has answered again. pidone: `examples/systemd/app.service` and `app.socket` as they are, with two
workers. Node in a unit: `ExecStart=node server.js` and `Restart=always`. Behind HAProxy: a template unit with the same lines, two
instances, `check` and `option redispatch`; the second is restarted when the first answers. Kill: `kill -9` of a process that runs the app;
requests inside it are counted in a table of their own."""
NOTES = [
    """A restart of pidone's unit waits until its workers are drained (`--http-drain 5s`). Connections between the stop and the start wait in
systemd's socket: that is its longest answer.""",
]

panels = failures.panels


def losses(setup, event, machine):
    """One event under the load: what the client has seen."""
    _, _, old = http.until_answered(setup.port, setup.count)
    client = Client(setup.port, RATE, 0, 30)
    client.tell("answered", 300)
    event(setup, machine, client)
    gone = old if event is not kill else {}
    http.until_answered(setup.port, setup.count, others=gone)
    client.tell("answered", 300)
    seen = client.stop()
    seen["failed"] = seen["lost"] + seen["refused"]
    if seen["failed"]:
        print(f"{setup.name}, {event.__name__}: {seen}", flush=True)
    return seen


def home():
    """The app's directory."""
    directory = place.scratch() / "unit-app"
    directory.mkdir(exist_ok=True)
    answer = (place.ROOT / "tests/harness/apps/answer.js").read_text()
    (directory / "answer.js").write_text(answer)
    (directory / "server.js").write_text("require('http').createServer(require('./answer.js')).listen(process.env.PORT);\n")
    # Any user of the machine reads it.
    os.chmod(directory, 0o755)
    return directory


def run(quick):
    """All set-ups on one machine, in turn; None without a machine."""
    if not place.systemd():
        return None
    kinds = [Shipped] if quick else [Shipped, Plain] + [Template] * bool(place.tool("haproxy"))
    setups = [kind() for kind in kinds]
    units = place.scratch() / "units"
    places = {"/usr/local/bin/pidone": place.pidone(), "/srv/app": home()}
    for setup in setups:
        for name, text in setup.files().items():
            path = units / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            places[f"/etc/systemd/system/{name}"] = path
    machine = Machine(places)
    # Event -> set-up -> what the client has seen in each round.
    seen = {}
    try:
        for setup in setups:
            setup.start(machine)
        for _ in range(1 if quick else 3):
            for event in [reload, kill] if quick else EVENTS:
                for setup in setups:
                    if event is reload and not setup.reload:
                        continue
                    seen.setdefault(event.__name__, {}).setdefault(setup.name, []).append(losses(setup, event, machine))
    finally:
        for setup in setups:
            setup.stop()
        machine.stop()
    longest = {event: {name: [one["max"] for one in rounds] for name, rounds in line.items()} for event, line in seen.items()}
    tables = failures.tables(seen)
    checks = failures.checks(tables, "pidone's unit")
    return report.row([*tables, report.across("The longest answer", "ms", longest, "event", ratio=False)], checks)
