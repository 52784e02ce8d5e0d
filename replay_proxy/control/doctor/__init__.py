"""The doctor beside a running proxy: a child process knows the recording and concludes, the proxy asks its emulator for it.

In comes `POST /_replay/doctor`; out goes a diagnosis as JSON. The resources of a large recording take seconds and memory to work
out, which is not to cost the requests of clients anything: so that is done by a child process of low priority, one for each
diagnosis. It sends its questions through the proxy, which translates identifiers, and has recorded calls made again by it.

| module | subject |
|---|---|
| `endpoint` | which request is answered by what |
| `examiner_process` | the child process, as the proxy sees it: questions in, answers out, a document at the end |
| `examiner_worker` | the child process: examines, repairs round by round |
| `after_restore` | examines after each restore, and logs how many links hold |
| `before_save` | the same before a save, which warns or is refused |
| `smoke_results` | carries out smoke tests, by whatever sends requests |
| `without_proxy` | the same where no proxy runs |
| `recorded_facts` | what the examination asks of a recording |
| `messages` | what the two say to each other |
"""
