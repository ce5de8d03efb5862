"""The results on disk, and all that is written from them: RESULTS.md, the charts, and the tables of the manual and the README."""

import importlib
import json
import os
import pathlib
import platform
import subprocess
import time

from kit import chart, place, report, summary

# How busy the machine was with others, before anything was measured.
_LOAD = os.getloadavg()[0]


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
    }


def _thinned(values):
    """At most 201 of them, evenly chosen from the lowest to the highest, with four digits."""
    if len(values) > 201:
        ordered = sorted(values)
        values = [ordered[round(at * (len(ordered) - 1) / 200)] for at in range(201)]
    return [float(f"{value:.4g}") if isinstance(value, float) else value for value in values]


class Results:
    """All rows that have been measured, with the machine of the last run."""

    def __init__(self, out, order, quick=False):
        self.out = pathlib.Path(out).absolute()
        self.order = order
        self.quick = quick
        path = self.out / "results.json"
        # A quick run has all it needs, and may find what an older version wrote.
        self.kept = json.loads(path.read_text()) if path.exists() and not quick else {"rows": {}}
        self.rows = self.kept["rows"]

    def add(self, name, row):
        """A row that was measured now."""
        for one in row["tables"]:
            one["lines"] = {name: [_thinned(values) for values in cells] for name, cells in one["lines"].items()}
        self.rows[name] = {"when": time.strftime("%Y-%m-%d"), "load": round(_LOAD, 1), **row}

    def save(self):
        """results.json, and what is written from it."""
        self.kept = {**_machine(), "quick": self.quick, "rows": {name: self.rows[name] for name in self.order if name in self.rows}}
        self.out.mkdir(parents=True, exist_ok=True)
        # A line for each table, so that a difference can be read.
        text = json.dumps(self.kept, separators=(",", ":")).replace('{"title"', '\n{"title"')
        (self.out / "results.json").write_text(text + "\n")
        self.write()

    def files(self):
        """Path -> text of all that is written from results.json."""
        # As a file has it, so that both ways lead to the same.
        kept = json.loads(json.dumps(self.kept))
        charts = {name: svg for name, row in kept["rows"].items() if (svg := chart.of(name, _module(name), row))}
        files = {self.out / f"{name}.svg": svg for name, svg in charts.items()}
        files[self.out / "RESULTS.md"] = _markdown(kept, charts)
        if self.out == place.BENCHES:
            for path in (place.ROOT / "docs/benchmarks.md", place.ROOT / "README.md"):
                files[path] = summary.written(path.read_text(), kept)
        return files

    def write(self):
        """All of it."""
        for path, text in self.files().items():
            path.write_text(text)

    def stale(self):
        """The paths of what is not as it would be written, and of charts that nothing is drawn in."""
        files = self.files()
        left = [path for path in self.out.glob("*.svg") if path not in files]
        return left + [path for path, text in files.items() if not path.exists() or path.read_text() != text]


def _module(name):
    """TITLE, HOW, NOTES and `panels` of a row are in its module."""
    return importlib.import_module(f"rows.{name}")


def title(name):
    """What a row measures."""
    return _module(name).TITLE


def _markdown(kept, charts):
    text = "# pidone beside its peers\n\n"
    text += "Written by [`benches/run`](run) from [`results.json`](results.json). Each cell: the median of all rounds; in brackets "
    text += "the first and the third quartile; then the median as a multiple of pidone's (below 1.00×: less than pidone). Failed requests "
    text += "are added up over all rounds. In each round, all peers are measured in turn. [`docs/benchmarks.md`](../docs/benchmarks.md) is the summary.\n\n"
    text += summary.machine(kept)
    text += " A quick run, with few rounds.\n" if kept["quick"] else "\n"
    checks = [
        [f"[{name}](#{name})", one["text"], one["measured"], "met" if one["met"] else "**missed**"]
        for name, row in kept["rows"].items()
        for one in row["checks"]
    ]
    text += "\n## Targets\n\n" + report.markdown(["row", "target", "measured", ""], checks)
    for name, row in kept["rows"].items():
        module = _module(name)
        text += f"\n## {name}\n\n**{module.TITLE}.** {module.HOW.format(**row['facts']) if row['tables'] else 'Not measured.'}\n"
        text += f"\nMeasured on {row['when']}; load of the machine before: {row['load']}.\n"
        if name in charts:
            text += f"\n![{module.TITLE}: the numbers of the tables below as a chart]({name}.svg)\n"
        for one in row["tables"]:
            text += (f"\n{one['title']}\n" if one["title"] else "") + f"\n{report.as_markdown(one)}"
        for note in module.NOTES:
            text += f"\n{note}\n"
    return text
