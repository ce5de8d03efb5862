"""Charts as SVG: bars and curves, for light and dark pages, with the numbers as text for screen readers."""

import functools
import html

from kit import report

escape = functools.partial(html.escape, quote=False)

WIDTH = 720
PAD = 16
BAR = 12
STEP = 19
# Width of a character of 12 px, for the widest of the usual fonts.
CHARACTER = 7.3
OURS = ' class="t"'
# Ours in green, its variants as an outline, peers in grey. Text has a contrast of at least 4.5:1, shapes of at least 3:1.
STYLE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}.h{font-size:15px;font-weight:600}.t{font-weight:600}"
    ".m{fill:#59636e;font-weight:400}.w{fill:#fff}.o{fill:#1a7f37;stroke:#1a7f37}.v{fill:#cfe8d5;stroke:#1a7f37}"
    ".p{fill:#818b98;stroke:#818b98}.a{stroke:#818b98}.g{stroke:#d1d9e0}.l{fill:none;stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.m{fill:#9198a1}.w{fill:#0d1117}.o{fill:#3fb950;stroke:#3fb950}"
    ".v{fill:#12361c;stroke:#3fb950}.p{fill:#7d8590;stroke:#7d8590}.a{stroke:#7d8590}.g{stroke:#30363d}.l{fill:none}}"
)
# Dashes tell the variants and the peers apart that share a colour.
DASHES = ["none", "6 4", "2 3"]


def better(unit):
    """What is good."""
    return "higher is better" if unit == "/s" else "lower is better"


def _room(texts):
    return max(map(len, texts), default=0) * CHARACTER


def _kind(name):
    return "o" if name == report.OURS else "v" if name.startswith(report.OURS) else "p"


def _head(kind, y, title, more):
    more = f'<tspan class="m"> · {more}</tspan>' if more else ""
    return f'<text class="{kind}" x="{PAD}" y="{y}">{escape(title[:1].upper() + title[1:])}{more}</text>'


def _text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(words)}</text>'


def bars(title, unit, values, most=None, absent="–"):
    """A panel with a bar for each peer. `most`: the longest bar of several panels with one scale; `absent`: said of a
    peer that has no values."""
    values = dict(values)
    words = {name: report.words(seen, unit) if seen else absent for name, seen in values.items()}
    lengths = {name: report.middle(seen, unit) for name, seen in values.items() if seen}
    most = most or max(lengths.values(), default=0)
    return {"draw": _bars, "title": title, "unit": unit, "words": words, "left": words, "right": words.values(), "lengths": lengths, "most": most}


def _bars(panel, top, left, right):
    text, y = f'<path class="a" d="M{left:.1f} {top}V{top + STEP * len(panel["words"]) - 4}"/>', top
    for name, words in panel["words"].items():
        text += _text(left - 8, y + 11, name, f' text-anchor="end"{OURS if name == report.OURS else ""}')
        x = left
        if name in panel["lengths"]:
            # Nothing is a thin line, and little is wider.
            value = panel["lengths"][name]
            length = max(5, (WIDTH - right - left) * value / panel["most"]) if value else 1
            text += f'<rect class="{_kind(name)}" x="{left:.1f}" y="{y + 1}" width="{length:.1f}" height="{BAR}"/>'
            x += length
        text += _text(x + 7, y + 11, words, "" if name in panel["lengths"] else ' class="m"')
        y += STEP
    return text, y + 10


def curves(title, unit, lines, across="workers"):
    """A panel with a curve for each peer: name -> {x: values}."""
    points = {name: [(x, report.median(seen)) for x, seen in sorted(line.items()) if seen] for name, line in lines.items()}
    points = {name: line for name, line in points.items() if line}
    words = {name: ", ".join(f"{report.amount(y, unit)} with {x}" for x, y in line) + f" {across}" for name, line in points.items()}
    ticks = _ticks(max(y for line in points.values() for _, y in line), unit)
    scale = {report.amount(tick, unit): tick for tick in ticks}
    # From the lowest up.
    ends = sorted((line[-1][1], name) for name, line in points.items())
    ends = {f"{name} {report.amount(y, unit)}": y for y, name in ends}
    return {"draw": _curves, "title": title, "unit": unit, "words": words, "left": scale, "right": ends, "points": points, "across": across}


def _ticks(most, unit):
    """Round numbers from 0 to at least the largest."""
    base = 1024 if unit == "B" and most >= 1024 else 1
    step = base
    # 1, 2, 5, 10 …; of bytes powers of two.
    factors = [2, 2, 2] if base > 1 else [2, 2.5, 2]
    while not base > 1 and step * 4 > most:
        step /= 10
    at = 0
    while step * 4 < most:
        step *= factors[at % 3]
        at += 1
    return [step * n for n in range(int(-(-most // step)) + 1)]


def _curves(panel, top, left, right):
    points, scale, text, height = panel["points"], panel["left"], "", 150
    xs = sorted({x for line in points.values() for x, _ in line})
    low, most = top + 8 + height, max(scale.values())
    place = lambda x, y: (left + (WIDTH - left - right) * x / xs[-1], low - height * y / most)  # noqa: E731
    for words, tick in scale.items():
        y = place(0, tick)[1]
        text += f'<path class="{"g" if tick else "a"}" d="M{left:.1f} {y:.1f}H{WIDTH - right:.1f}"/>'
        text += _text(left - 8, y + 4, words, ' class="m" text-anchor="end"')
    before = -99
    for x in xs:
        px = place(x, 0)[0]
        if px - before >= 20:
            text += _text(px, low + 17, str(x), ' class="m" text-anchor="middle"')
            before = px
    text += _text(WIDTH - right + 16, low + 17, panel["across"], ' class="m"')
    seen = {}
    # Ours on top of the others.
    for name, line in sorted(points.items(), key=lambda item: _kind(item[0]) == "o"):
        kind = "p" if _kind(name) == "p" else "o"
        dashes = "none"
        if name != report.OURS:
            seen[kind] = seen.get(kind, 0) + 1
            dashes = DASHES[(seen[kind] - (kind == "p")) % len(DASHES)]
        path = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in line)
        text += f'<polyline class="{kind} l" stroke-dasharray="{dashes}" points="{path}"/>'
        for point in line:
            px, py = place(*point)
            text += f'<circle class="{kind}" cx="{px:.1f}" cy="{py:.1f}" r="2.5"/>'
    y = low + 99
    # Each label above the one below it.
    for words, value in panel["right"].items():
        y = min(place(0, value)[1] + 4, y - 16)
        text += _text(WIDTH - right + 7, y, words, OURS if words.startswith(f"{report.OURS} ") else "")
    return text, low + 34


def _svg(name, title, subtitle, panels):
    rooms = {}
    for panel in panels:
        left, right = rooms.get(panel["draw"], (0, 0))
        rooms[panel["draw"]] = max(left, PAD + _room(panel["left"]) + 8), max(right, PAD + _room(panel["right"]) + 7)
    # Said once where it is true of all panels.
    good = {better(panel["unit"]) for panel in panels}
    body = _head("h", 29, title, good.pop() if len(good) == 1 else "")
    if subtitle:
        body += f'<text class="m" x="{PAD}" y="48">{escape(subtitle)}</text>'
    top = 64 if subtitle else 46
    told = []
    for panel in panels:
        body += _head("t", top + 12, panel["title"], better(panel["unit"]) if good else "")
        text, top = panel["draw"](panel, top + 22, *rooms[panel["draw"]])
        body += text
        numbers = "; ".join(f"{peer} {said}" for peer, said in panel["words"].items())
        told.append(f"{panel['title']} ({better(panel['unit'])}): {numbers}.".removeprefix(" "))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" role="img"'
        f' aria-labelledby="{name}-title {name}-desc">\n<title id="{name}-title">{escape(title)}</title>\n'
        f'<desc id="{name}-desc">{escape(" ".join([subtitle] * bool(subtitle) + told))}</desc>\n'
        f'<style>{STYLE}</style>\n<rect class="w" width="{WIDTH}" height="{top}" rx="6"/>\n{body}\n</svg>\n'
    )


def of_table(table, lines=None):
    """A panel for each measure of a table, or for each of these lines (line -> title) of one that has the peers as columns."""
    measures = table["measures"]
    if table["across"]:
        for line, title in (lines or {}).items():
            cells = zip(measures, table["lines"].get(line, []))
            values = {peer: seen for (peer, _), seen in cells if seen}
            if values:
                yield bars(title, measures[0][1], values)
        return
    for at, (measure, unit) in enumerate(measures):
        yield bars(measure, unit, {line: values[at] for line, values in table["lines"].items() if values[at]})


def of(name, module, row):
    """The chart of a row, or None. A module's `panels` says what is in it, SUBTITLE what must be known."""
    tables = row["tables"]
    panels = tables and list(module.panels(tables) if hasattr(module, "panels") else (p for table in tables for p in of_table(table)))
    return _svg(name, getattr(module, "CHART", module.TITLE), getattr(module, "SUBTITLE", ""), panels) if panels else None
