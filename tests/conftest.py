"""What all tests need of their own process."""

from __future__ import annotations

import signal

# A shell's background job ignores Ctrl-C, and so would the programs that it starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
