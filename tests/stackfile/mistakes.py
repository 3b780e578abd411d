"""A good stack file, and every kind of mistake in one: shared by the tests of the loader and of the commands."""

from __future__ import annotations

GOOD = """\
stack: shop
region: eu-west-1
account: "123456789012"
fleet:
  count: 4
  ami: ubuntu-24.04
  instance_types: [m7i.large, m6i.large]
  subnets: [subnet-0a11ce0000000000a, subnet-0a11ce0000000000b]
  security_groups: [sg-0a11ce00000000001]
  instance_profile: shop-web
  disk: {size_gib: 20}
traffic:
  - load_balancer: shop-alb
    listener: 443
    rule: {host: shop.example.com}
    port: 80
    health: {path: /health, interval: 5s, timeout: 3s}
    drain: 60s
registry:
  host: registry.example.com
  auth: {username: deploy, password: "ssm:/shop/registry"}
services:
  web:
    image: registry.example.com/shop/web:${VERSION}
    ports: ["80:8000"]
    depends_on: {app: {condition: service_healthy}}
    environment: {WORKERS: 8, MODE: "on"}
  app:
    image: registry.example.com/shop/app:${VERSION}
    restart: "no"
    healthcheck: {test: [CMD, curl, -f, "http://localhost/"], interval: 2s}
rollout:
  boot_timeout: 5m
  bake: 10m
"""

# (what to put in the place of what, line, a part of the message)
MISTAKES = {
    "unknown key": ("  count: 4", "  cuont: 4", 5, 'unknown key, did you mean "count"?'),
    "unknown top key": ("rollout:", "rolout:", 32, 'did you mean "rollout"?'),
    "missing key": ("region: eu-west-1\n", "", 1, "missing: the AWS region"),
    "duplicate key": ("  count: 4", "  count: 4\n  count: 5", 6, "this key is there twice, first on line 5"),
    "boolean for a string": ('MODE: "on"', "MODE: on", 27, 'quote it: "on"'),
    "no for a string": ('restart: "no"', "restart: no", 30, 'quote it: "no"'),
    "exponent for a string": ('MODE: "on"', "MODE: 1e3", 27, 'quote it: "1e3"'),
    "octal for a string": ('MODE: "on"', "MODE: 012", 27, "as a number"),
    "sexagesimal for a string": ('MODE: "on"', "MODE: 12:30", 27, "as a number"),
    "float for a string": ('MODE: "on"', "MODE: 1.10", 27, 'quote it: "1.10"'),
    "underscored number": ('MODE: "on"', "MODE: 1_000", 27, "as a number"),
    "null for a string": ('MODE: "on"', "MODE: null", 27, "no value"),
    "unquoted account": ('account: "123456789012"', "account: 123456789012", 3, "quote it"),
    "short account": ('"123456789012"', '"1234"', 3, "12 digits"),
    "count zero": ("count: 4", "count: 0", 5, "a whole number from 1 to 1000, not 0"),
    "count negative": ("count: 4", "count: -4", 5, "not -4"),
    "count a word": ("count: 4", "count: four", 5, "not four"),
    "count a float": ("count: 4", "count: 4.0", 5, "not 4.0"),
    "count hex": ("count: 4", "count: 0x4", 5, "not 0x4"),
    "count a list": ("count: 4", "count: [4]", 5, "not a list"),
    "unknown ami": ("ami: ubuntu-24.04", "ami: debian-12", 6, "expected ami-…"),
    "empty list": ("[sg-0a11ce00000000001]", "[]", 9, "at least 1, each a security group id"),
    "list wanted": ("[sg-0a11ce00000000001]", "sg-0a11ce00000000001", 9, "write it as [one, two]"),
    "subnet twice": ("subnet-0a11ce0000000000b", "subnet-0a11ce0000000000a", 8, "is there twice"),
    "unknown duration": ("drain: 60s", "drain: 5 minutes", 18, "a duration from 0s to 1h"),
    "duration without unit": ("drain: 60s", "drain: 60", 18, "such as 5s or 2m"),
    "negative duration": ("drain: 60s", "drain: -5s", 18, "not -5s"),
    "timeout over interval": ("timeout: 3s", "timeout: 9s", 17, "shorter than the interval"),
    "interval of fractions": ("interval: 5s, timeout: 3s", "interval: 5s500ms", 17, "whole seconds"),
    "port out of range": ("listener: 443", "listener: 70000", 14, "from 1 to 65535"),
    "port not published": ("    port: 80", "    port: 81", 16, "no service publishes port 81 (published: 80/tcp)"),
    "port without host": ('["80:8000"]', '["8000"]', 25, '"host:container"'),
    "port clash": ("    restart:", '    ports: ["80:81"]\n    restart:', 30, "published by web already"),
    "empty rule": ("{host: shop.example.com}", "{}", 15, "host or path"),
    "no role for the secret": (
        "  instance_profile: shop-web\n",
        "",
        5,
        "the instances need a role that may read ssm:/shop/registry",
    ),
    "literal password": ('"ssm:/shop/registry"', "hunter2", 21, "never stands in the stack file"),
    "literal secret": ('MODE: "on"', "API_KEY: abc", 27, "looks like a secret"),
    "other registry": ("web:${VERSION}", "web:1\n    image: x/y:1", 25, "there twice"),
    "foreign image": ("registry.example.com/shop/web", "docker.io/shop/web", 24, "but registry.host is"),
    "bad image": ("shop/web:${VERSION}", "shop/WEB:1", 24, "not an image reference"),
    "unknown service": ("{app: {", "{api: {", 26, "there is no service api (there are: app, web)"),
    "healthy without check": (
        '    healthcheck: {test: [CMD, curl, -f, "http://localhost/"], interval: 2s}\n',
        "",
        26,
        "app has no healthcheck",
    ),
    "cycle": ("    restart:", "    depends_on: [web]\n    restart:", 30, "services wait for each other"),
    "bad healthcheck": ("[CMD, curl", "[RUN, curl", 31, "CMD, CMD-SHELL or NONE, not RUN"),
    "unknown restart": ('restart: "no"', "restart: sometimes", 30, "expected"),
    "volumes": ("    restart:", "    volumes: [a]\n    restart:", 30, "a Compose key that bluegreen does not support"),
    "merge key": ("  count: 4", "  <<: {count: 4}", 5, "merge key"),
    "tag": ("count: 4", "count: !!python/name:os.system 4", 5, "is not allowed"),
    "tab": ("  count: 4", "\tcount: 4", 5, "a tab"),
    "second document": ("rollout:", "---\nrollout:", 33, "a second YAML document"),
    "variable unset": ("${VERSION}", "${REVISION}", 24, "REVISION is not set: give it with --set REVISION"),
    "lone dollar": ("${VERSION}", "$VERSION", 24, "a lone $"),
    "second binding": (
        "registry:\n  host",
        "  - {load_balancer: b, listener: 1, port: 80}\nregistry:\n  host",
        19,
        "not supported yet",
    ),
    "preview": ("    drain: 60s", "    preview: {header: X-Preview}", 18, "not supported yet"),
    "agent": ("path: /health", "path: agent", 17, "not supported yet"),
    "ecr": ('{username: deploy, password: "ssm:/shop/registry"}', "ecr", 21, "not supported yet"),
    "environment reference": ('MODE: "on"', "KEY: secretsmanager:shop/key", 27, "not supported yet"),
    "no role for a secret": ("  instance_profile: shop-web\n", "", 5, "the instances need a role"),
    "no authority": (
        "  host: registry.example.com",
        "  ca: no.pem\n  host: registry.example.com",
        20,
        "no.pem cannot be read",
    ),
    "x-workers": ("    restart:", "    x-workers: {match: w, count: 8}\n    restart:", 30, "not supported yet"),
    "logging": ("rollout:", "logging: {driver: syslog}\nrollout:", 32, "not supported yet"),
    "steps": ("  bake: 10m", "  steps: [10%, 100%]", 34, "not supported yet"),
    "pause": ("  bake: 10m", "  pause: 2m", 34, "not supported yet"),
    "alarms": ("  bake: 10m", "  alarms: [shop-5xx]", 34, "not supported yet"),
    "hooks": ("  bake: 10m", "  hooks: {before_switch: ./smoke.sh}", 34, "not supported yet"),
    "standby": ("rollout:", "standby: {keep: 24h}\nrollout:", 32, "not supported yet"),
    "notify": ("rollout:", "notify: {events: default}\nrollout:", 32, "not supported yet"),
    "images": ("rollout:", "images: {base: x}\nrollout:", 32, "expected a map of keys"),
    "image without from": ("rollout:", "images: {base: {inputs: [a]}}\nrollout:", 32, "missing: what it is made from"),
    "image from nowhere": ("rollout:", "images: {app: {from: deps}}\nrollout:", 32, "there is no image deps"),
    "image from latest": ("rollout:", "images: {app: {from: docker.io/debian}}\nrollout:", 32, "latest is none"),
    "images in a circle": ("rollout:", "images: {a: {from: b}, b: {from: a}}\nrollout:", 32, "a → b → a"),
    "inputs outside": ("rollout:", "images: {a: {from: scratch, inputs: [../x]}}\nrollout:", 32, "leaves the context"),
    "secret argument": ("rollout:", "images: {a: {from: scratch, args: {API_KEY: x}}}\nrollout:", 32, "use secrets"),
    "secret from nowhere": ("rollout:", "images: {a: {from: scratch, secrets: {t: {}}}}\nrollout:", 32, "either"),
    "BASE argument": ("rollout:", "images: {a: {from: scratch, args: {BASE: x}}}\nrollout:", 32, "what `from` says"),
}

FILES = {
    "empty": (b"", "the file is empty"),
    "only a comment": (b"# nothing\n", "the file is empty"),
    "a list": (b"- a\n", "expected a map"),
    "NUL": (GOOD.encode().replace(b"shop-alb", b"shop\0alb"), "NUL byte"),
    "escaped NUL": (GOOD.encode().replace(b'"on"', b'"a\\0b"'), "NUL byte"),
    "latin 1": (GOOD.encode() + b"# caf\xe9\n", "not UTF-8: byte 0xe9"),
    "too large": (b"#" * (1024 * 1024 + 1), "more than 1 MiB"),
    "broken": (b"stack: [a\n", "not YAML"),
    "bomb": (
        b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 10)) for i in range(6)),
        "more than 10000",
    ),
    "cycle": (b"a: &a [*a]\n", "contains itself"),
    "deep": (b"[" * 30 + b"]" * 30, "nested deeper"),
}
