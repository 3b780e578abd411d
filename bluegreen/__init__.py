"""bluegreen: blue/green deployments of immutable AWS fleets, with instant rollback."""

__version__ = "0.1.0"
