"""A Stripe of our own for tests: a process that keeps state and answers as Stripe's API does.

::

    python -m tests.fakes.stripe --port 0        # prints its address; process.start_fake_stripe() in tests

    server → idempotency → routes → customers, payments, checkout, subscriptions, …  (functions of World and parameters)
                                        └ World: tables of objects, clock, events
    control (/_control/…)  what a human, a bank or time does: pay, dispute, renew, deliver webhooks, break

Only aiohttp and the standard library: a mistake of the gateway must not be repeated here. Amounts are whole cents.
It answers for what the gateway uses and refuses every other parameter, as Stripe refuses unknown ones.
"""
