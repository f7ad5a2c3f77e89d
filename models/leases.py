"""How long a server may go on believing what it knows of a key, and how a change of a key outlasts all such beliefs."""

import time

LEASE_SECONDS = 0.25
# More than the lease, so that a clock that is read in coarse steps cannot make the two meet.
_OUTLAST_SECONDS = LEASE_SECONDS + 0.02


def outlast() -> None:
    """Wait until no server knows a key as it was before a change that has been committed."""
    time.sleep(_OUTLAST_SECONDS)
