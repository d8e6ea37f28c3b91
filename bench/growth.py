"""Small plots beside one another: how each quantity grows, on a logarithmic axis. Plain SVG."""
import math

WIDTH, HEIGHT, COLUMNS = 380, 236, 2
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 44, 58  # around a plot's area
COLOURS = ("#2f4fd0", "#9aa4b8", "#d0672f", "#3b8f5a", "#a24fb0")


def _xml(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _short(value):
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"


def _one(curve, left, top, number):
    points = [point for line in curve["lines"].values() for point in line]
    first, last = min(at for at, _ in points), max(at for at, _ in points)
    highest = max(value for _, value in points) or 1
    span = math.log(last / first) or 1

    def place(at, value):
        x = left + LEFT + (WIDTH - LEFT - RIGHT) * (math.log(at / first) / span if last > first else 0.5)
        return x, top + HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / highest

    floor = top + HEIGHT - BOTTOM
    parts = [f'<text x="{left + 8}" y="{top + 20}" font-weight="600">{_xml(curve["title"])} ({_xml(curve["unit"])})</text>']
    for part in (0, 0.5, 1):
        y = floor - (HEIGHT - TOP - BOTTOM) * part
        parts.append(f'<line x1="{left + LEFT}" y1="{y:.1f}" x2="{left + WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
                     f'<text x="{left + LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#555">'
                     f'{number(highest * part)}</text>')
    for at in sorted({at for at, _ in points}):
        parts.append(f'<text x="{place(at, 0)[0]:.1f}" y="{floor + 16}" text-anchor="middle" fill="#555">{_short(at)}</text>')
    parts.append(f'<text x="{left + WIDTH - RIGHT}" y="{floor + 32}" text-anchor="end" fill="#555">{_xml(curve["x"])}</text>')
    legend = left + LEFT
    for (who, line), colour in zip(curve["lines"].items(), COLOURS):
        corners = [place(*point) for point in sorted(line)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                     + " ".join(f"{x:.1f},{y:.1f}" for x, y in corners) + '"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in corners]
        parts.append(f'<rect x="{legend}" y="{floor + 38}" width="10" height="10" fill="{colour}"/>'
                     f'<text x="{legend + 14}" y="{floor + 47}">{_xml(who)}</text>')
        legend += 28 + 6 * len(who)
    return "".join(parts)


def plot(curves, number):
    """curves: {"title", "unit", "x", "lines": {who: [[at, value], ...]}}; number: how a value is written."""
    rows = math.ceil(len(curves) / COLUMNS)
    width, height = WIDTH * COLUMNS, HEIGHT * rows
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
             f'font-family="system-ui, sans-serif" font-size="11"><rect width="{width}" height="{height}" fill="#fff"/>']
    parts += [_one(curve, WIDTH * (index % COLUMNS), HEIGHT * (index // COLUMNS), number)
              for index, curve in enumerate(curves)]
    return "".join(parts) + "</svg>\n"
