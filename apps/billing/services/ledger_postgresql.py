"""The ledger on PostgreSQL: a whole batch is one statement. Placed next to ``ledger_portable``, which does the same.

Both statements lock the balances of the batch in order of id before they touch a hold, so that two batches never wait
for each other in a circle, and derive every change from the rows that they really inserted or deleted, so that a
repetition changes nothing. A balance is set from the locked row, all of it: the statement's own snapshot may be older, and
PostgreSQL checks constraints on what an UPDATE makes of the old row before it looks for the new one. Rows of large tables are asked for as ``= ANY(ARRAY(…))``, which is a look-up in the index
whatever the planner believes about the size of a batch; a join is a scan of the whole table in some plans.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_OWN_COLUMNS = frozenset({"request_id", "organization_id", "cost", "price_id"})

PLACE_HOLDS = """
WITH asked AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
        jsonb_to_recordset(%(batch)s::jsonb)
        AS (request_id text, organization_id bigint, amount bigint, api_key_id bigint, model text)
    ) WITH ORDINALITY AS r(request_id, organization_id, amount, api_key_id, model, n)
), relaxed AS (
    -- A database crash can only lose a hold, and settling does not depend on finding it: do not wait for the disk.
    SELECT set_config('synchronous_commit', 'off', true)
), locked AS MATERIALIZED (
    SELECT *, allowance + promo + purchased - held AS available
    FROM billing_balance WHERE organization_id = ANY(ARRAY(SELECT organization_id FROM asked))
    ORDER BY organization_id FOR UPDATE
), ranked AS (
    SELECT asked.*, locked.available,
           sum(amount) OVER (PARTITION BY organization_id ORDER BY n) AS running
    FROM asked JOIN locked USING (organization_id)
), placed AS (
    INSERT INTO billing_hold (request_id, organization_id, amount, owner, api_key_id, model, created_at, expires_at)
    SELECT request_id, organization_id, amount, %(owner)s, api_key_id, model, %(now)s, %(expires_at)s
    FROM ranked WHERE running <= available
    ON CONFLICT (request_id) DO NOTHING
    RETURNING request_id, organization_id, amount
), sums AS (
    SELECT organization_id, sum(amount)::bigint AS amount FROM placed GROUP BY organization_id
), updated AS (
    UPDATE billing_balance b SET
        allowance = locked.allowance, promo = locked.promo, purchased = locked.purchased,
        held = locked.held + sums.amount
    FROM sums JOIN locked USING (organization_id) WHERE b.organization_id = sums.organization_id
)
SELECT placed.request_id IS NOT NULL
           -- sent twice after a broken connection: the first time may have served
           OR asked.request_id = ANY(ARRAY(
               SELECT h.request_id::text FROM billing_hold h WHERE h.request_id = ANY(ARRAY(SELECT asked.request_id FROM asked))
           )),
       (coalesce(locked.available, 0) - coalesce(sums.amount, 0))::bigint
FROM asked
CROSS JOIN relaxed
LEFT JOIN placed USING (request_id)
LEFT JOIN locked ON locked.organization_id = asked.organization_id
LEFT JOIN sums ON sums.organization_id = asked.organization_id
ORDER BY asked.n
"""

_SETTLE = """
WITH asked AS MATERIALIZED (
    SELECT *, 'settle:' || request_id AS reference, row_number() OVER (PARTITION BY request_id ORDER BY cost = 0, n) AS copy
    FROM jsonb_to_recordset(%(batch)s::jsonb)
        AS r(n int, request_id text, organization_id bigint, cost bigint, price_id bigint{columns})
), locked AS MATERIALIZED (
    SELECT * FROM billing_balance WHERE organization_id = ANY(ARRAY(SELECT organization_id FROM asked))
    ORDER BY organization_id FOR UPDATE
), released AS (
    DELETE FROM billing_hold h USING locked
    WHERE h.request_id = ANY(ARRAY(SELECT request_id FROM asked)) AND h.organization_id = locked.organization_id
    RETURNING h.organization_id, h.amount
), freed AS (
    SELECT organization_id, sum(amount)::bigint AS amount FROM released GROUP BY organization_id
), spans AS (
    -- Each member's cost as an interval on its organisation's credit, in order of arrival.
    SELECT n, reference, organization_id, cost, price_id,
           (sum(cost) OVER w - cost)::bigint AS span_from, (sum(cost) OVER w)::bigint AS span_to
    FROM asked
    WHERE cost > 0 AND copy = 1 AND reference <> ALL(ARRAY(
        SELECT e.reference::text FROM billing_journalentry e
        WHERE e.reference = ANY(ARRAY(SELECT asked.reference FROM asked))
    ))
    WINDOW w AS (PARTITION BY organization_id ORDER BY n)
), limits AS (
    -- What other requests have on hold is theirs: a cost beyond the rest is written off, never overdrawn.
    SELECT locked.*, allowance + promo + purchased - held + coalesce(freed.amount, 0) AS spendable,
        (SELECT id FROM billing_account a
         WHERE a.organization_id = locked.organization_id AND kind = 'allowance') AS allowance_account,
        (SELECT id FROM billing_account a
         WHERE a.organization_id = locked.organization_id AND kind = 'promo') AS promo_account,
        (SELECT id FROM billing_account a
         WHERE a.organization_id = locked.organization_id AND kind = 'purchased') AS purchased_account
    FROM locked LEFT JOIN freed USING (organization_id)
), split AS (
    SELECT spans.*, nextval('billing_journalentry_id_seq') AS entry_id,
        allowance_account, promo_account, purchased_account,
        greatest(0, least(span_to, allowance, spendable) - span_from) AS from_allowance,
        greatest(0, least(span_to, allowance + promo, spendable) - greatest(span_from, allowance)) AS from_promo,
        greatest(0, least(span_to, allowance + promo + purchased, spendable)
                    - greatest(span_from, allowance + promo)) AS from_purchased
    FROM spans JOIN limits USING (organization_id)
), entry AS (
    INSERT INTO billing_journalentry (id, reference, kind, organization_id, price_id, memo, created_at)
    SELECT entry_id, reference, 'settlement', organization_id, price_id, '', %(now)s
    FROM split ORDER BY n
    ON CONFLICT (reference) DO NOTHING
    RETURNING id
), posted AS (
    SELECT split.*, from_allowance + from_promo + from_purchased AS charged
    FROM split WHERE entry_id = ANY(ARRAY(SELECT id FROM entry))
), line AS (
    INSERT INTO billing_entryline (entry_id, account_id, amount)
    SELECT posted.entry_id, part.account_id, part.amount
    FROM posted
    CROSS JOIN LATERAL (VALUES
        (allowance_account, -from_allowance), (promo_account, -from_promo), (purchased_account, -from_purchased),
        ((SELECT id FROM billing_account WHERE organization_id IS NULL AND kind = 'written_off'), charged - cost),
        ((SELECT id FROM billing_account WHERE organization_id IS NULL AND kind = 'revenue'), cost)
    ) AS part(account_id, amount)
    WHERE part.amount <> 0
), changes AS (
    SELECT organization_id, sum(from_allowance)::bigint AS allowance, sum(from_promo)::bigint AS promo,
           sum(from_purchased)::bigint AS purchased, sum(freed)::bigint AS freed
    FROM (
        SELECT organization_id, from_allowance, from_promo, from_purchased, 0 AS freed FROM posted
        UNION ALL
        SELECT organization_id, 0, 0, 0, amount FROM freed
    ) AS each GROUP BY organization_id
), updated AS (
    UPDATE billing_balance b SET
        allowance = locked.allowance - changes.allowance, promo = locked.promo - changes.promo,
        purchased = locked.purchased - changes.purchased, held = locked.held - changes.freed
    FROM changes JOIN locked USING (organization_id) WHERE b.organization_id = changes.organization_id
), settled AS (
    SELECT asked.*, coalesce(posted.charged, 0)::bigint AS charged
    FROM asked LEFT JOIN posted ON posted.n = asked.n
){also}
SELECT charged FROM settled ORDER BY n
"""


@dataclass(frozen=True, slots=True)
class Further:
    """A further CTE of the settling statement, ``name AS (…)``, in the same transaction.

    It may read ``settled``: the members with what each was ``charged`` and the further ``columns`` (name → type) that they
    carry. ``copy`` is 1 for the member of a request that counts, and more for its repetitions in the same batch.
    """

    columns: Mapping[str, str]
    statement: str


def settle_statement(*, also: Further | None = None) -> str:
    """The settling statement, alone or with what else is to be written for each member."""
    if also is None:
        return _SETTLE.format(columns="", also="")
    columns = "".join(
        f", {name} {kind}" for name, kind in also.columns.items() if name not in _OWN_COLUMNS
    )
    return _SETTLE.format(columns=columns, also=f", {also.statement}")
