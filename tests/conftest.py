"""What all tests share."""

import signal

# a shell that runs the tests in its background has them ignore interrupts, and with them every process they start,
# some of which are interrupted to see how they end
signal.signal(signal.SIGINT, signal.default_int_handler)
