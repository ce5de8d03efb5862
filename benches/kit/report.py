"""What a row returns, how it is kept, and how it is printed."""

import json
import os
import pathlib
import platform
import statistics
import subprocess
import time

from kit import chart, place

OURS = "pidone"
# How busy the machine was with others, before anything was measured.
_LOAD = os.getloadavg()[0]


def row(title, how, tables, checks=(), notes=()):
    """A row of the benchmark."""
    return {"title": title, "how": how, "tables": tables, "checks": list(checks), "notes": list(notes)}


def table(title, measures, lines, head="", ratio=True, drawn="bars"):
    """Lines (a name and, for each measure, all values that were seen) under measures (a name and a unit).

    `ratio`: the line of pidone is what the others are compared with. `drawn`: as bars or as a curve."""
    return {"title": title, "head": head, "measures": measures, "lines": lines, "across": False, "ratio": ratio, "drawn": drawn}


def across(title, unit, lines, head="", drawn=None):
    """The same with the peers as columns, and lines of one measure: name -> {peer: values}. `drawn`: those of the lines
    that are in the chart, or all."""
    peers = list(dict.fromkeys(peer for line in lines.values() for peer in line))
    cells = {name: [line.get(peer, []) for peer in peers] for name, line in lines.items()}
    columns = [(peer, unit) for peer in peers]
    drawn = list(cells) if drawn is None else [name for name in cells if name in drawn]
    return {"title": title, "head": head, "measures": columns, "lines": cells, "across": True, "ratio": True, "drawn": drawn}


def check(text, met, measured, gate=False):
    """What was aimed at. `gate`: a run that misses it has failed."""
    return {"text": text, "met": bool(met), "measured": measured, "gate": gate}


def median(values):
    """The median, or None of nothing."""
    return statistics.median(values) if values else None


def _number(value):
    if value == int(value) and abs(value) < 1e7:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def amount(value, unit):
    """A number with its unit; bytes as people read them."""
    if unit == "B":
        for size, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
            if value >= size:
                return f"{_number(float(f'{value / size:.3g}'))} {name}"
    return f"{_number(value)} {unit}".strip()


def _cell(values, unit, base):
    if not values:
        return "–"
    middle = median(values)
    text = amount(middle, unit)
    if len(values) > 1 and max(values) > min(values):
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        text += f" ({_number(low)}–{_number(high)})" if unit != "B" else f" ({amount(low, unit)}–{amount(high, unit)})"
    if base:
        text += f" {middle / base:.2f}×"
    return text


def _rows_of(one):
    """A table as lists of strings."""
    heads = [one["head"]] + [name for name, _ in one["measures"]]
    rows = [heads]
    names = [name for name, _ in one["measures"]]
    for name, values in one["lines"].items():
        cells = []
        for at, ((_, unit), seen) in enumerate(zip(one["measures"], values)):
            reference = values[names.index(OURS)] if one["across"] and OURS in names else None
            if not one["across"]:
                reference = one["lines"].get(OURS, [[]] * len(values))[at]
            cells.append(_cell(seen, unit, median(reference or []) if one["ratio"] else None))
        rows.append([name, *cells])
    return rows


def as_markdown(one):
    """A table in Markdown."""
    heads, *rows = _rows_of(one)
    line = lambda cells: "| " + " | ".join(cells) + " |\n"  # noqa: E731
    return line(heads) + line(["---"] * len(heads)) + "".join(map(line, rows))


def as_text(one):
    """A row for a terminal."""
    text = f"== {one['title']}\n"
    for table_ in one["tables"]:
        rows = _rows_of(table_)
        widths = [max(len(row_[at]) for row_ in rows) for at in range(len(rows[0]))]
        text += f"\n{table_['title']}\n"
        text += "".join("  ".join(cell.ljust(width) for cell, width in zip(row_, widths)).rstrip() + "\n" for row_ in rows)
    for found in one["checks"]:
        text += f"{'met   ' if found['met'] else 'MISSED'} {found['text']}: {found['measured']}\n"
    return text


def _output(*words):
    return subprocess.run(words, capture_output=True, text=True).stdout.strip()


def _machine():
    with open("/proc/cpuinfo") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.machine())
    packages = ["tini", "dumb-init", "catatonit", "haproxy", "wrk"]
    shown = _output("dpkg-query", "-W", "-f", "${Package} ${Version}\n", *packages).splitlines()
    version = place.CACHE / "pm2/version"
    if version.exists():
        shown.append(f"pm2 {version.read_text().strip()}")
    return {
        "machine": f"{os.cpu_count()} CPUs ({model}), Linux {platform.release()}",
        "versions": ["Node.js " + _output("node", "--version"), _output(place.pidone(), "--version"), *shown],
        "when": time.strftime("%Y-%m-%d"),
        "load": round(_LOAD, 1),
    }


def _thinned(values):
    """At most 201 of them, evenly chosen from the lowest to the highest, with four digits."""
    if len(values) > 201:
        ordered = sorted(values)
        values = [ordered[round(at * (len(ordered) - 1) / 200)] for at in range(201)]
    return [value if isinstance(value, int) else float(f"{value:.4g}") for value in values]


class Results:
    """All rows that have been measured, on disk."""

    def __init__(self, out, quick):
        self.out = pathlib.Path(out).absolute()
        self.quick = quick
        try:
            self.rows = json.loads((self.out / "results.json").read_text())["rows"]
        except FileNotFoundError:
            self.rows = {}

    def add(self, name, row):
        """A row that was measured now."""
        for one in row["tables"]:
            one["lines"] = {name: [_thinned(values) for values in cells] for name, cells in one["lines"].items()}
        self.rows[name] = row

    def write(self):
        """results.json, RESULTS.md, and the charts."""
        self.out.mkdir(parents=True, exist_ok=True)
        machine = _machine()
        text = json.dumps({**machine, "rows": self.rows}, separators=(",", ":"))
        # A line for each table, so that a difference can be read.
        (self.out / "results.json").write_text(text.replace('{"title"', '\n{"title"') + "\n")
        for name, svg in chart.all_of(self.rows).items():
            (self.out / f"{name}.svg").write_text(svg)
        (self.out / "RESULTS.md").write_text(self._markdown(machine))

    def _markdown(self, machine):
        checks = [(name, one) for name, row_ in self.rows.items() for one in row_["checks"]]
        text = "# pidone beside its peers\n\n"
        text += "Written by [`benches/run`](run): medians of interleaved rounds, in brackets the first and the third "
        text += "quartile, and how often pidone's median it is (below 1.00×: less than pidone's).\n\n"
        text += f"{machine['when']}, {machine['machine']}; {', '.join(machine['versions'])}."
        text += f" The machine's load before the last run: {machine['load']}."
        text += " Few rounds.\n" if self.quick else "\n"
        text += "\n## What was aimed at\n\n| row | target | measured | |\n| --- | --- | --- | --- |\n"
        for name, one in checks:
            text += f"| [{name}](#{name}) | {one['text']} | {one['measured']} | {'met' if one['met'] else '**missed**'} |\n"
        charts = chart.all_of(self.rows)
        for name, one in self.rows.items():
            text += f"\n## {name}\n\n**{one['title']}.** {one['how']}\n"
            if name in charts:
                text += f"\n![{one['title']}]({name}.svg)\n"
            for table_ in one["tables"]:
                text += (f"\n{table_['title']}\n" if table_["title"] else "") + f"\n{as_markdown(table_)}"
            for note in one["notes"]:
                text += f"\n{note}\n"
        return text
