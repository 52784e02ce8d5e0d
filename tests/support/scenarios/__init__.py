"""One scenario for each of many services: steps that create, refer, change and delete, under any names.

In order they are the scenario of `docs/coverage.md`; drawn at random, with names that nobody would choose, they are the
histories of `tests/e2e/test_random_state.py`.

| module | subject |
|---|---|
| `world` | what steps work on: clients, names, and what was made; the register of the steps |
| `messaging`, `storage`, `identity`, `network`, `compute`, `apis`, `data`, `operations`, `delivery` | the steps of services |
| `further` | steps of random histories alone |
| `names` | names that nobody would choose |
"""

from tests.support.scenarios import (
    apis,
    compute,
    data,
    delivery,
    further,
    identity,
    messaging,
    network,
    operations,
    storage,
)

__all__ = [
    "apis",
    "compute",
    "data",
    "delivery",
    "further",
    "identity",
    "messaging",
    "network",
    "operations",
    "storage",
]
