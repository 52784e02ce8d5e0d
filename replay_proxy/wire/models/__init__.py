"""The service models that botocore ships, and what is worked out from them for all services at once.

In: botocore's data files. Out: models of services and operations, the index of services, host names. Imports no other
package of `wire`.

- `models`: load a model, corrected by `data/model_defects.json`; the shape of an operation in a protocol.
- `service_index`: all services by signing name, host, target prefix, API version (`data/services.json`, generated;
  `data/recognition.json`, rules with reasons).
- `service_names`: services as people name them.
- `service_index_build`: generates that index; used by `scripts/build-service-index` only.
- `operations`: the names of a service's operations, and its REST routes.
- `pagination`: how the answers of an operation are continued, by the data of botocore's paginators.
- `endpoint_hosts`: the service, region and bucket that a host name says.
- `aws_domains`: which host names are AWS's.
- `cli_names`: what the AWS CLI calls services, operations and members.
- `control_paths`: paths that emulators take for themselves, and objects of S3 with such names.
"""
