# SPDX-License-Identifier: MIT
"""Charts as SVG: bars of a whole run (relative to Go, or to the floor), lines of the curves."""

import math
from xml.sax.saxutils import escape

COLOURS = {"weft": "#0b7285", "go": "#adb5bd", "boost": "#e8590c", "floor": "#5c940d", "threaded": "#94d82d", "no-lease": "#7048e8",
           "vdso": "#5c940d", "syscall": "#adb5bd", "libc": "#e8590c"}
FONT = 'font-family="sans-serif" font-size="11"'
WIDTH, BAR, LABEL = 860, 13, 330


def colour(name):
    return COLOURS.get(name, "#343a40")


def document(height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")


def text(x, y, words, anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" {FONT}>{escape(words)}</text>'


def legend(names, y):
    return [part for i, name in enumerate(names) for part in (
        f'<rect x="{LABEL + 90 * i}" y="{y - 9}" width="10" height="10" fill="{colour(name)}"/>',
        text(LABEL + 90 * i + 14, y, name))]


def bars(groups):
    """groups: (title, unit, {contender: value}); each group is drawn against its own greatest value."""
    names = list(dict.fromkeys(name for _, _, values in groups for name in values))
    parts, y = legend(names, 20), 40
    for title, unit, values in groups:
        top = max(values.values()) or 1
        parts.append(text(LABEL - 8, y + BAR * len(values) / 2 + 4, title, "end"))
        for name, value in values.items():
            length = max(1, value / top * (WIDTH - LABEL - 120))
            parts.append(f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR - 2}" fill="{colour(name)}"/>')
            parts.append(text(LABEL + length + 5, y + BAR - 4, f"{value:,.4g} {unit}"))
            y += BAR
        y += 9
    return document(y + 10, parts)


def scale(values, low, high):
    """A logarithmic axis from values to pixels."""
    least, most = math.log10(min(values)), math.log10(max(values))
    return lambda v: low + (math.log10(v) - least) / ((most - least) or 1) * (high - low)


def panel(y, title, unit, lines):
    """lines: {contender: [(x, value)]}, both axes logarithmic."""
    points = [p for line in lines.values() for p in line]
    xs, ys = sorted({p[0] for p in points}), [p[1] for p in points]
    to_x, to_y = scale(xs, 90, WIDTH - 160), scale(ys, y + 180, y + 35)
    parts = [text(90, y + 18, f"{title} [{unit}]")]
    parts += [text(to_x(x), y + 200, f"{x:,}", "middle") for x in xs]
    parts += [text(82, to_y(v) + 4, f"{v:,.3g}", "end") for v in (min(ys), max(ys))]
    for name, line in lines.items():
        path = " ".join(f"{to_x(x):.1f},{to_y(v):.1f}" for x, v in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour(name)}" stroke-width="2"/>')
        parts += [f'<circle cx="{to_x(x):.1f}" cy="{to_y(v):.1f}" r="3" fill="{colour(name)}"/>' for x, v in line]
        parts.append(text(WIDTH - 150, to_y(line[-1][1]) + 4, f"{name} {line[-1][1]:,.4g}"))
    return parts


def curves(panels):
    parts = []
    for i, (title, unit, lines) in enumerate(panels):
        parts += panel(i * 220, title, unit, lines)
    return document(len(panels) * 220, parts)
