"""`python -m bench NAME [--quick] [--json]`; see `scripts/bench`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys

NAMES = {
    "proxy": "what the proxy costs a request, against a minimal reverse proxy",
    "restore": "how long it takes to have the state back, against LocalStack's old algorithm",
    "ordering": "what it costs a restore that equal names make calls wait for each other",
    "memory": "resident memory: idle, streaming 1 GiB, restoring 200,000 calls, and whatever passed",
    "wire": "recognising and parsing requests, start-up times",
    "effects": "watching data for what the emulator does by itself, while nothing changes",
    "testing": "a fresh state for each test of a suite, against restarting the emulator and against moto in the process",
    "pods": "saving, pushing and pulling a state: time, memory and bytes, by its size",
    "journal": "appending to a recording, and reading it back",
}


def main() -> int:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure, and hold the bars: exits 1 when one does not hold.",
        epilog="\n".join(f"  {name:9} {about}" for name, about in NAMES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=NAMES, nargs="?", help="which; without it they are listed")
    parser.add_argument("--quick", action="store_true", help="under 60 s on 2 cores, with less of everything")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--markdown", action="store_true", help="the tables as they stand in docs/performance.md")
    options = parser.parse_args()
    if options.name is None:
        parser.print_help()
        return 0
    report = importlib.import_module(f"bench.{options.name}").run(options.quick)
    if options.json:
        print(json.dumps(report.as_json(), indent=1, ensure_ascii=False))
    elif options.markdown:
        print(report.as_markdown())
    else:
        report.show()
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
