"""Bar charts and lines, as SVG that can be read on a light page and on a dark one."""

from html import escape

WIDTH = 720
LABEL = 190
BAR = 16
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#24292f}.t{font-weight:600}.o{fill:#1a7f37;stroke:#1a7f37}"
    ".p{fill:#8c959f}.g{stroke:#8c959f;stroke-width:1}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.o{fill:#3fb950;stroke:#3fb950}.p{fill:#6e7681}}"
)


def _median(values):
    return sorted(values)[len(values) // 2] if values else None


def _bars(top, title, unit, bars):
    """A panel of bars: (label, value), pidone's in colour."""
    from kit import report

    text = f'<text class="t" x="0" y="{top + 14}">{escape(title)}</text>'
    most = max(value for _, value in bars) or 1
    y = top + 24
    for label, value in bars:
        kind = "o" if label.startswith(report.OURS) else "p"
        length = max(1, (WIDTH - LABEL - 110) * value / most)
        text += f'<text x="{LABEL - 8}" y="{y + 12}" text-anchor="end">{escape(label)}</text>'
        text += f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR - 3}" rx="2"/>'
        text += f'<text x="{LABEL + length + 6:.1f}" y="{y + 12}">{escape(report.amount(value, unit))}</text>'
        y += BAR + 2
    return text, y + 10


def _line(top, title, unit, points):
    """A panel of a line: (x, y), with the number at each end."""
    from kit import report

    height, left = 120, 60
    wide, high = max(x for x, _ in points), max(y for _, y in points) or 1
    place = lambda x, y: (left + (WIDTH - left - 110) * x / wide, top + 30 + height * (1 - y / high))  # noqa: E731
    text = f'<text class="t" x="0" y="{top + 14}">{escape(title)}</text>'
    (x0, y0), (x1, _) = place(0, 0), place(wide, 0)
    text += f'<path class="g" d="M{x0:.1f} {y0:.1f}H{x1:.1f}"/>'
    path = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in points)
    text += f'<polyline class="o" style="fill:none;stroke-width:2" points="{path}"/>'
    for x, y in points:
        px, py = place(x, y)
        text += f'<circle class="o" cx="{px:.1f}" cy="{py:.1f}" r="3"/>'
        if x >= 8 or x == points[0][0]:
            text += f'<text x="{px:.1f}" y="{y0 + 16:.1f}" text-anchor="middle">{x}</text>'
    px, py = place(*points[-1])
    text += f'<text x="{px + 8:.1f}" y="{py + 4:.1f}">{escape(report.amount(points[-1][1], unit))}</text>'
    return text, top + height + 62


def _svg(panels):
    top, text = 4, ""
    for draw, title, unit, data in panels:
        part, top = draw(top, title, unit, data)
        text += part
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img">'
        f"<style>{STYLE}</style>{text}</svg>\n"
    )


def _panels(table):
    """What there is to draw of a table: how, title, unit, data."""
    measures = table["measures"]
    if table["across"]:
        for line in table["drawn"]:
            cells = zip(measures, table["lines"][line])
            bars = [(peer, _median(seen)) for (peer, _), seen in cells if seen]
            yield _bars, f"{table['title']}: {line}", measures[0][1], bars
        return
    for at, (measure, unit) in enumerate(measures):
        data = [(line, _median(values[at])) for line, values in table["lines"].items() if values[at]]
        if table["drawn"] == "bars":
            yield _bars, measure, unit, data
        else:
            yield _line, f"{measure}, by {table['head']}", unit, [(int(line), value) for line, value in data]


def all_of(rows):
    """Name -> SVG, of the rows that are here."""
    charts = {name: [panel for table in row["tables"] for panel in _panels(table)] for name, row in rows.items()}
    return {name: _svg(panels) for name, panels in charts.items() if panels}
