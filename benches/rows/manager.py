"""The memory of everything but the workers."""

from kit import processes, report, services, wrk

TITLE = "Memory of the manager"
HOW = """Two workers, after a load of new connections for one second, and with pidone after one `ctl status`. What a manager in Node.js
shares is the `node` binary, which its workers have in memory anyway."""
NOTES = []


def run(quick):
    """After a load, and a `ctl status`."""
    kinds = [services.Pidone, services.Cluster, services.Pm2, services.HAProxy]
    seen = {}
    for _ in range(1 if quick else 3):
        for kind in services.peers(*kinds):
            service = kind(2).ready()
            wrk.load(service.ports(), "/", True, 1)
            if isinstance(service, services.Pidone):
                service.ctl("status", "--json")
            processes.settle(service.managers() if isinstance(service, services.Pidone) else [])
            sizes = [processes.memory(pid) for pid in service.managers()]
            for at, values in enumerate(seen.setdefault(service.name, [[], []])):
                values.append(sum(size[at] for size in sizes))
            service.stop()
    ours = report.median(seen["pidone"][0])
    checks = [report.check("pidone: under 1 MiB", ours < 1 << 20, report.amount(ours, "B"), gate=True)]
    table = report.table("", [("resident", "B"), ("resident, not shared", "B")], seen)
    return report.row([table], checks)
