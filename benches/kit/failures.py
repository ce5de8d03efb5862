"""Requests that fail: how many of how many, for losses.py and units.py."""

from kit import chart, report

NOT_BUILT_IN = "not built in"


def tables(seen):
    """`seen`: event -> peer -> for each round what the client has seen."""
    def shares(what, events):
        return {event: {peer: [(one[what], one["sent"]) for one in rounds] for peer, rounds in events[event].items()} for event in events}

    killed = {event: peers for event, peers in seen.items() if event in ("kill", "crash")}
    return [
        report.across("Failed requests", report.SHARE, shares("failed", seen), "event"),
        report.across("Requests inside the killed process", report.SHARE, shares("inside", killed), "event"),
    ]


def panels(tables):
    """A panel for each event, all with the same scale."""
    table = tables[0]
    most = max(report.middle(values, report.SHARE) for cells in table["lines"].values() for values in cells if values)
    for event, cells in table["lines"].items():
        peers = {peer: values for (peer, _), values in zip(table["measures"], cells)}
        yield chart.bars(event, report.SHARE, peers, most, NOT_BUILT_IN)


def checks(tables, who):
    """pidone loses none."""
    table = tables[0]
    at = [peer for peer, _ in table["measures"]].index(report.OURS)
    for event, cells in table["lines"].items():
        failed = sum(failed for failed, _ in cells[at])
        yield report.check(f"{event}: {who} loses no request", not failed, report.words(cells[at], report.SHARE), gate=True)
