"""boto 2, the AWS SDK of 2006 to 2018, in Python 2: it knows a proxy and a file of certificates, and no endpoint.

python2 boto2_client.py fill|read PROXY_PORT CERTIFICATE        prints what it sees, as JSON
"""

import json
import os
import sys

import boto
import boto.ec2
import boto.s3
import boto.sqs
from boto.sqs.message import Message

os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
what, port, certificate = sys.argv[1:]
if not boto.config.has_section("Boto"):
    boto.config.add_section("Boto")
for name, value in (("proxy", "127.0.0.1"), ("proxy_port", port), ("ca_certificates_file", certificate)):
    boto.config.set("Boto", name, value)

REGION = "eu-west-1"
queues = boto.sqs.connect_to_region(REGION)
buckets = boto.s3.connect_to_region(REGION)
machines = boto.ec2.connect_to_region(REGION)

if what == "fill":
    queue = queues.create_queue("old")
    message = Message()
    message.set_body("from another time")
    queue.write(message)
    bucket = buckets.create_bucket("old-bucket", location=REGION)
    bucket.new_key("a/b c").set_contents_from_string("data")
    machines.create_security_group("old", "made by boto 2")

queue = queues.get_queue("old")
groups = [group for group in machines.get_all_security_groups() if group.name == "old"]
seen = {
    "url": queue.url,
    "messages": queue.count(),
    "object": buckets.get_bucket("old-bucket").get_key("a/b c").get_contents_as_string(),
    "group": groups[0].id,
}
print(json.dumps(seen))
