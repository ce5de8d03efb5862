"""Processes: starting, ending, and what /proc tells of them."""

import os
import signal
import subprocess
import time

from kit import place

# How long anything may take before the run fails.
PATIENCE = 60

_started = []


def environment(**more):
    """What every process gets: nothing of the caller's but the way to its programs."""
    return {"PATH": os.environ["PATH"], "HOME": str(place.scratch()), "PIDONE_LOG": "off"} | more


def start(words, env=None, **more):
    """Starts a process that end_all() will not forget."""
    more.setdefault("stdin", subprocess.DEVNULL)
    # The output of a peer is kept, to see why it failed.
    log = open(place.scratch() / "log", "ab")
    more.setdefault("stdout", log)
    process = subprocess.Popen([str(word) for word in words], env=env or environment(), stderr=log, **more)
    log.close()
    _started.append(process)
    return process


def end(process, how=signal.SIGTERM):
    """Ends a process with all its descendants, and waits until they are gone."""
    whole = {pid: _stat(pid) for pid in family(process.pid)}

    def left():
        now = {pid: _stat(pid) for pid in whole}
        return [pid for pid, stat in now.items() if stat and whole[pid] and stat[1] == whole[pid][1] and stat[0] not in "ZX"]

    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pass
    for pid in left():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()
    wait_until(lambda: not left(), "all are gone")
    _started.remove(process)


def end_all():
    """Ends what is still there when a run has failed."""
    for process in list(_started):
        end(process, signal.SIGKILL)


def wait_until(condition, what, pause=0.001):
    """Waits for what no descriptor tells of."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited in vain: {what}")
        time.sleep(pause)
    return found


def _stat(pid):
    """State, and the time of the start, which tells it from a later process with its number; or None."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            # proc(5) counts from 1, and two are before the bracket's end.
            fields = stat.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], fields[19]


def alive(pid):
    """Whether it runs; a zombie does not."""
    stat = _stat(pid)
    return stat is not None and stat[0] not in "ZX"


def children(pid):
    """All children of a process, zombies included."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as listed:
                found += [int(child) for child in listed.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def family(pid):
    """A process and all its descendants."""
    return [pid] + [one for child in children(pid) for one in family(child)]


def cpu(pids):
    """Seconds that these have spent on a CPU, with all threads, and those that have exited."""
    # CPUCLOCK_SCHED of a process, as clock_getcpuclockid(3) makes it.
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def memory(pid):
    """Resident bytes: all of them, and those that are not shared."""
    sizes = {}
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        next(rollup)
        for line in rollup:
            name, size, _ = line.split()
            sizes[name] = int(size) * 1024
    return sizes["Rss:"], sizes["Private_Clean:"] + sizes["Private_Dirty:"]


def switches(pid):
    """How often its threads have gone to sleep, or were put off a CPU: a sleeper that is woken does."""
    count = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as status:
            count += sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
    return count


def settle(pids, seconds=0.2):
    """Waits until these sleep, and have for so long."""
    before = None

    def still():
        nonlocal before
        now = [switches(pid) for pid in pids if alive(pid)]
        same, before = now == before, now
        return same and all((_stat(pid) or "S")[0] == "S" for pid in pids)

    wait_until(still, f"{pids} settle", pause=seconds)
