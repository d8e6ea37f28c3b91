"""Adds up the cases of a ctest run: count_gtest.py CTEST_JUNIT GTEST_XML_DIR COUNT_FILE.

ctest sees programs, GoogleTest sees cases. A program that wrote no report (it crashed, or it is no
GoogleTest program) counts as one case, by ctest's verdict. Exit status 1 when anything failed.
"""
import pathlib
import sys
import xml.etree.ElementTree as xml


def cases(report):
    root = xml.parse(report).getroot()
    total = int(root.get("tests", 0)) - int(root.get("disabled", 0))
    return total, int(root.get("failures", 0)) + int(root.get("errors", 0))


def main(junit, reports, out):
    passed = failed = 0
    reported = {}
    for report in pathlib.Path(reports).glob("*.xml"):
        try:
            reported[report.stem] = cases(report)
        except xml.ParseError:
            pass  # cut short by a crash
    try:
        programs = xml.parse(junit).getroot().findall("testcase")
    except (OSError, xml.ParseError):
        programs = []
    for program in programs:
        ok = program.get("status") == "run"
        total, bad = reported.get(program.get("name").split(".")[-1], (1, 0 if ok else 1))
        if not ok and bad == 0:
            bad = 1  # it failed outside of its cases: a sanitizer, a leak, a time limit
            total = max(total, 1)
        passed += total - bad
        failed += bad
        print(f"    {'ok    ' if ok else 'FAILED'} {program.get('name'):<34} {total:5d} cases "
              f"{float(program.get('time', 0)):7.1f} s")
    if not programs:
        failed = 1
        print("    no test program ran")
    pathlib.Path(out).write_text(f"{passed} {failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
