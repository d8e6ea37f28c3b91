#!/usr/bin/env python3
"""Runs the tests with real processes: run.py --bin build/release [--counts FILE] [--jobs N] [-k WORD] FOLDER...

Each file FOLDER/test_*.py holds unittest classes. A line per test; the last line is "N passed, N failed".
A test that cannot run here fails: there is no skipping. With --jobs so many classes run at a time, each in a process
of its own with ports of its own: the tests wait for most of their time.
"""
import argparse
import importlib.util
import multiprocessing
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
        tails = getattr(getattr(test, "run_", None), "tails", None)
        self._say("FAILED", test, "\n" + text.rstrip().replace("\n", "\n        ") + ("\n" + tails() if tails else ""))

    def _say(self, verdict, test, more=""):
        name = getattr(test, "_testMethodName", str(test)).removeprefix("test_").replace("_", " ")
        group = type(test).__name__
        seconds = time.monotonic() - getattr(self, "_began", time.monotonic())
        # In one piece, for other processes write between the lines.
        sys.stdout.write(f"    {verdict:<6} {group}: {name} ({seconds:.1f} s){more}\n")
        sys.stdout.flush()


def load(folder, word):
    """The suites of the folder, one for each class."""
    sys.path.insert(0, str(folder))
    suites = []
    for path in sorted(folder.glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(f"{folder.name}_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        for case in unittest.defaultTestLoader.loadTestsFromModule(module):
            picked = [one for one in case if not word or word in f"{path.stem}.{one.id()}"]
            suites += [unittest.TestSuite(picked)] if picked else []
    return suites


def run_suite(suite):
    report = Report()
    unittest.TestSuite([suite]).run(report)
    return report.passed, report.failed


def run_all(suites, jobs):
    """Yields (passed, failed) of each."""
    if jobs == 1:
        yield from map(run_suite, suites)
        return
    # Forked, so that each has the suites and only their numbers have to be told.
    context = multiprocessing.get_context("fork")
    places = context.SimpleQueue()
    for place in range(jobs):
        places.put(place)

    def start():
        process.terminate_as_exit()
        process.Ports.take_part(places.get(), jobs)

    Forked.suites = suites
    with context.Pool(jobs, start) as pool:
        yield from pool.imap_unordered(Forked.run, range(len(suites)))


class Forked:
    suites = []

    @classmethod
    def run(cls, number):
        return run_suite(cls.suites[number])


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bin", type=pathlib.Path, default=HERE.parent / "build" / "release")
    options.add_argument("--counts", type=pathlib.Path, help="file for 'PASSED FAILED'")
    options.add_argument("--jobs", type=int, default=1, help="classes that run at a time")
    options.add_argument("-k", metavar="WORD", help="only tests whose name contains it")
    options.add_argument("folders", nargs="+", type=pathlib.Path)
    chosen = options.parse_args()
    os.environ["KITH_BIN"] = str(chosen.bin.resolve())
    process.terminate_as_exit()
    passed = failed = 0
    try:
        suites = [suite for folder in chosen.folders for suite in load(folder.resolve(), chosen.k)]
        for more_passed, more_failed in run_all(suites, chosen.jobs):
            passed, failed = passed + more_passed, failed + more_failed
    finally:
        if chosen.counts:
            chosen.counts.write_text(f"{passed} {failed}\n")
        print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
