#!/usr/bin/env python3
"""Runs the tests with real processes: run.py --bin build/release [--counts FILE] [-k WORD] FOLDER...

Each file FOLDER/test_*.py holds unittest classes. A line per test; the last line is "N passed, N failed".
A test that cannot run here fails: there is no skipping.
"""
import argparse
import importlib.util
import os
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

from harness import process  # noqa: E402


class Report(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.passed = self.failed = 0
        self.buffer = False

    def startTest(self, test):
        super().startTest(test)
        self._began = time.monotonic()
        self._bad = False

    def addSuccess(self, test):
        self._say("ok", test)
        self.passed += 1

    def addFailure(self, test, err):
        self._fail(test, err)

    addError = addFailure

    def addSkip(self, test, reason):
        self._fail_text(test, f"skipped: {reason}")

    def addUnexpectedSuccess(self, test):
        self._fail_text(test, "unexpected success")

    def _fail(self, test, err):
        self._fail_text(test, self._exc_info_to_string(err, test) if isinstance(test, unittest.TestCase)
                        else "".join(__import__("traceback").format_exception(*err)))

    def _fail_text(self, test, text):
        self.failed += 1
        self._say("FAILED", test)
        print(text.rstrip().replace("\n", "\n        "), flush=True)
        tails = getattr(getattr(test, "run_", None), "tails", None)
        if tails:
            print(tails(), flush=True)

    def _say(self, verdict, test):
        name = getattr(test, "_testMethodName", str(test)).removeprefix("test_").replace("_", " ")
        group = type(test).__name__
        seconds = time.monotonic() - getattr(self, "_began", time.monotonic())
        print(f"    {verdict:<6} {group}: {name} ({seconds:.1f} s)", flush=True)


def load(folder, word):
    sys.path.insert(0, str(folder))
    suite = unittest.TestSuite()
    for path in sorted(folder.glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(f"{folder.name}_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        for case in unittest.defaultTestLoader.loadTestsFromModule(module):
            picked = [one for one in case if not word or word in f"{path.stem}.{one.id()}"]
            suite.addTests([unittest.TestSuite(picked)] if picked else [])
    return suite


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bin", type=pathlib.Path, default=HERE.parent / "build" / "release")
    options.add_argument("--counts", type=pathlib.Path, help="file for 'PASSED FAILED'")
    options.add_argument("-k", metavar="WORD", help="only tests whose name contains it")
    options.add_argument("folders", nargs="+", type=pathlib.Path)
    chosen = options.parse_args()
    os.environ["KITH_BIN"] = str(chosen.bin.resolve())
    process.terminate_as_exit()
    report = Report()
    try:
        for folder in chosen.folders:
            load(folder.resolve(), chosen.k).run(report)
    finally:
        if chosen.counts:
            chosen.counts.write_text(f"{report.passed} {report.failed}\n")
        print(f"{report.passed} passed, {report.failed} failed", flush=True)
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
