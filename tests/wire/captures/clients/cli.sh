# What people do with the AWS CLI. Errors of the emulator do not matter here.
# Version 1 of the CLI reads AWS_ENDPOINT_URL for most services, and not for SQS.
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@" >/dev/null 2>&1; }

echo hello > file.txt
head -c 9000000 /dev/zero > big.bin
aws s3 mb s3://photos
aws s3 cp file.txt s3://photos/a/file.txt
aws s3 cp big.bin s3://photos/big.bin
aws s3 cp s3://photos/a/file.txt copy.txt
aws s3 cp s3://photos/a/file.txt s3://photos/b/file.txt
aws s3 sync . s3://photos/synced
aws s3 ls
aws s3 ls s3://photos/
aws s3 website s3://photos --index-document index.html
aws s3 rm s3://photos/synced --recursive
aws s3 rb s3://photos --force
aws s3api create-bucket --bucket plain
aws s3api put-bucket-cors --bucket plain --cors-configuration '{"CORSRules": []}'
aws s3api get-object --bucket plain --key a out.txt
aws s3api get-object --bucket plain --key a out.txt --no-sign-request
aws s3api list-objects-v2 --bucket plain --no-sign-request
aws sqs create-queue --queue-name orders --no-sign-request
aws sqs create-queue --queue-name orders.fifo --attributes FifoQueue=true
aws sqs list-queues
aws sns create-topic --name news
aws dynamodb create-table --table-name t --attribute-definitions AttributeName=id,AttributeType=S \
  --key-schema AttributeName=id,KeyType=HASH --billing-mode PAY_PER_REQUEST
aws dynamodb execute-statement --statement 'SELECT * FROM t'
aws sts get-caller-identity
aws sts assume-role-with-web-identity --role-arn arn:aws:iam::123456789012:role/a --role-session-name abc \
  --web-identity-token abcd
aws iam create-user --user-name me
aws lambda list-functions
aws lambda invoke --function-name f out.json
aws apigateway create-rest-api --name a
aws apigateway update-rest-api --rest-api-id abc --patch-operations op=replace,path=/name,value=b
aws apigatewayv2 get-apis
aws cloudformation create-stack --stack-name s --template-body '{"Resources": {}}'
aws cloudwatch put-metric-data --namespace n --metric-name m --value 1
aws logs put-log-events --log-group-name g --log-stream-name s --log-events timestamp=1,message=a
aws kinesis create-stream --stream-name s --shard-count 1
aws events put-rule --name r --schedule-expression 'rate(1 day)'
aws stepfunctions list-state-machines
aws secretsmanager create-secret --name a --secret-string b
aws ssm put-parameter --name /a/b --value c --type String
aws kms create-key
aws ec2 describe-instances
aws ec2 create-vpc --cidr-block 10.0.0.0/16
aws elbv2 describe-load-balancers
aws rds describe-db-clusters
aws route53 create-hosted-zone --name example.org --caller-reference 1
aws ses list-identities
aws sesv2 list-email-identities
aws ecr create-repository --repository-name r
aws ecs list-clusters
aws eks list-clusters
aws cognito-idp create-user-pool --pool-name p
aws opensearch list-domain-names
aws s3control list-access-points --account-id 123456789012
aws scheduler list-schedules
aws glue get-databases
exit 0
