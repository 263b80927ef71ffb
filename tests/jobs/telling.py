"""A delivering process, for tests that run several of them."""

from settings import load


def deliver(environment: dict[str, str], rounds: int) -> int:
    """Deliver what is due, as often as told, under the lease; returns how many this process delivered."""
    import uuid

    from database import jobs
    from database.pool import Pool
    from jobs.deliver_notices import LEASE_SECONDS, NAME, Deliverer

    settings = load(environment)
    pool = Pool(settings.database_url or "", 1)
    holder, delivered = uuid.uuid4().hex, 0
    for _ in range(rounds):
        if jobs.take_lease(pool, NAME, holder, LEASE_SECONDS):
            delivered += Deliverer(pool, settings.notify_urls, None).deliver_due(holder)["delivered"]
            jobs.drop_lease(pool, NAME, holder)
    pool.close()
    return delivered
