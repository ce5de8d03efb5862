"""The inits, and how each is started with a command."""

import functools
import os
import subprocess

from kit import place, processes


def all_of_them():
    """Name -> words to put before a command; pidone first. Where they are not PID 1, tini is told to adopt orphans."""
    found = {"pidone": [place.pidone(), "--"]}
    if place.glibc() and place.glibc() != place.pidone():
        found["pidone, glibc"] = [place.glibc(), "--"]
    for name, options in {"tini-static": ["-s"], "tini": ["-s"], "dumb-init": [], "catatonit": []}.items():
        if place.tool(name):
            found[name] = [place.tool(name), *options, "--"]
    return found


@functools.cache
def can_be_first():
    """Whether this machine lets us be PID 1 of a namespace."""
    return subprocess.run(first(["true"]), stderr=subprocess.DEVNULL).returncode == 0


def first(words):
    """A command as PID 1 of a namespace of its own."""
    return ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--", *words]


def child_of(pid):
    """The one child of a process, once there is one."""
    return processes.wait_until(lambda: processes.children(pid), f"{pid} has a child")[0]


def sleeping(words):
    """An init with a child that sleeps, both settled."""
    init = processes.start(words + ["sleep", "1000"])

    def asleep():
        found = processes.children(init.pid)
        return found and os.path.basename(os.readlink(f"/proc/{found[0]}/exe")) in ("sleep", "coreutils")

    processes.wait_until(asleep, f"{words[0]} starts its command")
    processes.settle([init.pid])
    return init
