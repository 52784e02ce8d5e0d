"""Pods over HTTP: what commands and LocalStack's clients ask of a running proxy.

In comes a request below `/_replay/pods/` or `/_localstack/pods`; out goes JSON, a pod file, or events, a line of JSON each.

| module | subject |
|---|---|
| `endpoint` | which request is answered by what |
| `saving` | the state as the next version of a pod, or as a file |
| `loading` | a version, or the file in a body, into what is there |
| `looking` | which pods and versions there are, and what is in them |
| `remotes` | the same elsewhere: names of remotes, and requests that name one |
| `form` | the pod in a form, as LocalStack's document has it |
| `events` | answers that come while the work is done |
| `request` | what one request asks, and the store that it is about |
"""
