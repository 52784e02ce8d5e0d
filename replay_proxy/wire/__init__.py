"""From bytes to calls, through the service models that botocore ships. Knows no socket, no file but data, no clock.

| question | package, module |
|---|---|
| which call is this: service, operation, protocol, account, region? | `recognition.recognise` |
| ... which services can a request be for? | `recognition.candidates`, from `recognition.evidence` |
| ... which operation, by path? | `recognition.rest_routes`, `recognition.s3_routes` |
| ... which service, by a query's action alone? | `recognition.query_actions` |
| ... in which protocol is a request that is not recognised? | `recognition.likely_call` |
| does a call change anything, and what kind of state? | `mutability.judge` |
| what in a call is secret? | `sensitive` |
| who signed a request, and how is it stored and sent without the signature? | `signing` |
| what did the client pass in? | `codecs.parameters` |
| what did the service answer? | `codecs.answers` |
| how does one refuse in the caller's protocol? | `codecs.error_responses` |
| which services and operations are there, where do they listen? | `models` |

Imports: `recognition`, `mutability` and `sensitive` may import `signing`, that `codecs`, that `models`; never the other way
round, and never each other. Outside of this package: `exchange`, `errors`, `wording`.

Words, as botocore and Smithy use them: *operation*, *shape*, *member*, *signing name*, *endpoint*, *protocol*. A *call
head* is what is known of a request without its parameters; an *outcome* is a parsed answer; an *effect* is what a call
does to the state; a *kind* of state is infrastructure or data.

Recognition is on the path of every request and costs microseconds: it looks at header fields and the target, at two or
three fields of a form, and at tables that are made from one service's model when that service is first called.
Everything else loads the whole model and runs where it is needed.

The rules of this package: the model decides, code is dispatch on shape and protocol, and what a model does not say or
says wrongly is data with a reason. Malformed input gives None (`recognise`) or `MalformedMessage`; nothing else.
"""
