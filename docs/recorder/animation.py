"""Screens as an animated SVG: no script, only CSS, so that it moves in an <img>."""

from html import escape

from panes import TICK

# Of one character, in pixels, as in most monospaced fonts; each text is stretched to it.
WIDTH, HEIGHT, FONT = 7.83, 17, 13
BLOCKS = " ▁▂▃▄▅▆▇█"
COLORS = {
    "default": "#d1d7e0",
    "heading": "#f0f6fc",
    "green": "#3fb950",
    "red": "#f85149",
    # What pyte calls SGR 33.
    "brown": "#d29922",
    "cyan": "#39c5cf",
}
STYLE = (
    f"text{{font:{FONT}px ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono','DejaVu Sans Mono',monospace;fill:{COLORS['default']}}}"
    ".heading{font-weight:700}.name{font:600 12px system-ui,sans-serif;fill:#9198a1}.cursor{fill:#9198a1}"
    + "".join(f".{name}{{fill:{color}}}" for name, color in COLORS.items() if name != "default")
    + ".f{visibility:hidden}"
)


class Place:
    """Where a pane is in the window, and its heading."""

    def __init__(self, x, y, width, height, name):
        self.x, self.y, self.width, self.height, self.name = x, y, width, height, name


def _number(value):
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _bars(x, bottom, text):
    """A sparkline, drawn: fonts differ in these characters."""
    path = ""
    for index, letter in enumerate(text):
        if level := BLOCKS.index(letter):
            high = _number(level * (HEIGHT - 3) / 8)
            path += f"M{_number(x + index * WIDTH)} {_number(bottom)}v-{high}h{_number(WIDTH - 1)}v{high}z"
    return path


def _row(runs, left, top):
    text = ""
    for column, word, style in runs:
        x, base = left + column * WIDTH, top + HEIGHT - 4
        kind = "" if style == "default" else f' class="{style}"'
        if style == "cursor":
            text += f'<path{kind} d="M{_number(x)} {_number(top + 2)}h{_number(WIDTH)}v{HEIGHT - 2}h-{_number(WIDTH)}z"/>'
        elif all(letter in BLOCKS for letter in word):
            text += f'<path{kind} d="{_bars(x, base + 1, word)}"/>'
        else:
            length = _number(len(word) * WIDTH)
            text += f'<text{kind} x="{_number(x)}" y="{_number(base)}" textLength="{length}">{escape(word)}</text>'
    return text


def _spans(frames):
    """(begin, end, row, runs) of each row, for as long as it shows the same."""
    rows = zip(*frames)
    for number, states in enumerate(rows):
        begin = 0
        for tick in range(1, len(states) + 1):
            if tick == len(states) or states[tick] != states[begin]:
                if states[begin]:
                    yield begin, tick, number, states[begin]
                begin = tick


def _rule(name, states, total):
    """Shown or hidden, and from that tick on the other."""
    first, change, then = states
    return (
        f"@keyframes {name}{{0%{{visibility:{first}}}{100 * change / total:.3f}%{{visibility:{then}}}}}"
        f".{name}{{animation:{name} {_number(total * TICK)}s step-end infinite}}"
    )


def svg(panes, ticks, pause, size, title, description):
    """The picture of panes, as (Place, Pane); the last state stays for `pause` seconds."""
    total = ticks + round(pause / TICK)
    groups = {}
    text = ""
    for place, pane in panes:
        text += f'<rect x="{place.x + 0.5}" y="{place.y + 0.5}" width="{place.width}" height="{place.height}" fill="none" stroke="#30363d"/>'
        text += f'<text class="name" x="{place.x + 10}" y="{place.y + 17}">{escape(place.name)}</text>'
        for begin, end, row, runs in _spans(list(pane.frames(ticks))):
            end = total if end == ticks else end
            drawn = _row(runs, place.x + 10, place.y + 24 + row * HEIGHT)
            groups[begin, end] = groups.get((begin, end), "") + drawn
    rules = {}
    for (begin, end), drawn in sorted(groups.items()):
        if (begin, end) == (0, total):
            text += f"<g>{drawn}</g>"
            continue
        if end == total:
            # What is there at the end is also there where nothing moves.
            name, kind, style, states = f"z{begin}", "", "", ("hidden", begin, "visible")
        else:
            name, kind, states = f"d{end - begin}", "f ", ("visible", end - begin, "hidden")
            style = f' style="animation-delay:{_number(begin * TICK)}s"' if begin else ""
        rules[name] = _rule(name, states, total)
        text += f'<g class="{kind}{name}"{style}>{drawn}</g>'
    still = "@media(prefers-reduced-motion:reduce){g{animation:none!important}}"
    wide, high = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" role="img" aria-labelledby="title desc">'
        f'<title id="title">{escape(title)}</title><desc id="desc">{escape(description)}</desc>'
        f"<style>{STYLE}{''.join(rules.values())}{still}</style>"
        f'<rect x=".5" y=".5" width="{wide - 1}" height="{high - 1}" rx="8" class="ground" fill="#0d1117" stroke="#30363d"/>{text}</svg>\n'
    )
