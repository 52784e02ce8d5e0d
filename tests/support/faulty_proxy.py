"""`replay-proxy` with faults in it, for what nobody expects: FAULTS names methods, `module:Class.method` with blanks between.

As long as the file FAULT_SWITCH exists, each raises a RuntimeError where it is called.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from pathlib import Path
from typing import Any

from replay_proxy.cli.main import main

SWITCH = Path(os.environ["FAULT_SWITCH"])


def put_in(place: str) -> None:
    module, _colon, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *parts, name = path.split(".")
    for part in parts:
        owner = getattr(owner, part)
    original = getattr(owner, name)

    def complain() -> None:
        if SWITCH.exists():
            raise RuntimeError(f"a fault in {name}")

    async def later(*words: Any, **options: Any) -> Any:
        complain()
        return await original(*words, **options)

    def now(*words: Any, **options: Any) -> Any:
        complain()
        return original(*words, **options)

    setattr(owner, name, later if inspect.iscoroutinefunction(original) else now)


for fault in os.environ["FAULTS"].split():
    put_in(fault)
sys.exit(main())
