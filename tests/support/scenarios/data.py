"""Tables, databases, queries."""

from __future__ import annotations

from tests.support.scenarios.world import World, step


@step("dynamodb", makes="table")
def create_table(w: World) -> None:
    name = w.name if len(w.name) > 2 else f"{w.name}-t"
    made = w("dynamodb", "CreateTable", TableName=name, BillingMode="PAY_PER_REQUEST",
             KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
             AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
             StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})  # fmt: skip
    w.keep("table", (name, made["TableDescription"]["TableArn"]))


@step("dynamodb")
def put_item(w: World) -> None:
    w("dynamodb", "PutItem", TableName=w.pick("table")[0], Item={"k": {"S": w.name}, "v": {"S": w.other}})


@step("dynamodb")
def update_item(w: World) -> None:
    w("dynamodb", "UpdateItem", TableName=w.pick("table")[0], Key={"k": {"S": w.name}}, UpdateExpression="ADD n :n",
      ExpressionAttributeValues={":n": {"N": "1"}})  # fmt: skip


@step("dynamodb")
def change_table(w: World) -> None:
    name, arn = w.pick("table")
    w("dynamodb", "TagResource", ResourceArn=arn, Tags=[{"Key": w.name, "Value": w.other}])
    w("dynamodb", "UpdateTimeToLive", TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})


@step("dynamodb")
def back_up(w: World) -> None:
    w("dynamodb", "CreateBackup", TableName=w.pick("table")[0], BackupName=f"{w.name}bak")


@step("dynamodb", ends=True)
def delete_item(w: World) -> None:
    w("dynamodb", "DeleteItem", TableName=w.pick("table")[0], Key={"k": {"S": w.name}})


@step("dynamodb", ends=True)
def delete_table(w: World) -> None:
    table = w.pick("table")
    w("dynamodb", "DeleteTable", TableName=table[0])
    w.gone("table", table)


@step("rds", makes="db")
def create_db(w: World) -> None:
    w(
        "rds",
        "CreateDBParameterGroup",
        DBParameterGroupName=w.name,
        DBParameterGroupFamily="mysql8.0",
        Description=w.other,
    )
    w("rds", "CreateDBInstance", DBInstanceIdentifier=w.name, DBInstanceClass="db.t3.micro", Engine="mysql",
      MasterUsername="u", MasterUserPassword="p" * 12, AllocatedStorage=20)  # fmt: skip
    w.keep("db", w.name)


@step("rds")
def snapshot_db(w: World) -> None:
    w("rds", "CreateDBSnapshot", DBInstanceIdentifier=w.pick("db"), DBSnapshotIdentifier=f"{w.other}s")
    w("rds", "ModifyDBInstance", DBInstanceIdentifier=w.pick("db"), BackupRetentionPeriod=1 + w.number)


@step("rds")
def subnet_group(w: World) -> None:
    w(
        "rds",
        "CreateDBSubnetGroup",
        DBSubnetGroupName=w.name,
        DBSubnetGroupDescription="d",
        SubnetIds=[w.pick("subnet")],
    )


@step("rds", ends=True)
def delete_db(w: World) -> None:
    db = w.pick("db")
    w("rds", "DeleteDBInstance", DBInstanceIdentifier=db, SkipFinalSnapshot=True)
    w.gone("db", db)


@step("redshift")
def create_redshift(w: World) -> None:
    w("redshift", "CreateCluster", ClusterIdentifier=w.name, NodeType="ra3.large", MasterUsername="u",
      MasterUserPassword="Pp1" * 4, ClusterType="single-node")  # fmt: skip
    w("redshift", "CreateClusterSnapshot", SnapshotIdentifier=f"{w.other}s", ClusterIdentifier=w.name)


@step("elasticache")
def create_cache(w: World) -> None:
    w(
        "elasticache",
        "CreateCacheCluster",
        CacheClusterId=w.name,
        Engine="redis",
        CacheNodeType="cache.t3.micro",
        NumCacheNodes=1,
    )
    w("elasticache", "CreateCacheSubnetGroup", CacheSubnetGroupName=w.other, CacheSubnetGroupDescription="d",
      SubnetIds=[w.pick("subnet")])  # fmt: skip


@step("opensearch")
def create_domain(w: World) -> None:
    w("opensearch", "CreateDomain", DomainName=w.name, EngineVersion="OpenSearch_2.11")
    w("opensearch", "UpdateDomainConfig", DomainName=w.name, ClusterConfig={"InstanceType": "t3.small.search"})


@step("glue", makes="database")
def create_database(w: World) -> None:
    w("glue", "CreateDatabase", DatabaseInput={"Name": w.name, "Description": w.other})
    w.keep("database", w.name)


@step("glue", makes="glue_table")
def create_glue_table(w: World) -> None:
    columns = {"Columns": [{"Name": "c", "Type": "string"}], "Location": "s3://b/p"}
    database = w.pick("database")
    w("glue", "CreateTable", DatabaseName=database,
      TableInput={"Name": w.name, "StorageDescriptor": columns, "PartitionKeys": [{"Name": "d", "Type": "string"}]})  # fmt: skip
    w.keep("glue_table", (database, w.name))


@step("glue")
def partition(w: World) -> None:
    database, table = w.pick("glue_table")
    w("glue", "CreatePartition", DatabaseName=database, TableName=table, PartitionInput={"Values": [w.other]})
    w("glue", "UpdateTable", DatabaseName=database, TableInput={"Name": table, "Description": f"{w.number}"})


@step("glue")
def create_job(w: World) -> None:
    w("glue", "CreateCrawler", Name=w.name, Role=w.pick("role")[0], DatabaseName=w.pick("database"),
      Targets={"S3Targets": [{"Path": "s3://b/p"}]})  # fmt: skip
    w(
        "glue",
        "CreateJob",
        Name=w.name,
        Role=w.pick("role")[1],
        Command={"Name": "glueetl", "ScriptLocation": "s3://b/s"},
    )


@step("glue", ends=True)
def delete_glue_table(w: World) -> None:
    database, table = w.pick("glue_table")
    w("glue", "DeleteTable", DatabaseName=database, Name=table)
    w.gone("glue_table", (database, table))


@step("athena", makes="workgroup")
def create_workgroup(w: World) -> None:
    w("athena", "CreateWorkGroup", Name=w.name, Description=w.other, Tags=[{"Key": "k", "Value": w.other}])
    w.keep("workgroup", w.name)


@step("athena")
def named_query(w: World) -> None:
    w(
        "athena",
        "CreateNamedQuery",
        Name=w.name,
        Database=w.other,
        QueryString="SELECT 1",
        WorkGroup=w.pick("workgroup"),
    )
    w("athena", "CreateDataCatalog", Name=f"{w.name}c", Type="LAMBDA", Parameters={"function": "f"})


@step("athena")
def start_query(w: World) -> None:
    w("athena", "StartQueryExecution", QueryString=f"SELECT {w.number}", WorkGroup=w.pick("workgroup"),
      ResultConfiguration={"OutputLocation": "s3://b/p"})  # fmt: skip


@step("athena", ends=True)
def delete_workgroup(w: World) -> None:
    group = w.pick("workgroup")
    w("athena", "DeleteWorkGroup", WorkGroup=group)
    w.gone("workgroup", group)


@step("dax")
def create_dax(w: World) -> None:
    w(
        "dax",
        "CreateCluster",
        ClusterName=w.name,
        NodeType="dax.t3.small",
        ReplicationFactor=1,
        IamRoleArn=w.pick("role")[1],
    )


@step("timestream-write")
def create_timestream(w: World) -> None:
    w("timestream-write", "CreateDatabase", DatabaseName=w.name)
    w("timestream-write", "CreateTable", DatabaseName=w.name, TableName=w.other)


@step("datasync")
def create_location(w: World) -> None:
    places = [
        w("datasync", "CreateLocationS3", S3BucketArn=f"arn:aws:s3:::{each}", S3Config={"BucketAccessRoleArn": w.pick("role")[1]})
        ["LocationArn"] for each in ("from", "to")
    ]  # fmt: skip
    w("datasync", "CreateTask", SourceLocationArn=places[0], DestinationLocationArn=places[1], Name=w.name)
