"""DynamoDB in the sandbox: conditional writes are atomic under threads, which moto's alone are not."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import ClientError
from engine_world import World

THREADS = 8
ROUNDS = 50
MINE = {"stack": {"S": "shop"}}


@pytest.fixture
def world() -> World:
    world = World()
    world.client("dynamodb").create_table(
        TableName="bluegreen",
        KeySchema=[{"AttributeName": "stack", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "stack", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return world


def winners(attempt: Callable[[int], Any]) -> list[list[int]]:
    """For each round, who won; losers must be told ConditionalCheckFailed."""
    barrier = Barrier(THREADS)

    def race(who: int) -> list[bool]:
        won = []
        for _ in range(ROUNDS):
            barrier.wait()
            try:
                attempt(who)
                won.append(True)
            except ClientError as error:
                assert error.response["Error"]["Code"] == "ConditionalCheckFailedException"
                won.append(False)
            barrier.wait()
        return won

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(race, range(THREADS)))
    return [[who for who in range(THREADS) if results[who][number]] for number in range(ROUNDS)]


def test_one_of_eight_takes_the_next_epoch(world: World) -> None:
    """Each round all eight have read the same epoch and try to raise it by one."""
    table = world.client("dynamodb")
    table.put_item(TableName="bluegreen", Item={**MINE, "epoch": {"N": "0"}})
    seen = [0] * THREADS

    def attempt(who: int) -> None:
        mine = seen[who]
        seen[who] += 1
        table.update_item(
            TableName="bluegreen",
            Key=MINE,
            UpdateExpression="SET epoch = :next, #o = :who",
            ConditionExpression="epoch = :seen",
            ExpressionAttributeNames={"#o": "owner"},
            ExpressionAttributeValues={
                ":seen": {"N": str(mine)},
                ":next": {"N": str(mine + 1)},
                ":who": {"N": str(who)},
            },
        )

    assert [len(round_) for round_ in winners(attempt)] == [1] * ROUNDS
    item = table.get_item(TableName="bluegreen", Key=MINE, ConsistentRead=True)["Item"]
    assert item["epoch"] == {"N": str(ROUNDS)}


def test_one_of_eight_writes_a_journal_line(world: World) -> None:
    table = world.client("dynamodb")
    count = [0] * THREADS

    def attempt(who: int) -> None:
        count[who] += 1
        table.put_item(
            TableName="bluegreen",
            Item={"stack": {"S": f"journal#{count[who]}"}, "who": {"N": str(who)}},
            ConditionExpression="attribute_not_exists(stack)",
        )

    assert [len(round_) for round_ in winners(attempt)] == [1] * ROUNDS


def test_the_loser_is_told_what_stands_there(world: World) -> None:
    table = world.client("dynamodb")
    table.put_item(TableName="bluegreen", Item={**MINE, "epoch": {"N": "7"}})
    with pytest.raises(ClientError) as caught:
        table.update_item(
            TableName="bluegreen",
            Key=MINE,
            UpdateExpression="SET epoch = :next",
            ConditionExpression="epoch = :seen",
            ExpressionAttributeValues={":seen": {"N": "6"}, ":next": {"N": "7"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert caught.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert caught.value.response["Item"] == {**MINE, "epoch": {"N": "7"}}
