"""Asking an app who it is, a connection for each question."""

import socket
import time

from kit import processes

_next = 21000


def fresh_ports(count):
    """The first of `count` free ports in a row: below the ephemeral range, and each given once."""
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


class Question:
    """A request in flight, which blocks nothing."""

    def __init__(self, port):
        self.stream = socket.socket()
        self.stream.setblocking(False)
        self.stream.connect_ex(("127.0.0.1", port))
        self.asked = False
        self.answer = b""

    def go_on(self):
        """Does what can be done now: the process id that has answered, 0 if none will, or None for not yet."""
        try:
            if not self.asked:
                self.stream.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                self.asked = True
            while part := self.stream.recv(4096):
                self.answer += part
        except BlockingIOError:
            return None
        except OSError:
            return 0
        head, _, body = self.answer.partition(b"\r\n\r\n")
        words = body.split()
        # One that died may have said the half of it.
        return int(words[0]) if head.startswith(b"HTTP/1.1 200 ") and len(words) == 2 else 0


def asked(port, path):
    """Asks once, until the answer has come."""
    with socket.create_connection(("127.0.0.1", port), processes.PATIENCE) as stream:
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        while stream.recv(4096):
            pass


def until_answered(port, count, others=(), every=0.001):
    """Asks every millisecond until `count` processes other than `others` have answered: seconds until the
    first and until the last of them, and who they are."""
    begin = time.perf_counter()
    seen, pending = {}, []
    while len(seen) < count:
        now = time.perf_counter() - begin
        if now > processes.PATIENCE:
            raise TimeoutError(f"waited in vain for {count} processes at {port}, of which {len(seen)} answer")
        # Some may never have an answer: they were handed to a process that is dead.
        if len(pending) < 500:
            pending.append(Question(port))
        time.sleep(every)
        waiting = []
        for question in pending:
            pid = question.go_on()
            if pid is None:
                waiting.append(question)
                continue
            question.stream.close()
            if pid and pid not in others:
                seen.setdefault(pid, time.perf_counter() - begin)
        pending = waiting
    for question in pending:
        question.stream.close()
    return min(seen.values()), max(seen.values()), set(seen)
