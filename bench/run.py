#!/usr/bin/env python3
"""Runs one benchmark and writes down what came out: run.py [--list] [--bin DIR] [--small] NAME

A benchmark is bench/bench_NAME.py with a docstring (its first line is its title, the rest says what is
measured and how) and measure(bench), which gives rows:

  {"name", "unit", "ours", "peer_name", "peer", "better": "lower" | "higher", "goal"}

goal is the ratio ours / peer that we want to reach; a row with a "limit" has an absolute goal in its unit instead. The peers run in the same run on the same machine,
in turns with ours. Written: bench/results/NAME.json, bench/results/NAME.svg, and NAME's part of
docs/benchmarks.md. How something grows is told with bench.point() and becomes NAME-growth.json and NAME-growth.svg.

--small: a quick run of those benchmarks that know how, to see that they work. Its results go to build/bench, and
into no document.
"""
import argparse
import datetime
import importlib
import json
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT / "tools")]

import growth  # noqa: E402
from harness import process  # noqa: E402


class Bench:
    """What a benchmark gets: the programs, a Run for its processes, and a way to say how far it is."""

    def __init__(self, run, programs, small=False):
        self.run, self.programs, self.small = run, programs, small
        self.curves = {}

    def point(self, title, unit, x, who, at, value):
        """One point of the curve of `who` in the picture of this title; x says what its axis is."""
        curve = self.curves.setdefault(title, {"title": title, "unit": unit, "x": x, "lines": {}})
        if curve["x"] != x:
            raise ValueError(f"{title}: two axes, {curve['x']} and {x}")
        curve["lines"].setdefault(who, []).append([at, round(value, 4)])

    def program(self, name):
        return self.programs / name

    @staticmethod
    def say(text):
        print(f"    {text}", flush=True)


def machine():
    with open("/proc/cpuinfo") as info:
        models = re.findall(r"^model name\s*:\s*(.+)$", info.read(), re.M)
    return f"{models[0] if models else os.uname().machine}, {os.cpu_count()} cores, Linux {os.uname().release.split('-')[0]}"


def complete(row, common):
    missing = {"name", "unit", "ours", "peer_name", "peer", "better", "goal"} - row.keys()
    if missing:
        raise ValueError(f"row {row}: {missing} missing")
    ratio = row["ours"] / row["peer"] if row["peer"] else None
    return {**row, "ratio": round(ratio, 3) if ratio is not None else None, **common}


def reached(row):
    if row.get("limit") is not None:
        good = row["ours"] <= row["limit"] if row["better"] == "lower" else row["ours"] >= row["limit"]
        return "yes" if good else "no"
    if row["ratio"] is None or row["goal"] is None:
        return "–"
    good = row["ratio"] <= row["goal"] if row["better"] == "lower" else row["ratio"] >= row["goal"]
    return "yes" if good else "no"


def goal(row):
    sign = "≤" if row["better"] == "lower" else "≥"
    if row.get("limit") is not None:
        return f"{sign} {number(row['limit'])} {row['unit']}"
    return f"{sign} {row['goal']}" if row["goal"] is not None else "–"


def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def plot(title, rows):
    """Two bars for each row, each pair scaled by its larger one. Plain SVG."""
    height = 54 + 62 * len(rows)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" viewBox="0 0 760 {height}" '
             'font-family="system-ui, sans-serif" font-size="13">'
             f'<rect width="760" height="{height}" fill="#fff"/>'
             f'<text x="16" y="28" font-size="16" font-weight="600">{_xml(title)}</text>']
    for index, row in enumerate(rows):
        top = 50 + 62 * index
        parts.append(f'<text x="16" y="{top + 10}" fill="#333">{_xml(row["name"])} ({_xml(row["unit"])}, '
                     f'{row["better"]} is better)</text>')
        largest = max(row["ours"], row["peer"]) or 1
        for line, (who, value, colour) in enumerate((("kith", row["ours"], "#2f4fd0"),
                                                      (row["peer_name"], row["peer"], "#9aa4b8"))):
            y = top + 17 + 18 * line
            width = max(2, 480 * value / largest)
            parts.append(f'<text x="110" y="{y + 12}" text-anchor="end">{_xml(who)}</text>'
                         f'<rect x="118" y="{y}" width="{width:.1f}" height="14" rx="3" fill="{colour}"/>'
                         f'<text x="{126 + width:.1f}" y="{y + 12}">{number(value)}</text>')
    return "".join(parts) + "</svg>\n"


def _xml(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def document(name, about, rows, grows):
    """Replaces NAME's part of docs/benchmarks.md, or adds it."""
    title, _, text = about.strip().partition("\n")
    lines = [f"<!-- {name} -->", f"## {title}", "", text.strip(), "",
             f"Measured on {rows[0]['date']}: {rows[0]['machine']}. Again: `./dev bench {name}`.", "",
             f"![{title}](../bench/results/{name}.svg)", "",
             *([f"![How it grows](../bench/results/{name}-growth.svg)", ""] if grows else []),
             "| | unit | kith | peer | | ratio | goal | reached |", "|---|---|---:|---:|---|---:|---:|---|"]
    for row in rows:
        ratio = "–" if row["ratio"] is None else row["ratio"]
        lines.append(f"| {row['name']} | {row['unit']} | {number(row['ours'])} | {number(row['peer'])} | "
                     f"{row['peer_name']} | {ratio} | {goal(row)} | {reached(row)} |")
    part = "\n".join(lines + [f"<!-- end of {name} -->"])
    path = ROOT / "docs" / "benchmarks.md"
    whole = path.read_text() if path.exists() else (
        "# Benchmarks\n\nEach part is written by `./dev bench NAME`, which installs and runs the peers beside us. "
        "Ratios travel\nbetween machines; absolute figures do not.\n")
    old = re.compile(rf"<!-- {re.escape(name)} -->.*?<!-- end of {re.escape(name)} -->", re.S)
    whole = old.sub(lambda _: part, whole) if old.search(whole) else f"{whole.rstrip()}\n\n{part}\n"
    path.write_text(whole)


def names():
    return sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release")
    options.add_argument("--list", action="store_true")
    options.add_argument("--small", action="store_true")
    options.add_argument("name", nargs="?", choices=names())
    chosen = options.parse_args()
    if chosen.list or not chosen.name:
        for name in names():
            print(f"{name:<12} {importlib.import_module('bench_' + name).__doc__.strip().splitlines()[0]}")
        return 0
    process.terminate_as_exit()
    module = importlib.import_module("bench_" + chosen.name)
    common = {"machine": machine(), "date": datetime.date.today().isoformat()}
    with process.Run() as run:
        try:
            bench = Bench(run, chosen.bin.resolve(), chosen.small)
            rows = [complete(row, common) for row in module.measure(bench)]
        except process.Failure as problem:
            print(f"{problem}\n{run.tails()}", file=sys.stderr)
            return 1
    results = ROOT / "build" / "bench" if chosen.small else HERE / "results"
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{chosen.name}.json").write_text(json.dumps(rows, indent=2) + "\n")
    (results / f"{chosen.name}.svg").write_text(plot(module.__doc__.strip().splitlines()[0], rows))
    if bench.curves:
        curves = list(bench.curves.values())
        (results / f"{chosen.name}-growth.json").write_text(json.dumps(curves, indent=1) + "\n")
        (results / f"{chosen.name}-growth.svg").write_text(growth.plot(curves, number))
    if not chosen.small:
        document(chosen.name, module.__doc__, rows, bool(bench.curves))
    for row in rows:
        print(f"{row['name']:<44} {number(row['ours']):>9} {row['unit']}  {row['peer_name']} {number(row['peer'])}  "
              f"ratio {row['ratio']}  goal {goal(row)}  reached: {reached(row)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
