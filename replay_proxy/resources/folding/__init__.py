"""The resource model: calls and witnesses in, resources out.

In: the calls of a recording, in order. Out: the resources that they add up to. May import `linking`, `properties`, `kinds`
and `resource`.

| module | subject |
|---|---|
| `model` | the fold: what each call makes, changes and ends |
| `inventory` | the resources that are known, by every way to name them; what goes with what |
| `subjects` | which resources a call is about, without taking it in |
| `call_facts` | what a call says before anything is folded: failure, texts, drawn identifiers |
| `witnesses` | what reads show: descriptions of resources in answers |
| `witness_fold` | what they add: resources that something made by itself, with their maker |
| `stack_names` | resources of a stack that their name alone tells |
| `stack_members` | what a stack's template says of its resources: properties, links |
| `templates` | templates, in JSON and YAML |
"""
