"""What of the live traffic goes into the journal, and what is said of that which does not.

In come exchanges that the policy has judged; out go records (`journal.write`), marks of gaps, and warnings.

    recorder          writes changes and witnesses; asks first whether they could be written; spools large bodies
    unrecordable      what becomes of a call that cannot be written: refused, or let through with a warning
    effect_notes      tells the observer of calls after which the emulator may do something by itself
    omissions         kinds of requests that may have changed something and are in no recording, with their counts
    witness_watcher   looks at reads, beside the requests, and records those that are witnesses
    run_watcher       looks at runs that clients have started, and records what they were

May import `journal`, `wire`, `replay.witness_detector`, `replay.runs` and `proxy.http.streams`. Knows no engine.
"""
