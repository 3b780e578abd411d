"""What all tests need of their own process."""

from __future__ import annotations

import signal

pytest_plugins = ["tests.parts.fixtures"]

# A shell's background job ignores Ctrl-C, and nohup a hangup; so would the programs that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda number, frame: None)  # not ours to die of, but the programs start afresh
