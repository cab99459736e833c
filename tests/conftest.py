"""What all tests share."""

import os
import signal

# several test processes share the cores: threads that spin while they wait would keep the others' from working
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# a shell that runs the tests in its background has them ignore interrupts, and with them every process they start,
# some of which are interrupted to see how they end
signal.signal(signal.SIGINT, signal.default_int_handler)
