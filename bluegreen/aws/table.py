"""The DynamoDB table of the ledger: made at the first deployment of a region, protected against deletion, with point-in-time
recovery."""

from __future__ import annotations

from bluegreen.aws.client import Aws
from bluegreen.errors import CloudError, NotFound, NotYet

TABLE = "bluegreen"
KEYS = (("stack", "HASH"), ("item", "RANGE"))
IN_USE = "ResourceInUseException"


class Table:
    def __init__(self, aws: Aws, name: str = TABLE) -> None:
        self.aws = aws
        self.name = name

    def exists(self) -> bool:
        try:
            status = self.aws.read("dynamodb", "describe_table", TableName=self.name)["Table"]["TableStatus"]
        except NotFound:
            return False
        return bool(status == "ACTIVE")

    def make(self) -> None:
        """On-demand billing; asked again it changes nothing. The caller waits until it `exists`."""
        try:
            self.aws.write(
                "dynamodb",
                "create_table",
                TableName=self.name,
                BillingMode="PAY_PER_REQUEST",
                DeletionProtectionEnabled=True,
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in KEYS],
                KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in KEYS],
            )
        except CloudError as error:
            if error.code != IN_USE:
                raise

    def keep_backups(self) -> None:
        """Point-in-time recovery. A new table may not be ready for it yet: then it raises NotYet."""
        wanted = {"PointInTimeRecoveryEnabled": True}
        try:
            self.aws.write(
                "dynamodb", "update_continuous_backups", TableName=self.name, PointInTimeRecoverySpecification=wanted
            )
        except CloudError as error:
            if error.code == "ContinuousBackupsUnavailableException":
                raise NotYet(error.what, action=error.action, code=error.code) from error
            raise

    def refuse_foreign(self) -> None:
        """Raises CloudError when the table of this name is not a ledger: its key is another one."""
        try:
            keys = self.aws.read("dynamodb", "describe_table", TableName=self.name)["Table"]["KeySchema"]
        except NotFound:
            return
        found = tuple((key["AttributeName"], key["KeyType"]) for key in keys)
        if sorted(found) == sorted(KEYS):
            return
        raise CloudError(
            f"the DynamoDB table {self.name} in {self.aws.region} is not a ledger of bluegreen",
            action="dynamodb:DescribeTable",
            code="KeySchema",
            why=f"Its key is {' + '.join(name for name, _ in found)}; the ledger's is stack + item.",
            next="set BLUEGREEN_TABLE to another name, or check --region and --profile",
        )
