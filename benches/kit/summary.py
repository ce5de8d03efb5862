"""The README's tables, from the results."""

from kit import place, report

INITS = ["pidone", "tini-static", "tini", "dumb-init", "catatonit"]
SERVICES = ["pidone", "pm2", "Node's cluster", "HAProxy", "bare node"]

# What the README calls it, the row, and the place of the measure.
ONE = [
    ("binary", "size", 0),
    ("memory, idle", "memory", 0),
    ("starting a command", "start", 0),
    ("latency of a signal", "signals", 0),
    ("CPU for 20,000 orphans", "reaping", 1),
    ("wake-ups in 10 s", "idle", 0),
]
# A load's name in the row `serving`, and the table.
NEW = "2 workers, trivial, one connection per request"
KEPT = "2 workers, trivial, keep-alive"
LOADS = [
    ("CPU for 100,000 requests, new connections", 0, NEW),
    ("CPU for 100,000 requests, keep-alive", 0, KEPT),
    ("requests/s, new connections", 1, NEW),
    ("requests/s, keep-alive", 1, KEPT),
]
MANY = [
    ("memory of the manager", "manager", 0),
    ("start to first answer", "times", 0),
    ("crash to full capacity", "times", 2),
    ("reload to done", "times", 3),
]
BEGIN, END = "<!-- benches/run writes from here -->\n", "<!-- to here -->\n"


def _amount(values, unit):
    return report.amount(report.median(values), unit) if values else "–"


def _down(rows, name, at, peers):
    """A measure of a table that has the peers in its lines."""
    table = rows[name]["tables"][0]
    # Some names have a remark behind them.
    lines = {line.split(" (")[0].split(", 2")[0]: values[at] for line, values in table["lines"].items()}
    return [_amount(lines.get(peer), table["measures"][at][1]) for peer in peers]


def _across(table, line, peers):
    """A line of a table that has them in its columns."""
    names = [name for name, _ in table["measures"]]
    cells = dict(zip(names, table["lines"][line]))
    return [_amount(cells.get(peer), table["measures"][0][1]) for peer in peers]


def _markdown(head, lines):
    text = "| " + " | ".join(head) + " |\n" + "| --- " * len(head) + "|\n"
    return text + "".join("| " + " | ".join(line) + " |\n" for line in lines) + "\n"


def tables(rows):
    """Both tables."""
    inits = [[words, *_down(rows, name, at, INITS)] for words, name, at in ONE]
    many = [[words, *_across(rows["serving"]["tables"][at], load, SERVICES)] for words, at, load in LOADS]
    many += [[words, *_down(rows, name, at, SERVICES)] for words, name, at in MANY]
    spare = rows["times"]["tables"][0]["lines"].get("pidone, --spares 1")
    many.insert(-1, ["the same, with `--spares 1`", _amount(spare and spare[2], "ms"), *["–"] * (len(SERVICES) - 1)])
    many += [[f"requests that fail: {event}", *_across(rows["losses"]["tables"][0], event, SERVICES)] for event in rows["losses"]["tables"][0]["lines"]]
    return _markdown(["one process", *INITS], inits) + _markdown(["two workers", *SERVICES], many)


def write(rows):
    """Puts them between the README's marks, once every row has been measured."""
    readme = place.ROOT / "README.md"
    text = readme.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(before + BEGIN + "\n" + tables(rows) + END + after)
