"""A booted systemd: the Debian root of .ci/systemd-root under systemd-nspawn, on this machine's network."""

import os
import pathlib
import signal
import socket
import subprocess

from kit import place, processes

HIERARCHIES = ["systemd", "unified", "memory", "."]


def number_inside(pid):
    """The number of a process in its own namespace, or None if it is gone."""
    try:
        with open(f"/proc/{pid}/status") as status:
            return next(int(line.split()[-1]) for line in status if line.startswith("NSpid:"))
    except (FileNotFoundError, ProcessLookupError):
        return None


class Machine:
    """Boots with these files and directories in place (where it is -> what), as tests/deploy/machine.rs does."""

    def __init__(self, places):
        self.name = f"pidone-bench-{os.getpid()}"
        notify = str(place.scratch() / "notify")
        words = ["sh", place.ROOT / "tests/deploy/boot.sh", self.name, "--directory", place.systemd()]
        words += [f"--bind-ro={what}:{where}" for where, what in places.items()]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(notify)
            manager.settimeout(processes.PATIENCE)
            self.nspawn = processes.start(words, processes.environment(NOTIFY_SOCKET=notify))
            try:
                while b"READY=1" not in manager.recv(4096).split(b"\n"):
                    pass
            except TimeoutError:
                self.stop()
                raise
        os.unlink(notify)

    def leader(self):
        """Its first process, or None."""
        return next((pid for pid in processes.children(self.nspawn.pid) if number_inside(pid) == 1), None)

    def run(self, *words):
        """Runs a command in it, which must succeed: its output."""
        enter = ["nsenter", "-m", "-p", "-u", "-i", "-t", str(self.leader())]
        done = subprocess.run([*enter, *words], check=True, timeout=processes.PATIENCE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        return done.stdout

    def main_pid(self, unit):
        """The main process of a unit, by its number on the outside."""
        inside = int(self.run("systemctl", "show", "-P", "MainPID", unit))
        return next(pid for pid in processes.family(self.leader()) if number_inside(pid) == inside)

    def stop(self):
        """Ends it with all that runs in it."""
        if leader := self.leader():
            os.kill(leader, signal.SIGKILL)
        processes.end(self.nspawn)
        for hierarchy in HIERARCHIES:
            group = pathlib.Path("/sys/fs/cgroup", hierarchy, self.name)
            for directory, _, _ in os.walk(group, topdown=False):
                os.rmdir(directory)
