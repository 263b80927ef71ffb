"""Failed authentications of one process: who has had too many in a minute, also while nothing can be asked."""

from dataclasses import dataclass, field
from typing import Final

FREE_FAILURES: Final = 30
MINUTE: Final = 60.0
#: More addresses than this are not remembered; an attacker with that many is not slowed by one more.
KEPT_ADDRESSES: Final = 10_000


@dataclass(slots=True)
class Blocked:
    """Times are seconds of a clock that never goes back."""

    _until: dict[str, float] = field(default_factory=dict)
    _counts: dict[str, tuple[float, int]] = field(default_factory=dict)

    def left(self, address: str, now: float) -> float:
        """Seconds for which the address is still blocked, 0 when it is not."""
        return max(0.0, self._until.get(address, 0.0) - now)

    def block(self, address: str, seconds: float, now: float) -> None:
        """Remember that an address has had too many failures."""
        if len(self._until) >= KEPT_ADDRESSES:
            self._until = {one: until for one, until in self._until.items() if until > now}
        if len(self._until) < KEPT_ADDRESSES:
            self._until[address] = now + seconds

    def count(self, address: str, now: float) -> float:
        """Count a failure here alone; seconds for which the address is blocked now, 0 when it is not."""
        since, failures = self._counts.get(address, (now, 0))
        if now - since >= MINUTE:
            since, failures = now, 0
        if len(self._counts) >= KEPT_ADDRESSES:
            self._counts = {one: (at, n) for one, (at, n) in self._counts.items() if now - at < MINUTE}
        if address in self._counts or len(self._counts) < KEPT_ADDRESSES:
            self._counts[address] = (since, failures + 1)
        return since + MINUTE - now if failures + 1 > FREE_FAILURES else 0.0
