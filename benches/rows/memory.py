"""What an idle init has in memory."""

from kit import inits, processes, report

TITLE = "Memory of an idle init"
HOW = """`smaps_rollup` of `INIT sleep 1000` once nothing happens. No other process in a container maps the files of the init, so
its resident memory is what it costs."""
NOTES = []


def run(quick):
    """Each is started again in each round."""
    peers = inits.all_of_them()
    seen = {name: [[], []] for name in peers}
    for _ in range(1 if quick else 5):
        for name, words in peers.items():
            init = inits.sleeping(words)
            for values, value in zip(seen[name], processes.memory(init.pid)):
                values.append(value)
            processes.end(init)
    checks = []
    if "tini-static" in seen:
        for name in (name for name in seen if name.startswith(report.OURS)):
            ours, theirs = report.median(seen[name][0]), report.median(seen["tini-static"][0])
            words = report.beside(report.amount(ours, "B"), "tini-static", report.amount(theirs, "B"))
            checks.append(report.check(f"{name}: less than tini-static", ours < theirs, words, gate=True))
    measures = [("resident", "B"), ("resident, not shared", "B")]
    return report.row([report.table("", measures, seen)], checks)
