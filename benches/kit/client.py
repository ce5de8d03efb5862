"""The checked client (benches/client.rs)."""

import json
import subprocess

from kit import place, processes


class Client:
    """A load that goes on, and checks each answer; one that takes longer than `patience` seconds has failed."""

    def __init__(self, port, rate, idle, patience):
        words = [place.client(), port, rate, idle, patience]
        self.process = processes.start(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, command, count):
        """A command, until it is done."""
        self.process.stdin.write(f"{command} {count}\n")
        self.process.stdin.flush()
        if self.process.stdout.readline() != "done\n":
            raise RuntimeError(f"the client has failed in {command} {count}")

    def stop(self):
        """Ends it: what it has seen."""
        self.process.stdin.close()
        told = self.process.stdout.read()
        self.process.stdout.close()
        processes.end(self.process)
        return json.loads(told)
