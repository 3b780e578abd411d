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
    "timeout equal to the interval": ("timeout: 3s", "timeout: 5s", 17, "shorter than the interval"),
    "timeout over interval": ("timeout: 3s", "timeout: 9s", 17, "shorter than the interval"),
    "interval of fractions": ("interval: 5s, timeout: 3s", "interval: 5s500ms", 17, "whole seconds"),
    "port of the instance out of range": ('["80:8000"]', '["80:8000", "65536:1"]', 25, "a number from 1 to 65535"),
    "port of the container out of range": ('["80:8000"]', '["80:65536"]', 25, "a number from 1 to 65535"),
    "port zero": ('["80:8000"]', '["80:8000", "0:1"]', 25, "a number from 1 to 65535"),
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
    **{
        f"literal {name}": ('MODE: "on"', f"{name}: abc", 27, f"{name} looks like a secret")
        for name in (
            "DB_PASSWORD",
            "PASSWD",
            "SECRET",
            "AUTH_TOKEN",
            "APIKEY",
            "PRIVATE_KEY",
            "SSH_PRIVATEKEY",
            "CREDENTIAL",
            "CREDENTIALS",
            "token",
            "TOKEN_FILE_V2",
        )
    },
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
    "agent's port": ('["80:8000"]', '["80:8000", "8717:1"]', 25, "published by bluegreen's agent"),
    "ecr elsewhere": ('{username: deploy, password: "ssm:/shop/registry"}', "ecr", 21, "not registry.example.com"),
    "ecr misspelt": ('{username: deploy, password: "ssm:/shop/registry"}', "ECR", 21, '"ECR" is not allowed'),
    "relative reference": ('MODE: "on"', "KEY: ssm:shop/key", 27, "no proper reference to a secret: write ssm:/path"),
    "reference with a space": ('MODE: "on"', 'KEY: "ssm:/shop/my key"', 27, "no proper reference"),
    "reference without a name": ('MODE: "on"', 'KEY: "secretsmanager:"', 27, "no proper reference"),
    "reference without a key": ('MODE: "on"', 'KEY: "secretsmanager:shop/key#"', 27, "no proper reference"),
    "no role for a secret": ("  instance_profile: shop-web\n", "", 5, "the instances need a role"),
    "no authority": (
        "  host: registry.example.com",
        "  ca: no.pem\n  host: registry.example.com",
        20,
        "no.pem cannot be read",
    ),
    "no workers": ("    restart:", "    x-workers: {match: w, count: 0}\n    restart:", 30, "from 1 to 1000, not 0"),
    "workers without a match": (
        "    restart:",
        "    x-workers: {count: 8}\n    restart:",
        30,
        "missing: what a worker's",
    ),
    "workers with a blank match": (
        "    restart:",
        '    x-workers: {match: " ", count: 8}\n    restart:',
        30,
        "expected a part of the command line",
    ),
    "NUL in a match": ("    restart:", '    x-workers: {match: "a\\0b", count: 8}\n    restart:', 30, "a NUL byte"),
    "NUL in the environment": ('MODE: "on"', 'MODE: "a\\0b"', 27, "a NUL byte in the value"),
    "unknown limit": ("    restart:", "    ulimits: {nofiles: 9}\n    restart:", 30, 'did you mean "nofile"?'),
    "soft above hard": (
        "    restart:",
        "    ulimits: {nofile: {soft: 9, hard: 8}}\n    restart:",
        30,
        "the soft limit 9 is above the hard one, 8",
    ),
    "soft without end": (
        "    restart:",
        "    ulimits: {nofile: {soft: -1, hard: 8}}\n    restart:",
        30,
        "the soft limit -1 is above",
    ),
    "limit without hard": ("    restart:", "    ulimits: {core: {soft: 1}}\n    restart:", 30, "missing: the hard one"),
    "unknown docker": ("  count: 4", "  docker: none\n  count: 4", 5, "(allowed: distribution, present)"),
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

# what stands under logging, the line (the first is 32), a part of the message
LOGGING_MISTAKES = {
    "unknown driver": ("driver: sylog", 33, 'did you mean "syslog"?'),
    "no driver": ("address: tcp://logs:514", 33, "missing: Docker's log driver"),
    "no address": ("driver: syslog", 33, "missing: where the log server is, tcp://host:port or udp://host:port"),
    "no port": ("driver: syslog\n  address: tcp://logs", 34, "expected tcp://host:port or udp://host:port or tcp+tls"),
    "high port": ("driver: syslog\n  address: tcp://logs:65536", 34, 'not "tcp://logs:65536"'),
    "no scheme": ("driver: fluentd\n  address: logs:24224", 34, 'expected tcp://host:port, not "logs:24224"'),
    "other scheme": ("driver: gelf\n  address: http://logs:80", 34, "expected udp://host:port or tcp://host:port"),
    "path": ("driver: syslog\n  address: tcp://logs:514/x", 34, "expected tcp://host:port"),
    "shell": ("driver: syslog\n  address: tcp://$$(id):514", 34, "expected tcp://host:port"),
    "address of none": ("driver: journald\n  address: tcp://logs:514", 34, "journald has no address: leave it out"),
    "unknown option": ("driver: json-file\n  options: {max-siez: 1m}", 34, 'did you mean "max-size"?'),
    "another's option": ("driver: local\n  options: {labels: a}", 34, "local has no such option"),
    "our tag": ("driver: journald\n  options: {tag: x}", 34, "the instance writes it: stack, colour"),
    "address as option": (
        "driver: syslog\n  address: tcp://logs:514\n  options: {syslog-address: tcp://other:1}",
        35,
        "write it as logging.address",
    ),
    "bad size": ("driver: json-file\n  options: {max-size: 10MB}", 34, "expected a size such as 10m"),
    "endless size": ('driver: json-file\n  options: {max-size: "-1"}', 34, "expected a size such as 10m"),
    "no files": ("driver: json-file\n  options: {max-file: 0}", 34, "expected a whole number from 1"),
    "bare flag": ("driver: json-file\n  options: {compress: true}", 34, 'quote it: "true"'),
    "other flag": ('driver: json-file\n  options: {compress: "1"}', 34, '"1" is not allowed'),
    "other mode": ("driver: journald\n  options: {mode: nonblocking}", 34, 'did you mean "non-blocking"?'),
    "buffer of none": (
        "driver: journald\n  options: {mode: blocking, max-buffer-size: 1m}",
        34,
        "a buffer is for mode non-blocking",
    ),
    "compressed tcp": (
        "driver: gelf\n  address: tcp://logs:1\n  options: {gelf-compression-type: gzip}",
        35,
        "over udp only",
    ),
    "tcp option of udp": (
        "driver: gelf\n  address: udp://logs:1\n  options: {gelf-tcp-max-reconnect: 3}",
        35,
        "this is for an address of tcp://",
    ),
    "no group": ("driver: awslogs", 33, "missing: awslogs needs awslogs-group"),
    "two patterns": (
        'driver: awslogs\n  options: {awslogs-group: g, awslogs-multiline-pattern: "^a", awslogs-datetime-format: "%Y"}',
        34,
        "Docker takes this or awslogs-datetime-format",
    ),
    "our stream": ("driver: awslogs\n  options: {awslogs-group: g, awslogs-stream: x}", 34, "the instance writes it"),
    "authority of tcp": (
        "driver: syslog\n  address: tcp://logs:514\n  ca: logs-ca.pem",
        35,
        "an authority is for syslog with an address of tcp+tls://",
    ),
    "no authority": ("driver: syslog\n  address: tcp+tls://logs:6514\n  ca: no.pem", 35, "no.pem cannot be read"),
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
