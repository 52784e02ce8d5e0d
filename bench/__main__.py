"""`python -m bench NAME [--quick] [--json]`; see `scripts/bench`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys

NAMES = ("proxy",)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure, and hold the bars.")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--quick", action="store_true", help="under 60 s on 2 cores")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    report = importlib.import_module(f"bench.{options.name}").run(options.quick)
    if options.json:
        print(json.dumps(report.as_json(), indent=1))
    else:
        report.show()
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
