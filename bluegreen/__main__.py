"""python -m bluegreen."""

from bluegreen.cli.main import entry

entry()
