"""What an idle init has in memory."""

from kit import inits, processes, report


def run(quick):
    """Each is started anew in each round."""
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
            words = f"{report.amount(ours, 'B')} of {report.amount(theirs, 'B')}"
            checks.append(report.check(f"{name}: below tini-static", ours < theirs, words, gate=True))
    measures = [("resident", "B"), ("of it not shared", "B")]
    how = "`smaps_rollup` of `INIT sleep 1000` when nothing happens any more. In a container nobody else maps the files of the init: resident is what it costs."
    return report.row("Memory of an idle init", how, [report.table("", measures, seen)], checks)
