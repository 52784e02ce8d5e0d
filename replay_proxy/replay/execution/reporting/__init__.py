"""The account of a restore: what came back, what did not, and why.

In: the outcome of each call. Out: a report that holds no secret. May import what is below `replay`.

| module | subject |
|---|---|
| `read_findings` | how reads differ, and what of it is no loss |
| `call_results` | what became of one call |
| `report` | the account of a restore |
| `report_masking` | hiding secrets in what a report says |
| `not_restored` | why a call could not be carried out again |
"""
