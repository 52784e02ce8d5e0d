"""From bytes to calls, through the service models that botocore ships. Knows no socket, no file but data, no clock.

| question | module |
|---|---|
| which call is this: service, operation, protocol, account, region? | `recognise` |
| ... which services can a request be for? | `candidates`, from `evidence`: `credentials`, `hosts`, `form` |
| ... which services are there at all? | `services` (generated index; rules with reasons in `data/recognition.json`) |
| ... which operation, by path? | `rest_routes`, `s3_routes`, from `operations` |
| what did the client pass in? | `parameters` |
| what did the service answer? | `answers` |
| how does one say "no" in the caller's protocol? | `faults` |
| does it change anything? | `mutability` |
| where do the models come from? | `models` (corrections with reasons in `data/model_defects.json`) |

Recognition is on the path of every request and costs microseconds: it looks at header fields and the target, at two or
three fields of a form, and at tables that are made from one service's model when that service is first called.
Everything else loads the whole model and runs where it is needed.

The rules of this package: the model decides, code is dispatch on shape and protocol, and what a model does not say or
says wrongly is data with a reason. Malformed input gives None (`recognise`) or `MalformedMessage`; nothing else.
"""
