"""The clock that candidates are timed by."""

import resource
import time


def processor_seconds() -> float:
    """Return the seconds that this process's threads and its ended children have computed for.

    On one core that is the time it takes where nothing else runs; what else a machine does at the
    same time, the second candidate not least, hardly counts.
    """
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
