"""The ledger on PostgreSQL: a whole batch is one statement. Placed next to ``ledger_portable``, which does the same.

Both statements lock the balances of the batch in order of id, so that two batches never wait for each other in a
circle, and derive every change from the rows that they really inserted or deleted, so that a repetition changes nothing.
"""

PLACE_HOLDS = """
WITH asked AS (
    SELECT * FROM unnest(
        %(request_ids)s::text[], %(organization_ids)s::bigint[], %(amounts)s::bigint[],
        %(api_key_ids)s::bigint[], %(models)s::text[]
    ) WITH ORDINALITY AS r(request_id, organization_id, amount, api_key_id, model, n)
), relaxed AS (
    -- A database crash can only lose a hold, and settling does not depend on finding it: do not wait for the disk.
    SELECT set_config('synchronous_commit', 'off', true)
), locked AS MATERIALIZED (
    SELECT organization_id, allowance + promo + purchased - held AS available
    FROM billing_balance WHERE organization_id IN (SELECT organization_id FROM asked)
    ORDER BY organization_id FOR UPDATE
), ranked AS (
    SELECT asked.*, available,
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
    UPDATE billing_balance b SET held = b.held + sums.amount
    FROM sums WHERE b.organization_id = sums.organization_id
)
SELECT placed.request_id IS NOT NULL
           -- sent twice after a broken connection: the first time may have served
           OR EXISTS (SELECT FROM billing_hold h WHERE h.request_id = asked.request_id),
       (coalesce(locked.available, 0) - coalesce(sums.amount, 0))::bigint
FROM asked
CROSS JOIN relaxed
LEFT JOIN placed USING (request_id)
LEFT JOIN locked ON locked.organization_id = asked.organization_id
LEFT JOIN sums ON sums.organization_id = asked.organization_id
ORDER BY asked.n
"""

_SETTLE = """
WITH asked AS (
    SELECT * FROM jsonb_to_recordset(%(batch)s::jsonb)
        AS r(n int, request_id text, organization_id bigint, cost bigint, price_id bigint)
), locked AS MATERIALIZED (
    SELECT * FROM billing_balance WHERE organization_id IN (SELECT organization_id FROM asked)
    ORDER BY organization_id FOR UPDATE
), released AS (
    DELETE FROM billing_hold h USING asked WHERE h.request_id = asked.request_id
    RETURNING h.organization_id, h.amount
), freed AS (
    SELECT organization_id, sum(amount)::bigint AS amount FROM released GROUP BY organization_id
), spans AS (
    -- Each member's cost as an interval on its organisation's credit, in order of arrival.
    SELECT asked.*,
           (sum(cost) OVER w - cost)::bigint AS span_from, (sum(cost) OVER w)::bigint AS span_to
    FROM asked
    WHERE cost > 0
      AND NOT EXISTS (SELECT FROM billing_journalentry e WHERE e.reference = 'settle:' || asked.request_id)
    WINDOW w AS (PARTITION BY organization_id ORDER BY n)
), limits AS (
    -- What other requests have on hold is theirs: a cost beyond the rest is written off, never overdrawn.
    SELECT locked.*, allowance + promo + purchased - held + coalesce(freed.amount, 0) AS spendable
    FROM locked LEFT JOIN freed USING (organization_id)
), split AS (
    SELECT spans.*,
        greatest(0, least(span_to, allowance, spendable) - span_from) AS from_allowance,
        greatest(0, least(span_to, allowance + promo, spendable) - greatest(span_from, allowance)) AS from_promo,
        greatest(0, least(span_to, allowance + promo + purchased, spendable)
                    - greatest(span_from, allowance + promo)) AS from_purchased
    FROM spans JOIN limits USING (organization_id)
), entry AS (
    INSERT INTO billing_journalentry (reference, kind, organization_id, price_id, memo, created_at)
    SELECT 'settle:' || request_id, 'settlement', organization_id, price_id, '', %(now)s
    FROM split ORDER BY n
    ON CONFLICT (reference) DO NOTHING
    RETURNING id, reference
), posted AS (
    SELECT split.*, entry.id AS entry_id, from_allowance + from_promo + from_purchased AS charged
    FROM split JOIN entry ON entry.reference = 'settle:' || split.request_id
), line AS (
    INSERT INTO billing_entryline (entry_id, account_id, amount)
    SELECT posted.entry_id, account.id, part.amount
    FROM posted
    CROSS JOIN LATERAL (VALUES
        ('allowance', posted.organization_id, -from_allowance), ('promo', posted.organization_id, -from_promo),
        ('purchased', posted.organization_id, -from_purchased), ('written_off', NULL, charged - cost),
        ('revenue', NULL, cost)
    ) AS part(kind, organization_id, amount)
    JOIN billing_account account
      ON account.kind = part.kind AND account.organization_id IS NOT DISTINCT FROM part.organization_id
    WHERE part.amount <> 0
), spent AS (
    SELECT organization_id, sum(from_allowance)::bigint AS allowance, sum(from_promo)::bigint AS promo,
           sum(from_purchased)::bigint AS purchased
    FROM posted GROUP BY organization_id
), updated AS (
    UPDATE billing_balance b SET
        allowance = b.allowance - coalesce(spent.allowance, 0),
        promo = b.promo - coalesce(spent.promo, 0),
        purchased = b.purchased - coalesce(spent.purchased, 0),
        held = b.held - coalesce(freed.amount, 0)
    FROM locked
    LEFT JOIN spent ON spent.organization_id = locked.organization_id
    LEFT JOIN freed ON freed.organization_id = locked.organization_id
    WHERE b.organization_id = locked.organization_id
), settled AS (
    SELECT asked.n, asked.request_id, coalesce(posted.charged, 0)::bigint AS charged
    FROM asked LEFT JOIN posted USING (request_id)
){also}
SELECT charged FROM settled ORDER BY n
"""


def settle_statement(*, also: str = "") -> str:
    """The settling statement. ``also`` is a further CTE, ``name AS (…)``, of the same transaction.

    It may read ``settled(n, request_id, charged)`` and the batch itself, ``%(batch)s::jsonb``.
    """
    return _SETTLE.format(also=f", {also}" if also else "")
