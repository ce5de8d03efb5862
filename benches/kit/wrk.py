"""The load: wrk, one thread, with a fixed number of connections."""

import json
import subprocess

from kit import place, processes

CONNECTIONS = 64


def load(ports, path, close, seconds):
    """A load on these ports, each with its share of the connections, all at the same time: requests, requests/s,
    p99 in ms (of the worst), errors."""
    header = ["-H", "Connection: close"] if close else []
    own = str(CONNECTIONS // len(ports))
    running = []
    for port in ports:
        words = [place.needed("wrk"), "-t1", "-c", own, "-d", f"{seconds}s", "-s", str(place.APPS / "wrk.lua"), *header]
        running.append(processes.start([*words, f"http://127.0.0.1:{port}{path}"], stdout=subprocess.PIPE))
    parts = []
    for process in running:
        told = process.stdout.read().decode().splitlines()
        process.stdout.close()
        processes.end(process)
        parts.append(json.loads(told[-1]))
    return {
        "requests": sum(part["requests"] for part in parts),
        "rate": sum(part["requests"] / part["microseconds"] * 1e6 for part in parts),
        "p99": max(part["p99"] for part in parts) / 1e3,
        "errors": sum(part["errors"] for part in parts),
    }
