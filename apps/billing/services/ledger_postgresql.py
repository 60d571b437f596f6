"""The ledger on PostgreSQL: a whole batch is one statement. Placed next to ``ledger_portable``, which does the same.

Both statements lock the balances of the batch in order of id before they touch a hold, so that two batches never wait
for each other in a circle, and derive every change from the rows that they really inserted or deleted, so that a
repetition changes nothing. A balance is set from the locked row, all of it: the statement's own snapshot may be older, and
PostgreSQL checks constraints on what an UPDATE makes of the old row before it looks for the new one. Rows of large tables are asked for as ``= ANY(ARRAY(…))``, which is a look-up in the index
whatever the planner believes about the size of a batch; a join is a scan of the whole table in some plans.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_OWN_COLUMNS = frozenset(
    {"request_id", "organization_id", "cost", "price_id", "api_key_id", "member_id", "held_at"}
)

_PLACE_HOLDS = """
WITH asked AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
        jsonb_to_recordset(%(batch)s::jsonb)
        AS (request_id text, organization_id bigint, amount bigint, api_key_id bigint, model text,
            member_id bigint, held_at timestamptz, budget_version bigint, windows jsonb)
    ) WITH ORDINALITY AS r(request_id, organization_id, amount, api_key_id, model,
                           member_id, held_at, budget_version, windows, n)
), relaxed AS (
    -- A database crash can only lose a hold, and settling does not depend on finding it: do not wait for the disk.
    SELECT set_config('synchronous_commit', 'off', true)
), locked AS MATERIALIZED (
    SELECT *, allowance + promo + purchased - held AS available
    FROM billing_balance WHERE organization_id = ANY(ARRAY(SELECT organization_id FROM asked))
    ORDER BY organization_id FOR UPDATE
), ranked AS (
    SELECT asked.*, locked.available, asked.budget_version IS DISTINCT FROM locked.budget_version AS is_outdated,
           sum(amount) OVER (PARTITION BY organization_id ORDER BY n) AS running
    FROM asked JOIN locked USING (organization_id)
){windows}, placed AS (
    INSERT INTO billing_hold (request_id, organization_id, amount, owner, api_key_id, member_id, windows, model, created_at, expires_at)
    SELECT request_id, organization_id, amount, %(owner)s, api_key_id, member_id, nullif(windows, '[]'), model,
           coalesce(held_at, %(now)s), %(expires_at)s
    FROM ranked WHERE running <= available AND NOT is_outdated{fits}
    ON CONFLICT (request_id) DO NOTHING
    RETURNING request_id, organization_id, amount
), sums AS (
    SELECT organization_id, sum(amount)::bigint AS amount FROM placed GROUP BY organization_id
), updated AS (
    UPDATE billing_balance b SET
        allowance = locked.allowance, promo = locked.promo, purchased = locked.purchased,
        held = locked.held + sums.amount
    FROM sums JOIN locked USING (organization_id) WHERE b.organization_id = sums.organization_id
){window_sums}, answer AS (
    SELECT asked.n,
           placed.request_id IS NOT NULL
               -- sent twice after a broken connection: the first time may have served
               OR asked.request_id = ANY(ARRAY(
                   SELECT h.request_id::text FROM billing_hold h WHERE h.request_id = ANY(ARRAY(SELECT asked.request_id FROM asked))
               )) AS is_placed,
           (coalesce(locked.available, 0) - coalesce(sums.amount, 0))::bigint AS available,
           coalesce(asked.budget_version <> locked.budget_version, false) AS is_outdated
    FROM asked
    CROSS JOIN relaxed
    LEFT JOIN placed USING (request_id)
    LEFT JOIN locked ON locked.organization_id = asked.organization_id
    LEFT JOIN sums ON sums.organization_id = asked.organization_id
)
SELECT is_placed, available, is_outdated AND NOT is_placed, {room}
ORDER BY n
"""

PLACE_HOLDS = _PLACE_HOLDS.format(
    windows="", fits="", window_sums="", room="NULL::bigint FROM answer"
)
"""Where no member counts in a budget."""

PLACE_HOLDS_IN_BUDGETS = _PLACE_HOLDS.format(
    windows=""", needs AS MATERIALIZED (
    SELECT ranked.n, ranked.request_id, ranked.amount, value::bigint AS window_id
    FROM ranked CROSS JOIN LATERAL jsonb_array_elements_text(windows)
), windows AS MATERIALIZED (
    -- Whoever changes a window holds the lock of its organisation's balance, as this statement does from here on.
    SELECT w.id AS window_id, w.spent, w.held, CASE WHEN b.is_hard AND b.ended_at IS NULL THEN b.amount - w.spent - w.held END AS room
    FROM billing_budgetwindow w JOIN billing_budget b ON b.id = w.budget_id
    WHERE w.id = ANY(ARRAY(SELECT window_id FROM needs))
    FOR UPDATE OF w
), tight AS (
    SELECT n
    FROM (
        SELECT needs.n, windows.room, sum(needs.amount) OVER (PARTITION BY window_id ORDER BY needs.n) AS running
        FROM needs JOIN windows USING (window_id)
    ) AS each WHERE running > room
)""",
    fits=" AND n <> ALL(ARRAY(SELECT n FROM tight))",
    window_sums=""", window_sums AS (
    SELECT window_id, sum(needs.amount)::bigint AS amount
    FROM needs JOIN placed USING (request_id) GROUP BY window_id
), window_updated AS (
    UPDATE billing_budgetwindow w SET spent = windows.spent, held = windows.held + window_sums.amount
    FROM window_sums JOIN windows USING (window_id) WHERE w.id = window_sums.window_id
)""",
    room="""rooms.room
FROM answer LEFT JOIN (
    SELECT n, min(room - coalesce(window_sums.amount, 0))::bigint AS room
    FROM needs JOIN windows USING (window_id) LEFT JOIN window_sums USING (window_id) GROUP BY n
) AS rooms USING (n)""",
)
"""The same with running sums in each budget's window as well: a member is placed when its organisation's credit and all of
its hard budgets have room for it."""

_SETTLE = """
WITH asked AS MATERIALIZED (
    SELECT *, 'settle:' || request_id AS reference, row_number() OVER (PARTITION BY request_id ORDER BY cost = 0, n) AS copy
    FROM jsonb_to_recordset(%(batch)s::jsonb)
        AS r(n int, request_id text, organization_id bigint, cost bigint, price_id bigint,
               api_key_id bigint, member_id bigint, held_at timestamptz{columns})
), locked AS MATERIALIZED (
    SELECT * FROM billing_balance WHERE organization_id = ANY(ARRAY(SELECT organization_id FROM asked))
    ORDER BY organization_id FOR UPDATE
), released AS (
    DELETE FROM billing_hold h USING locked
    WHERE h.request_id = ANY(ARRAY(SELECT request_id FROM asked)) AND h.organization_id = locked.organization_id
    RETURNING h.request_id, h.organization_id, h.amount, h.windows
), freed AS (
    SELECT organization_id, sum(amount)::bigint AS amount FROM released GROUP BY organization_id
), spans AS (
    -- Each member's cost as an interval on its organisation's credit, in order of arrival.
    SELECT n, request_id, reference, organization_id, cost, price_id, api_key_id, member_id, held_at,
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
    INSERT INTO billing_journalentry (id, reference, kind, organization_id, price_id, memo, created_at,
                                      api_key_id, member_id, held_at)
    SELECT entry_id, reference, 'settlement', organization_id, price_id, '', %(now)s, api_key_id, member_id, held_at
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
), counted AS MATERIALIZED (
    -- The windows are those of the hold. A request that the sweep has taken for lost counts in those of its time.
    SELECT value::bigint AS window_id, released.amount AS freed, coalesce(posted.charged, 0) AS charged
    FROM released LEFT JOIN posted ON posted.request_id = released.request_id
    CROSS JOIN LATERAL jsonb_array_elements_text(released.windows)
    WHERE released.windows IS NOT NULL
    UNION ALL
    SELECT w.id, 0, late.charged
    FROM (
        SELECT * FROM posted WHERE charged > 0 AND request_id NOT IN (SELECT request_id FROM released)
    ) AS late
    JOIN billing_budget b ON b.organization_id = late.organization_id
        AND (b.api_key_id IS NULL OR b.api_key_id = late.api_key_id)
        AND (b.member_id IS NULL OR b.member_id = late.member_id)
    JOIN billing_budgetwindow w ON w.budget_id = b.id
    WHERE w.starts_at <= coalesce(late.held_at, %(now)s) AND w.ends_at > coalesce(late.held_at, %(now)s)
), windows AS MATERIALIZED (
    SELECT * FROM billing_budgetwindow WHERE id = ANY(ARRAY(SELECT window_id FROM counted)) FOR UPDATE
), window_changes AS (
    SELECT window_id, sum(freed)::bigint AS freed, sum(charged)::bigint AS charged FROM counted GROUP BY window_id
), window_updated AS (
    UPDATE billing_budgetwindow w SET
        spent = windows.spent + window_changes.charged, held = windows.held - window_changes.freed
    FROM window_changes JOIN windows ON windows.id = window_id WHERE w.id = windows.id
), all_seen AS (
    -- A hold may be put into a window that is younger than this statement's view of the tables: fail, to be sent again.
    SELECT 1 / (CASE WHEN count(*) = 0 THEN 1 ELSE 0 END) AS is_so
    FROM window_changes WHERE window_id <> ALL(ARRAY(SELECT id FROM windows))
), settled AS (
    SELECT asked.*, coalesce(posted.charged, 0)::bigint AS charged
    FROM asked LEFT JOIN posted ON posted.n = asked.n
){also}
SELECT charged FROM settled CROSS JOIN all_seen WHERE is_so = 1 ORDER BY n
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
