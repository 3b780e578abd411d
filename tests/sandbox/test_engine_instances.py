"""EC2 in the sandbox: states take time, tokens count, and what AWS refuses is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from engine_world import Machines, World, code, refused

from bluegreen.sandbox.model import Boot


@pytest.fixture
def world() -> World:
    return World()


def test_states_take_their_time(world: World) -> None:
    """An instance is pending, running, shutting-down and terminated, each for its time, and gone after an hour."""
    (one,) = world.launch()
    assert world.instances() == {one: "pending"}
    assert world.instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}]) == {}
    world.later(1.0)
    assert world.instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}]) == {one: "running"}
    (change,) = world.ec2.terminate_instances(InstanceIds=[one])["TerminatingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "shutting-down")
    assert world.instances() == {one: "shutting-down"}
    world.later(1.0)
    assert world.instances() == {one: "terminated"}
    (change,) = world.ec2.terminate_instances(InstanceIds=[one])["TerminatingInstances"]
    assert change["CurrentState"]["Name"] == "terminated"
    world.later(3600.0)
    assert world.instances() == {}
    assert code(lambda: world.ec2.terminate_instances(InstanceIds=[one])) == "InvalidInstanceID.NotFound"


def test_stop_and_start(world: World) -> None:
    (one,) = world.running()
    world.ec2.stop_instances(InstanceIds=[one])
    assert world.instances() == {one: "stopping"}
    world.later(1.0)
    assert world.instances() == {one: "stopped"}
    world.ec2.start_instances(InstanceIds=[one])
    assert world.instances() == {one: "pending"}
    world.ec2.terminate_instances(InstanceIds=[one])
    assert code(lambda: world.ec2.start_instances(InstanceIds=[one])) == "IncorrectInstanceState"


def test_launches_as_many_as_max_count(world: World) -> None:
    answer = world.ec2.run_instances(**world.request() | {"MinCount": 1, "MaxCount": 3})
    assert len(answer["Instances"]) == 3
    assert code(lambda: world.launch(MinCount=3, MaxCount=2)) == "InvalidParameterValue"


def test_young_instances_cannot_be_seen() -> None:
    """Eventual consistency: for a while nobody knows the instance that RunInstances has just told of."""
    world = World(visibility_s=5.0)
    (one,) = world.running()
    assert world.instances() == {}
    assert code(lambda: world.instances(InstanceIds=[one])) == "InvalidInstanceID.NotFound"
    assert code(lambda: world.ec2.terminate_instances(InstanceIds=[one])) == "InvalidInstanceID.NotFound"
    world.later(4.0)
    assert world.instances(InstanceIds=[one]) == {one: "running"}


def test_hosts_are_told_when_a_machine_runs_and_ends() -> None:
    machines = Machines()
    world = World(hosts=machines)
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "bluegreen:stack", "Value": "shop"}]}]
    data = b"#cloud-config\n\x1f\x8b\x00\xff"
    (one,) = world.launch(UserData=data, TagSpecifications=tags)
    assert machines.booted == []
    world.later(1.0)
    world.engine.settle()
    (boot,) = machines.booted
    assert (boot.instance_id, boot.region, boot.user_data) == (one, "eu-west-1", data)
    assert boot.tags == (("bluegreen:stack", "shop"),)
    (told,) = world.ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"]
    assert (boot.address, boot.image_id) == (told["PrivateIpAddress"], told["ImageId"])
    assert (boot.zone, boot.instance_type) == (told["Placement"]["AvailabilityZone"], told["InstanceType"])
    world.ec2.terminate_instances(InstanceIds=[one])
    assert machines.ended == [one]
    world.later(1.0)
    world.engine.settle()
    assert len(machines.booted) == len(machines.ended) == 1
    assert machines.stopped == []


def test_a_stopped_machine_is_told_of_its_end_too() -> None:
    machines = Machines()
    world = World(hosts=machines)
    (one,) = world.running()
    world.ec2.stop_instances(InstanceIds=[one])
    assert (machines.stopped, machines.ended) == ([one], [])
    world.later(1.0)
    world.ec2.terminate_instances(InstanceIds=[one])
    world.later(1.0)
    world.engine.settle()
    assert (machines.stopped, machines.ended) == ([one], [one])


def test_console_output_is_the_machines() -> None:
    world = World(hosts=Machines())
    (one,) = world.running()
    assert world.ec2.get_console_output(InstanceId=one)["Output"] == f"console of {one}\n"
    assert code(lambda: world.ec2.get_console_output(InstanceId="i-00000000000000001")) == "InvalidInstanceID.NotFound"


def test_hosts_that_fail_do_not_fail_the_call() -> None:
    class Broken(Machines):
        def start(self, boot: Boot) -> None:
            raise OSError("no room")

    world = World(hosts=Broken())
    assert list(world.instances(InstanceIds=world.running()).values()) == ["running"]


def test_same_token_same_instances(world: World) -> None:
    first = world.launch(2, ClientToken="t-1")
    assert world.launch(2, ClientToken="t-1") == first
    assert len(world.instances()) == 2
    assert list(world.instances(Filters=[{"Name": "client-token", "Values": ["t-1"]}])) == first


def test_same_token_other_request(world: World) -> None:
    world.launch(ClientToken="t-1")
    other = {"ClientToken": "t-1", "InstanceType": "m6i.large"}
    assert code(lambda: world.launch(**other)) == "IdempotentParameterMismatch"
    assert code(lambda: world.launch(ClientToken="x" * 65)) == "InvalidParameterValue"


def test_tokens_count_per_zone(world: World) -> None:
    """The same token in another zone is another token, and launches again."""
    (here,) = world.launch(ClientToken="t-1")
    (there,) = world.launch(ClientToken="t-1", SubnetId=world.seed.subnets[1])
    assert here != there


def test_token_of_terminated_instances(world: World) -> None:
    ids = world.running(2, ClientToken="t-1")
    world.ec2.terminate_instances(InstanceIds=ids)
    assert world.launch(2, ClientToken="t-1") == ids
    for seconds in (1.0, 3600.0):
        world.later(seconds)
        assert code(lambda: world.launch(2, ClientToken="t-1")) == "IdempotentInstanceTerminated"


def test_dry_run_takes_no_token(world: World) -> None:
    assert code(lambda: world.launch(ClientToken="t-1", DryRun=True)) == "DryRunOperation"
    assert code(lambda: world.launch(DryRun=True, SubnetId="subnet-00000000000000000")) == "InvalidSubnetID.NotFound"
    assert world.launch(ClientToken="t-1")
    assert len(world.instances()) == 1


def test_user_data_limit_counts_before_base64(world: World) -> None:
    assert world.launch(UserData="x" * 16_384)
    assert refused(lambda: world.launch(UserData="x" * 16_385)) == (
        "InvalidParameterValue",
        "User data is limited to 16384 bytes",
    )


def test_user_data_comes_back_as_it_went(world: World) -> None:
    data = bytes(range(256))
    (one,) = world.launch(UserData=data)
    told = world.ec2.describe_instance_attribute(InstanceId=one, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(told) == data


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"ImageId": "ami-00000000000000000"}, "InvalidAMIID.NotFound"),
        ({"ImageId": "ubuntu"}, "InvalidAMIID.Malformed"),
        ({"InstanceType": "m99.large"}, "InvalidParameterValue"),
        ({"InstanceType": "m7g.large"}, "InvalidParameterValue"),  # arm64, and the image is not
        ({"InstanceType": "hpc7a.12xlarge"}, "Unsupported"),  # is on offer in another zone
        ({"SubnetId": "subnet-00000000000000000"}, "InvalidSubnetID.NotFound"),
        ({"SecurityGroupIds": ["sg-00000000000000000"]}, "InvalidGroup.NotFound"),
        ({"IamInstanceProfile": {"Name": "nobody"}}, "InvalidParameterValue"),
        ({"MetadataOptions": {"HttpPutResponseHopLimit": 65}}, "InvalidParameterValue"),
    ],
)
def test_what_does_not_exist_is_refused(world: World, wrong: dict[str, Any], expected: str) -> None:
    assert code(lambda: world.launch(**wrong)) == expected
    assert world.instances() == {}


def test_security_group_of_another_vpc(world: World) -> None:
    vpc = world.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    foreign = world.ec2.create_security_group(GroupName="x", Description="x", VpcId=vpc)["GroupId"]
    assert code(lambda: world.launch(SecurityGroupIds=[foreign])) == "InvalidParameter"


def test_full_subnet(world: World) -> None:
    small = world.ec2.create_subnet(VpcId=world.seed.vpc, CidrBlock="10.0.192.0/28", AvailabilityZone="eu-west-1a")
    subnet = small["Subnet"]["SubnetId"]
    ids = world.running(11, SubnetId=subnet)
    assert code(lambda: world.launch(SubnetId=subnet)) == "InsufficientFreeAddressesInSubnet"
    world.ec2.terminate_instances(InstanceIds=ids)
    world.later(1.0)
    assert len(world.launch(11, SubnetId=subnet)) == 11


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([("aws:x", "1")], "InvalidParameterValue"),
        ([("a", "1"), ("a", "2")], "InvalidParameterValue"),
        ([("k" * 129, "1")], "InvalidParameterValue"),
        ([("a", "v" * 257)], "InvalidParameterValue"),
        ([(f"k{n}", "1") for n in range(51)], "TagLimitExceeded"),
    ],
)
def test_tags_that_aws_refuses(world: World, tags: list[tuple[str, str]], expected: str) -> None:
    told = [{"Key": key, "Value": value} for key, value in tags]
    specification = [{"ResourceType": "instance", "Tags": told}]
    assert code(lambda: world.launch(TagSpecifications=specification)) == expected
    (one,) = world.launch()
    assert code(lambda: world.ec2.create_tags(Resources=[one], Tags=told)) == expected


def test_tags_in_the_metadata_service_need_plain_keys(world: World) -> None:
    def launch(key: str) -> list[str]:
        tags = [{"ResourceType": "instance", "Tags": [{"Key": key, "Value": "x"}]}]
        return world.launch(TagSpecifications=tags, MetadataOptions={"InstanceMetadataTags": "enabled"})

    assert launch("bluegreen:stack")
    assert code(lambda: launch("blue/green")) == "InvalidParameterValue"


def test_create_tags_on_nothing(world: World) -> None:
    wanted = {"Resources": ["i-00000000000000001"], "Tags": [{"Key": "a", "Value": "b"}]}
    assert code(lambda: world.ec2.create_tags(**wanted)) == "InvalidInstanceID.NotFound"


def test_what_was_asked_for_is_kept(world: World) -> None:
    """Profile, metadata options and encrypted disk, on all instances of the launch."""
    disk = {"VolumeSize": 20, "VolumeType": "gp3", "Throughput": 250, "Encrypted": True, "DeleteOnTermination": True}
    world.launch(
        2,
        IamInstanceProfile={"Name": world.seed.instance_profile},
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2, "InstanceMetadataTags": "enabled"},
        BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": disk}],
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}],
    )
    (reservation,) = world.ec2.describe_instances()["Reservations"]
    for instance in reservation["Instances"]:
        assert instance["IamInstanceProfile"]["Arn"].endswith(":instance-profile/demo-web")
        assert instance["MetadataOptions"]["HttpTokens"] == "required"
        assert instance["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
        assert instance["LaunchTime"].timestamp() == world.now
        (mapping,) = instance["BlockDeviceMappings"]
        (volume,) = world.ec2.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"]
        assert (volume["Encrypted"], volume["Size"], volume["Throughput"]) == (True, 20, 250)
        assert volume["Tags"] == [{"Key": "a", "Value": "b"}]


def test_one_bad_id_fails_them_all(world: World) -> None:
    (one,) = world.running()
    both = [one, "i-00000000000000001"]
    assert code(lambda: world.ec2.terminate_instances(InstanceIds=both)) == "InvalidInstanceID.NotFound"
    assert world.instances() == {one: "running"}
    assert code(lambda: world.instances(InstanceIds=["i-xyz"])) == "InvalidInstanceID.Malformed"
    assert world.instances(InstanceIds=[one, one]) == {one: "running"}


def test_termination_protection(world: World) -> None:
    (one,) = world.running(DisableApiTermination=True)
    assert code(lambda: world.ec2.terminate_instances(InstanceIds=[one])) == "OperationNotPermitted"
    assert world.instances() == {one: "running"}
