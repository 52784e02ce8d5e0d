#!/bin/sh
# Runs once, when the container has started for the first time on a recording.
set -e
awslocal sqs create-queue --queue-name orders
awslocal s3 mb s3://uploads
