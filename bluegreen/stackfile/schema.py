"""The stack file's keys, declared once: the loader, the JSON Schema and the reference page are all made from FILE."""

from __future__ import annotations

from bluegreen.stackfile.image_keys import IMAGE, IMAGE_NAME
from bluegreen.stackfile.kinds import Duration, Either, Flag, Items, Number, Text
from bluegreen.stackfile.log_keys import LOGGING
from bluegreen.stackfile.maps import Key, Keys, Table

PORT = Number(1, 65535)
HOST = Text("a host name, with a port if it needs one", r"[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?(:[0-9]{1,5})?")
SECRET = Text("a reference such as ssm:/shop/registry or secretsmanager:shop/registry#password", r"[\s\S]+")
WORDS = Either("a list of words, or one line", Text("words"), Items(Text("a word", numbers=True)))
LIMIT = Number(-1, 999_999_999)
ULIMITS = (  # moby's go-units knows these
    *("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio"),
    *("rttime", "sigpending", "stack"),
)
NAME = Text("letters, digits, _ . - (2 to 63)", r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,62}")

FLEET = Keys(
    {
        "count": Key(Number(1, 1000), "instances, spread evenly over the subnets' zones", True, example="4"),
        "ami": Key(
            Text(
                "ami-…, ubuntu-22.04, ubuntu-24.04 or ssm:/path",
                r"ami-[0-9a-f]{8,17}|ubuntu-2[24]\.04|ssm:/[a-zA-Z0-9_./-]+",
            ),
            "the image of the bare machine",
            True,
            example="ubuntu-24.04",
        ),
        "instance_types": Key(
            Items(Text("an instance type such as m7i.large", r"[a-z][a-z0-9-]*\.[a-z0-9-]+"), unique=True),
            "in order of preference; the next one when AWS has no capacity",
            True,
            example="[m7i.large, m6i.large]",
        ),
        "subnets": Key(Items(Text("a subnet id", r"subnet-[0-9a-f]{8,17}"), unique=True), "where instances go", True),
        "security_groups": Key(
            Items(Text("a security group id", r"sg-[0-9a-f]{8,17}"), unique=True), "of instances", True
        ),
        "instance_profile": Key(Text("an instance profile's name", r"[\w+=,.@-]{1,128}"), "the role of the instances"),
        "disk": Key(
            Keys(
                {
                    "size_gib": Key(Number(8, 16384, "GiB"), "size of the root volume (default 20)"),
                    "throughput_mibps": Key(Number(125, 2000, "MiB/s"), "its throughput (default: gp3's 125)"),
                }
            ),
            "the encrypted root volume, gp3",
        ),
        "docker": Key(
            Text("distribution or present", choices=("distribution", "present")),
            "where Docker comes from: installed at boot unless it is there, or part of the image (default distribution)",
        ),
    }
)

TRAFFIC = Keys(
    {
        "load_balancer": Key(
            Text("a load balancer's name", r"[a-zA-Z0-9-]{1,32}"), "by name", True, example="shop-alb"
        ),
        "listener": Key(PORT, "the listener's port", True, example="443"),
        "rule": Key(
            Keys(
                {
                    "host": Key(
                        Text("a host name; * and ? match", r"[a-zA-Z0-9.*?-]{1,128}"), "the rule's host condition"
                    ),
                    "path": Key(Text("a path; * and ? match", r"/[\x21-\x7e]{0,127}"), "the rule's path condition"),
                }
            ),
            "the rule with exactly these conditions; left out: the listener's default action",
        ),
        "port": Key(PORT, "on the instance", True, example="80"),
        "health": Key(
            Keys(
                {
                    "path": Key(
                        Text("a path such as /health, or agent", r"/[\x21-\x7e]{0,1023}|agent"),
                        "what is asked on the traffic's port (default /); agent: the instance's own word, on port 8717",
                    ),
                    "interval": Key(Duration(5, 300), "between checks (default 5s)"),
                    "timeout": Key(Duration(2, 120), "of a check, less than the interval (default 4s)"),
                    "healthy": Key(Number(2, 10), "good checks in a row until healthy again (default 2)"),
                    "unhealthy": Key(Number(2, 10), "bad checks in a row until unhealthy (default 2)"),
                    "matcher": Key(
                        Text("HTTP codes such as 200-299", r"[2-4]\d\d([-,][2-4]\d\d)*", numbers=True),
                        "good codes (default 200)",
                    ),
                }
            ),
            "the load balancer's health check",
        ),
        "drain": Key(Duration(0, 3600), "how long open requests get when a fleet is retired (default 1m)"),
        "preview": Key(
            Keys({"header": Key(Text("a header's name", r"[A-Za-z0-9-]{1,40}"), "its name", True)}),
            "private way to the new fleet before the switch",
            not_yet="leave it out; the new fleet gets no request before the switch",
        ),
    }
)

REGISTRY = Keys(
    {
        "host": Key(HOST, "as it stands in the image names", True, example="registry.example.com"),
        "auth": Key(
            Either(
                "username and password, or ecr",
                Text(choices=("ecr",)),
                mapping=Keys(
                    {
                        "username": Key(Text("a user name", r"[\x20-\x7e]{1,255}"), "who logs in", True),
                        "password": Key(SECRET, "a reference; the instance fetches the secret itself", True),
                    }
                ),
            ),
            "how instances log in; ecr: by their role; left out: without a login",
        ),
        "ca": Key(
            Text("a file beside the stack file", r"[\x20-\x7e]{1,255}"),
            "the certificate authority of a private registry, PEM: instances trust it for this host, and so does this machine",
            example="registry-ca.pem",
        ),
    }
)

HEALTHCHECK = Keys(
    {
        "test": Key(WORDS, "[CMD, …], [CMD-SHELL, line], [NONE], or one shell line", True),
        "interval": Key(Duration(0.1, 3600), "between checks (default 30s)"),
        "timeout": Key(Duration(0.1, 3600), "of a check (default 30s)"),
        "retries": Key(Number(1, 100), "failures in a row until unhealthy (default 3)"),
        "start_period": Key(Duration(0, 3600), "at the start, in which failures do not count (default 0s)"),
    }
)

NOT_OURS = "a Compose key that bluegreen does not support"
COMPOSE = {
    "build": f"{NOT_OURS}: images are built before a deploy and come from the registry",
    "volumes": f"{NOT_OURS}: instances are immutable, and nothing on them outlives the fleet",
    "networks": f"{NOT_OURS}: all services share one network and reach each other by name",
    "links": f"{NOT_OURS}: services reach each other by name",
    "deploy": f"{NOT_OURS}: fleet.count says how many instances there are",
    "env_file": f"{NOT_OURS}: write the variables under environment",
    "secrets": f"{NOT_OURS}: use references such as ssm:/path",
    "logging": f"{NOT_OURS}: logging beside services says it for all of them",
    **dict.fromkeys(("privileged", "cap_add", "devices", "network_mode", "container_name", "extends"), NOT_OURS),
    **dict.fromkeys(("labels", "expose", "hostname", "tmpfs", "scale", "platform", "pull_policy"), NOT_OURS),
}

SERVICE = Keys(
    {
        "image": Key(
            Text("host/repository:tag, or a name under images", r"\S{1,512}"),
            "with its host and tag, which is pinned to a digest; or an image of the chain by its name",
            True,
        ),
        "command": Key(WORDS, "instead of the image's command"),
        "entrypoint": Key(WORDS, "instead of the image's entry point"),
        "environment": Key(
            Either(
                "a map, or a list of KEY=VALUE",
                items=Items(Text("KEY=VALUE", r"[A-Za-z_][A-Za-z0-9_]*=[\s\S]*"), 0),
                mapping=Table(
                    Text("a variable's name", r"[A-Za-z_][A-Za-z0-9_]*"), Text(numbers=True), "a map of variables"
                ),
            ),
            "variables of the container; a value such as ssm:/path or secretsmanager:NAME#KEY is fetched on the instance",
        ),
        "ports": Key(
            Items(Text('"host:container", quoted', r"\d{1,5}:\d{1,5}(/(tcp|udp))?"), unique=True),
            "published ports",
            example='["80:8000"]',
        ),
        "depends_on": Key(
            Either(
                "a list of services, or a map with conditions",
                items=Items(NAME, unique=True),
                mapping=Table(
                    NAME,
                    Keys(
                        {
                            "condition": Key(
                                Text(choices=("service_started", "service_healthy")), "what is waited for", True
                            )
                        }
                    ),
                    "a map of services",
                ),
            ),
            "services that start first",
        ),
        "healthcheck": Key(HEALTHCHECK, "the container's own check"),
        "restart": Key(
            Text(
                '"no", always, unless-stopped, on-failure or on-failure:3',
                r"no|always|unless-stopped|on-failure(:[1-9]\d?)?",
            ),
            "when a container is started again (default unless-stopped)",
        ),
        "user": Key(
            Text("a user, or uid:gid quoted", r"[\w.-]{1,64}(:[\w.-]{1,64})?", numbers=True), "who runs the process"
        ),
        "working_dir": Key(Text("an absolute path", r"/[\x20-\x7e]{0,255}"), "where it runs"),
        "init": Key(Flag(), "a small init as process 1 (default false)"),
        "read_only": Key(Flag(), "a root file system that cannot be written (default false)"),
        "stop_grace_period": Key(Duration(0, 3600), "between SIGTERM and SIGKILL (default 10s)"),
        "ulimits": Key(
            Table(
                Text("a limit's name", choices=ULIMITS),
                Either(
                    "a number, or a map with soft and hard",
                    LIMIT,
                    mapping=Keys(
                        {"soft": Key(LIMIT, "the soft limit", True), "hard": Key(LIMIT, "the hard one", True)}
                    ),
                ),
                "a map of limits",
            ),
            "limits of the container's processes; -1 is none",
            example="{nofile: 65535}",
        ),
        "x-workers": Key(
            Keys(
                {
                    "match": Key(
                        Text("a part of the command line", r"(?=.*\S).{1,256}"),
                        "what a worker's command line holds",
                        True,
                    ),
                    "count": Key(Number(1, 1000), "how many there must be", True),
                }
            ),
            "processes of the container that the host counts; the agent's health and status tell of them",
            example='{match: "gunicorn: worker", count: 8}',
        ),
    },
    foreign=COMPOSE,
)

ROLLOUT = Keys(
    {
        "boot_timeout": Key(Duration(10, 3600), "from launch to healthy (default 5m)"),
        "bake": Key(Duration(0, 86400), "how long the new fleet is watched after the switch (default 0s)"),
        "rollback": Key(
            Text("safe or unsafe", choices=("safe", "unsafe")),
            "unsafe: what ran before may not work with what this release leaves behind, such as a database's new schema; "
            "nothing goes back by itself, and bluegreen rollback wants --unsafe-to (default safe)",
        ),
        "steps": Key(
            Items(Text("a percentage such as 10%", r"(100|[1-9]\d?)%")), "the weights, in steps (default [100%])"
        ),
        "pause": Key(Duration(0, 86400), "between steps", not_yet="there is one step, 100%"),
        "alarms": Key(
            Items(Text("an alarm's name")), "CloudWatch alarms", not_yet="the bake watches the targets' health"
        ),
        "hooks": Key(
            Table(Text("a hook's name"), Text("a program"), "a map of hooks"),
            "programs that run where the controller runs",
            not_yet="run them in the job around bluegreen deploy",
        ),
    }
)

FILE = Keys(
    {
        "stack": Key(
            Text("a name: a-z, 0-9 and - (up to 32)", r"[a-z]([a-z0-9]|-(?=[a-z0-9])){0,31}"), "its name", True
        ),
        "region": Key(Text("an AWS region", r"[a-z]{2}(-[a-z]+)+-\d"), "the AWS region", True, example="eu-west-1"),
        "account": Key(Text('12 digits, quoted: "123456789012"', r"\d{12}"), "any other account is refused", True),
        "fleet": Key(FLEET, "the instances", True),
        "traffic": Key(Items(TRAFFIC), "where traffic enters: one binding for now", True),
        "registry": Key(REGISTRY, "where images come from", True),
        "services": Key(
            Table(NAME, SERVICE, "a map of services"), "containers on each instance, with Compose's keys", True
        ),
        "rollout": Key(ROLLOUT, "how it is rolled out"),
        "logging": Key(
            LOGGING,
            "where the containers' logs go; left out: they stay on the instance, in bounded files of the engine's",
        ),
        "standby": Key(
            Keys({"keep": Key(Duration(0, 86400 * 30), "how long", True)}),
            "how long the standby is kept",
            not_yet="it is kept until the deployment after the next",
        ),
        "notify": Key(
            Keys({"events": Key(Text(), "an EventBridge bus"), "webhook": Key(Text(), "a webhook")}),
            "who is told",
            not_yet="use the exit code and --output json in your job",
        ),
        "images": Key(
            Table(IMAGE_NAME, IMAGE, "a map of images"), "the image chain, for bluegreen build: docs/images.md"
        ),
    }
)
