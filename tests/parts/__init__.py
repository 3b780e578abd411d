"""Real parts for the end-to-end tests: a Docker engine, a registry with TLS and a login, rsyslog, small images.

Each is a fixture of a whole test run (see fixtures.py) that costs nothing until a test asks for it; where one cannot run, its
tests are skipped with the reason. Everything binds to loopback or to the gateway of a bridge that the run made.
"""
