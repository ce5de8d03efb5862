"""What a row returns, and how its numbers are put into words."""

import statistics

OURS = "pidone"
# The unit of failures: the values are pairs, how many have failed and how many were sent.
SHARE = "per 1,000"


def row(tables, checks=(), **facts):
    """What a row has measured. `facts`: what its HOW has in braces."""
    return {"facts": facts, "tables": tables, "checks": list(checks)}


def table(title, measures, lines, head="", ratio=True):
    """Lines (a name and, for each measure, all values that were seen) under measures (a name and a unit).

    `ratio`: each value is also told as a multiple of pidone's."""
    return {"title": title, "head": head, "measures": measures, "lines": lines, "across": False, "ratio": ratio}


def across(title, unit, lines, head="", ratio=True):
    """The same with the peers as columns, and lines of one measure: name -> {peer: values}."""
    peers = list(dict.fromkeys(peer for line in lines.values() for peer in line))
    cells = {name: [line.get(peer, []) for peer in peers] for name, line in lines.items()}
    columns = [(peer, unit) for peer in peers]
    return {"title": title, "head": head, "measures": columns, "lines": cells, "across": True, "ratio": ratio and unit != SHARE}


def check(text, met, measured, gate=False):
    """A target. `gate`: a run that misses it has failed."""
    return {"text": text, "met": bool(met), "measured": measured, "gate": gate}


def beside(ours, peer, theirs):
    """A value and a peer's, for a check."""
    return f"{ours}; {peer} {theirs}"


def median(values):
    """The median, or None of nothing."""
    return statistics.median(values) if values else None


def middle(values, unit):
    """The number that stands for all values: the median, or the failures of all rounds per 1,000 requests."""
    if unit == SHARE:
        return 1000 * sum(failed for failed, _ in values) / sum(sent for _, sent in values)
    return median(values)


def _number(value):
    if value == int(value) and abs(value) < 1e7:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def amount(value, unit):
    """A number with its unit; bytes as people read them."""
    if unit == "B":
        for size, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
            if value >= size:
                return f"{_number(float(f'{value / size:.3g}'))} {name}"
    return f"{_number(value)} {unit}".strip()


def words(values, unit):
    """All values in a few words: the median, or "3 of 1,200 (2.5 per 1,000)"."""
    if not values:
        return "–"
    if unit != SHARE:
        return amount(median(values), unit)
    failed, sent = (sum(column) for column in zip(*values))
    return f"{failed:,} of {sent:,}" + (f" ({amount(middle(values, unit), unit)})" if failed else "")


def _cell(values, unit, base):
    text = words(values, unit)
    if unit == SHARE and any(failed for failed, _ in values):
        low, high = min(failed for failed, _ in values), max(failed for failed, _ in values)
        return f"{text}, {low:,}–{high:,} in a round" if low < high else f"{text}, {low:,} in each round"
    if not values or unit == SHARE:
        return text
    if len(values) > 1 and max(values) > min(values):
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        text += f" ({_number(low)}–{_number(high)})" if unit != "B" else f" ({amount(low, unit)}–{amount(high, unit)})"
    if base:
        text += f" {median(values) / base:.2f}×"
    return text


def _rows_of(one):
    """A table as lists of strings."""
    names = [name for name, _ in one["measures"]]
    rows = [[one["head"], *names]]
    for name, values in one["lines"].items():
        cells = []
        for at, ((_, unit), seen) in enumerate(zip(one["measures"], values)):
            reference = values[names.index(OURS)] if one["across"] and OURS in names else None
            if not one["across"]:
                reference = one["lines"].get(OURS, [[]] * len(values))[at]
            cells.append(_cell(seen, unit, median(reference or []) if one["ratio"] else None))
        rows.append([name, *cells])
    return rows


def markdown(head, lines):
    """A table of strings in Markdown."""
    line = lambda cells: "| " + " | ".join(cells) + " |\n"  # noqa: E731
    return line(head) + line(["---"] * len(head)) + "".join(map(line, lines))


def as_markdown(one):
    """A table in Markdown."""
    head, *lines = _rows_of(one)
    return markdown(head, lines)


def as_text(title, row_):
    """A row for a terminal."""
    text = f"== {title}\n"
    for one in row_["tables"]:
        rows = _rows_of(one)
        widths = [max(len(row_[at]) for row_ in rows) for at in range(len(rows[0]))]
        text += f"\n{one['title']}\n"
        text += "".join("  ".join(cell.ljust(width) for cell, width in zip(row_, widths)).rstrip() + "\n" for row_ in rows)
    for found in row_["checks"]:
        text += f"{'met   ' if found['met'] else 'MISSED'} {found['text']}: {found['measured']}\n"
    return text
