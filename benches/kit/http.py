"""Asking an app who it is, a connection for each question."""

import socket
import time

from kit import processes

_next = 21000


def fresh_ports(count):
    """The first of so many ports in a row that nobody uses: below the ephemeral range, and each given once."""
    global _next
    while True:
        first, _next = _next, _next + count
        if _next > 32000:
            raise RuntimeError("no ports are left")
        try:
            for port in range(first, first + count):
                with socket.socket() as one:
                    one.bind(("0.0.0.0", port))
            return first
        except OSError:
            continue


def ask(port, patience=1.0):
    """The process id that answers, or None if nobody does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=patience) as stream:
            stream.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while part := stream.recv(4096):
                answer += part
    except OSError:
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(body.split()[0]) if b" 200 " in head.split(b"\r\n")[0] else None


def until_answered(port, count, others=(), pause=0.0005):
    """Asks until so many processes that are none of the others have answered: (seconds of the first, of the last, pids)."""
    begin = time.perf_counter()
    seen = {}

    def enough():
        pid = ask(port)
        if pid is not None and pid not in others:
            seen.setdefault(pid, time.perf_counter() - begin)
        return len(seen) >= count

    processes.wait_until(enough, f"{count} processes answer at {port}, of which {len(seen)} do", pause)
    return min(seen.values()), max(seen.values()), set(seen)
