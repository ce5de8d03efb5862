"""The tables of docs/benchmarks.md and of README.md, from the results. They stand between marks that name them."""

import re
import textwrap

from kit import report

MARKS = re.compile(r"(<!-- benches/run writes(?: (\w+))? from here -->\n).*?(<!-- to here -->)", re.DOTALL)

INITS = ["pidone", "tini-static", "tini", "dumb-init", "catatonit"]
FEW = ["pidone", "pm2", "Node's cluster", "bare node"]
ALL = ["pidone", "pm2", "Node's cluster", "HAProxy", "bare node"]
# What a measure is called, the row, the table, and the line of a table that has the peers as columns, or the measure.
ONE_PROCESS = [
    ("binary", "size", 0, 0),
    ("memory, idle", "memory", 0, 0),
    ("start of a command", "start", 0, 0),
    ("latency of a signal", "signals", 0, 0),
    ("CPU for 20,000 orphans", "reaping", 0, 1),
    ("wake-ups in 10 s, idle", "idle", 0, 0),
]
NEW = "2 workers, trivial, one connection per request"
KEPT = "2 workers, trivial, keep-alive"
TWO_WORKERS = [
    ("CPU for 100,000 requests, new connections", "serving", 0, NEW),
    ("CPU for 100,000 requests, keep-alive", "serving", 0, KEPT),
    ("requests per second, new connections", "serving", 1, NEW),
    ("requests per second, keep-alive", "serving", 1, KEPT),
    ("99 of 100 requests within, new connections", "serving", 2, NEW),
    ("99 of 100 requests within, keep-alive", "serving", 2, KEPT),
    ("memory of the manager", "manager", 0, 0),
    ("start to first answer", "times", 0, 0),
    ("crash to full capacity", "times", 0, 2),
    ("reload", "times", 0, 3),
]
HERO = [
    ("failed requests: reload", "losses", 0, "reload"),
    ("failed requests: stop", "losses", 0, "stop"),
    ("failed requests: crash", "losses", 0, "crash"),
    ("memory of the manager", "manager", 0, 0),
    ("CPU for 100,000 requests, new connections", "serving", 0, NEW),
    ("requests per second, new connections", "serving", 1, NEW),
    ("start to first answer", "times", 0, 0),
    ("crash to full capacity", "times", 0, 2),
]


def _cell(rows, peer, name, table, at):
    table = rows[name]["tables"][table]
    if table["across"]:
        peers = [measure for measure, _ in table["measures"]]
        values = table["lines"][at][peers.index(peer)] if peer in peers else []
        return report.words(values, table["measures"][0][1])
    # Some names have a remark behind them.
    lines = {line.split(" (")[0].split(", 2")[0]: values[at] for line, values in table["lines"].items()}
    return report.words(lines.get(peer), table["measures"][at][1])


def _table(rows, head, measures, peers):
    lines = [[words, *(_cell(rows, peer, *where) for peer in peers)] for words, *where in measures]
    return report.markdown([head, *peers], lines)


def _failures(rows):
    events = [(event, "losses", 0, event) for event in rows["losses"]["tables"][0]["lines"]]
    return _table(rows, "failed requests", events, ["pidone", "pm2", "Node's cluster"])


def _growth(rows):
    app = rows["growth"]["tables"][1]
    peers = ["pidone", "pidone, --surge 25%", "pm2", "Node's cluster"]
    lines = [(line, "growth", 1, line) for line in app["lines"] if not line.endswith("first answer")]
    return _table(rows, "workers", lines, peers)


def _missed(rows):
    lines = [
        [f"[{name}](../benches/RESULTS.md#{name})", one["text"], one["measured"]]
        for name, row in rows.items()
        for one in row["checks"]
        if not one["met"]
    ]
    return report.markdown(["row", "target", "measured"], lines)


def machine(kept):
    """When, on what, and with which versions."""
    days = sorted({row["when"] for row in kept["rows"].values()})
    return f"Measured on {' to '.join(dict.fromkeys([days[0], days[-1]]))}: {kept['machine']}; {', '.join(kept['versions'])}."


TABLES = {
    None: lambda kept: _table(kept["rows"], "two workers", HERO, FEW),
    "failures": lambda kept: _failures(kept["rows"]),
    "inits": lambda kept: _table(kept["rows"], "one process", ONE_PROCESS, INITS),
    "workers": lambda kept: _table(kept["rows"], "two workers", TWO_WORKERS, ALL),
    "growth": lambda kept: _growth(kept["rows"]),
    "missed": lambda kept: _missed(kept["rows"]),
    "machine": lambda kept: textwrap.fill(machine(kept), 120) + "\n",
}


def written(text, kept):
    """A page with its tables as the results have them; one without marks stays as it is."""
    return MARKS.sub(lambda mark: mark[1] + TABLES[mark[2]](kept) + mark[3], text)
