"""What runs N workers of the app on one port: pidone and its peers."""

import os
import signal
import subprocess
import tempfile

from kit import http, place, processes

APP = str(place.APPS / "app.js")


class Service:
    """An app that runs. `port` answers; `extra` is what else the environment of the app has."""

    name = ""

    def __init__(self, workers, **extra):
        self.count = workers
        self.port = http.fresh_ports(workers + 1)
        self.directory = tempfile.mkdtemp(dir=place.scratch())
        self.environment = processes.environment(PORT=self.port, **extra)
        self.environment = {name: str(value) for name, value in self.environment.items()}
        self.roots = self.start()

    def start(self):
        """Starts it: the processes that were started."""
        raise NotImplementedError

    def ready(self):
        """Waits until all workers have answered."""
        http.until_answered(self.port, self.count)
        return self

    def family(self):
        """Every process of it."""
        return [pid for root in self.roots for pid in processes.family(root.pid)]

    def workers(self):
        """The processes that run the app: Node.js with the app."""
        return [pid for pid in self.family() if pid not in self.managers() and processes.alive(pid)]

    def managers(self):
        """Everything but the workers."""
        return [self.roots[0].pid]

    def ports(self):
        """Where to send the load."""
        return [self.port]

    def command(self, *words):
        """A command of the manager's own, until it is done."""
        subprocess.run(
            [str(word) for word in words], env=self.environment, check=True, timeout=processes.PATIENCE,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    def stop(self):
        """Ends all of it."""
        for root in self.roots:
            processes.end(root)


class Pidone(Service):
    """pidone -i N, with more options."""

    name = "pidone"

    def __init__(self, workers, *options, **extra):
        self.options = options
        super().__init__(workers, **extra)

    def start(self):
        self.control = os.path.join(self.directory, "control")
        words = [place.pidone(), "-i", self.count, "--control", self.control, *self.options, "--", "node", APP]
        return [processes.start(words, self.environment)]

    def ctl(self, *words):
        """pidone ctl."""
        self.command(place.pidone(), "ctl", "--control", self.control, *words)

    def reload(self):
        """Returns when it is done."""
        self.ctl("reload")

    def scale(self, workers):
        """Returns when they serve."""
        self.ctl("scale", workers)


class Cluster(Service):
    """Node.js' own cluster, with the primary that accepts and hands connections over."""

    name = "Node's cluster"
    policy = "rr"

    def start(self):
        more = {"WORKERS": str(self.count), "NODE_CLUSTER_SCHED_POLICY": self.policy}
        return [processes.start(["node", place.APPS / "cluster.js"], self.environment | more)]

    def reload(self):
        """Returns when the old ones are gone."""
        old = self.workers()
        self.roots[0].send_signal(signal.SIGHUP)
        processes.wait_until(lambda: not any(map(processes.alive, old)), "the old ones are gone", pause=0.005)


class ClusterNone(Cluster):
    """Node.js' own cluster, with one socket that all workers accept from."""

    name = "Node's, SCHED_NONE"
    policy = "none"


class Pm2(Service):
    """pm2-runtime in cluster mode."""

    name = "pm2"

    def start(self):
        self.environment["PM2_HOME"] = self.directory
        words = [place.tool("pm2-runtime"), "start", APP, "-i", self.count, "--name", "app"]
        return [processes.start(words, self.environment)]

    def reload(self):
        """Returns when it is done."""
        self.command(place.tool("pm2"), "reload", "app")

    def scale(self, workers):
        """Returns when pm2 says so."""
        self.command(place.tool("pm2"), "scale", "app", workers)


HAPROXY = """
global
    maxconn 4000
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    http-reuse always
frontend web
    bind 127.0.0.1:{port}
    default_backend workers
backend workers
    balance {balance}
"""


class Several(Service):
    """N processes that are started by hand, each with a port of its own."""

    def start(self):
        own = [self.environment | {"PORT": str(self.port + 1 + k)} for k in range(self.count)]
        return [processes.start(["node", APP], environment) for environment in own]

    def ports(self):
        return [self.port + 1 + k for k in range(self.count)]

    def ready(self):
        for port in self.ports():
            http.until_answered(port, 1)
        return self

    def managers(self):
        return []


class Bare(Several):
    """The limit: N processes that have nothing to do with each other, and each its own clients."""

    name = "bare node"


class HAProxy(Several):
    """HAProxy in front of N processes, with connections to them that are kept."""

    name = "HAProxy"
    balance = "roundrobin"

    def start(self):
        nodes = super().start()
        config = HAPROXY.format(port=self.port, balance=self.balance)
        config += "".join(f"    server worker{k} 127.0.0.1:{self.port + 1 + k}\n" for k in range(self.count))
        path = os.path.join(self.directory, "haproxy.cfg")
        with open(path, "w") as file:
            file.write(config)
        # -db: in the foreground.
        return [processes.start([place.tool("haproxy"), "-db", "-f", path], self.environment), *nodes]

    def ready(self):
        for port in super().ports():
            http.until_answered(port, 1)
        http.until_answered(self.port, self.count)
        return self

    def ports(self):
        return [self.port]

    def managers(self):
        return [self.roots[0].pid]

    def stop(self):
        # HAProxy ends softly on TERM, and waits for its idle connections.
        processes.end(self.roots[0], signal.SIGINT)
        for root in self.roots[1:]:
            processes.end(root)


def peers(*kinds):
    """Those of these that are installed."""
    needs = {Pm2: "pm2-runtime", HAProxy: "haproxy"}
    return [kind for kind in kinds if kind not in needs or place.tool(needs[kind])]
