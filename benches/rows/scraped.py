"""How long a signal takes while pidone answers HTTP clients at full speed."""

import os
import signal
import subprocess
import sys
import time

from kit import http, place, processes, report
from rows.signals import stamp

SCRAPER = """
import socket, sys
while True:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as stream:
        stream.sendall(b"GET " + sys.argv[2].encode() + b" HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
        while stream.recv(65536):
            pass
"""

TITLE = "Latency of a signal beside HTTP clients"
HOW = """SIGUSR1 to pidone, the next one when the child has reported the last one. Two clients ask for `/metrics` and `/readyz`
again and again, without a pause."""
NOTES = []


def latencies(init, times):
    """Milliseconds from kill(2) to the child's handler."""
    values = []
    for _ in range(times):
        sent = time.monotonic_ns()
        os.kill(init.pid, signal.SIGUSR1)
        values.append((stamp(init) - sent) / 1e6)
    return values


def run(quick):
    """The same pidone, first alone and then with its clients."""
    times = 200 if quick else 2000
    port = http.fresh_ports(1)
    words = [place.pidone(), "--http", f"127.0.0.1:{port}", "--", place.compiled("benches/latency.c")]
    init = processes.start(words, stdout=subprocess.PIPE)
    stamp(init)
    http.asked(port, "/metrics")
    lines = {"pidone": [latencies(init, times)]}
    scrapers = [processes.start([sys.executable, "-c", SCRAPER, port, page]) for page in ("/metrics", "/readyz")]
    processes.wait_until(lambda: all(processes.switches(one.pid) > 200 for one in scrapers), "both have been answered")
    lines["pidone, two clients at full speed"] = [latencies(init, times)]
    for one in (*scrapers, init):
        processes.end(one)
    init.stdout.close()
    middle = report.median(lines["pidone, two clients at full speed"][0])
    checks = [report.check("with two HTTP clients: below 10 ms", middle < 10, report.amount(middle, "ms"))]
    table = report.table("", [("from kill(2) to the child's handler", "ms")], lines)
    return report.row([table], checks)
