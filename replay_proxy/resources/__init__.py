"""From calls to resources: what exists, what it hangs on, which call made it, what changed it.

In: the records and control records of a recording, in order, and a function that reads a blob. Out: resources with their
identifiers, attributes, tags, data and links. Pure: no socket, no clock, no file but data. May import `replay.recorded_call`
and what is below it. Inspection, comparison of two recordings, reports, pods and the doctor stand on it.

Words:

| word | meaning |
|---|---|
| resource | something that exists in an account and region: what calls and witnesses add up to |
| kind | a type of resource of one service: which calls make and end one, which members name it |
| type | the name of a kind in CloudFormation (`AWS::SQS::Queue`); `service: Noun` where it has none there |
| key | what tells a resource: account, region, service, noun, names |
| identifier | by what clients know a resource: ARN, id, name, URL |
| attribute | a property of a resource as it is now, by the member that set it last |
| hidden | sensitive by the models or by its name: compared and looked through for links, and never shown |
| data | what lies in a resource and is none itself: objects, items, messages, records, log events |
| link | a reference from a member of one resource to another one, or to something that is missing |
| maker | the resource that made another one by itself: a stack, a network with its default security group |
| part | a resource that goes with another one: the methods of an API |
| moment | a place in the history of a recording: after a number, or a time |

| module | subject |
|---|---|
| `build` | the model of a recording, or of a moment in it |
| `folding` | what each call makes, changes and ends; what reads add |
| `linking` | what a resource refers to, and by which member |
| `properties` | identifiers, attributes, tags and data of a resource, folded from calls |
| `kinds` | kinds of resources, from the models and `data/kinds.json`; what an operation makes, ends and names |
| `member_values` | finding members in parameters and answers, whatever capitals their names have |
| `resource_types` | the types of CloudFormation (`data/types.json`), and ARNs that no answer shows |
| `resource` | the records: resource, key, link, data, a call as it is remembered |
| `comparison` | what differs between two models |
"""
