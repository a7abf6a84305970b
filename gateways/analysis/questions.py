"""Ten ready questions, each a name for a piece of SQL. Amounts are in minor units, times in UTC."""

from msgspec import Struct

MAJOR = """CREATE MACRO major(amount, currency) AS amount / power(10, CASE
    WHEN currency IN ({none}) THEN 0 WHEN currency IN ({three}) THEN 3 ELSE 2 END)"""
"""An amount in the currency's own unit. The lists of currencies come from ``domain.money``."""


TIME = "a time with its zone"
"""What a parameter that is a time is said to be."""


class BadQuestion(Exception):
    """The SQL is wrong, or asks for what is not to be had. Says why in one line."""


class Question(Struct, frozen=True):
    """asks: the question in words. needs: its parameters and what each is; given: those with a default."""

    name: str
    asks: str
    sql: str
    needs: dict[str, str] = {}
    given: dict[str, str] = {}


_HOLDS = """
holds AS (
    SELECT held.order_id, held.ticket_id, held.buyer, held.price_amount, held.price_currency,
        held.expires_at, held.decided_at AS began, released.decided_at AS ended, released.reason,
        completed.decided_at AS paid
    FROM ticket_reserved AS held
    ASOF LEFT JOIN ticket_released AS released
        ON released.ticket_id = held.ticket_id AND released.order_id = held.order_id
        AND released.revision > held.revision
    LEFT JOIN order_completed AS completed ON completed.order_id = held.order_id
)"""
"""Each hold with its end: released with a reason, or paid, or neither so far."""

QUESTIONS = (
    Question(
        "holder",
        "Who held ticket X at time T?",
        """
WITH steps AS (
    SELECT revision, type, decided_at, data->>'$.order' AS order_id, data->>'$.buyer' AS buyer
    FROM events
    WHERE category = 'ticket' AND key = $ticket AND decided_at <= CAST($at AS TIMESTAMPTZ)
        AND type <> 'TicketEdited'
), latest AS (SELECT * FROM steps ORDER BY revision DESC LIMIT 1)
SELECT CASE latest.type WHEN 'TicketReserved' THEN 'held' WHEN 'TicketSold' THEN 'owned'
        WHEN 'TicketDelisted' THEN 'delisted' ELSE 'on sale' END AS state,
    held.buyer AS holder, held.order_id, latest.decided_at AS since
FROM latest LEFT JOIN steps AS held
    ON held.type = 'TicketReserved' AND held.order_id = latest.order_id
    AND latest.type IN ('TicketReserved', 'TicketSold')""",
        needs={"ticket": "the ticket's id", "at": TIME},
    ),
    Question(
        "holds-per-sale",
        "How many holds per sale?",
        """
SELECT holds, sales, holds / nullif(sales, 0) AS holds_per_sale
FROM (SELECT count(*) AS holds FROM ticket_reserved), (SELECT count(*) AS sales FROM ticket_sold)""",
    ),
    Question(
        "hold-to-payment",
        "Median time from hold to payment?",
        f"""
WITH {_HOLDS}
SELECT count(*) AS orders, median(epoch(paid - began)) AS median_seconds,
    min(epoch(paid - began)) AS least_seconds, max(epoch(paid - began)) AS most_seconds
FROM holds WHERE paid IS NOT NULL""",  # noqa: S608 - constants only
    ),
    Question(
        "expired-holds",
        "Share of holds that expire, by price band?",
        f"""
WITH {_HOLDS}, banded AS (
    SELECT *, major(price_amount, price_currency) AS price FROM holds
)
SELECT price_currency AS currency,
    CASE WHEN price < 25 THEN '  0 to  25' WHEN price < 50 THEN ' 25 to  50'
        WHEN price < 100 THEN ' 50 to 100' ELSE '100 and more' END AS price_band,
    count(*) AS holds, count(*) FILTER (WHERE reason = 'expired') AS expired,
    count(*) FILTER (WHERE reason = 'expired') / count(*) AS share
FROM banded GROUP BY ALL ORDER BY currency, min(price)""",  # noqa: S608 - constants only
    ),
    Question(
        "late-payments",
        "Late payments and what became of them?",
        """
SELECT captured.payment_id, asked.order_id, captured.decided_at AS captured_at, placed.expires_at,
    epoch(captured.decided_at - placed.expires_at) AS seconds_late,
    CASE WHEN completed.payment_id IS NOT NULL THEN 'sold' WHEN refunded.payment_id IS NOT NULL
        THEN 'refunded' ELSE 'open' END AS outcome
FROM payment_captured AS captured
JOIN payment_requested AS asked USING (payment_id)
JOIN order_placed AS placed USING (order_id)
LEFT JOIN order_completed AS completed USING (order_id, payment_id)
LEFT JOIN (SELECT DISTINCT payment_id FROM payment_refunded) AS refunded USING (payment_id)
WHERE captured.decided_at > placed.expires_at ORDER BY captured.position""",
    ),
    Question(
        "refunds",
        "Refunds by reason?",
        """
SELECT coalesce(wanted.reason, 'given back at the provider''s own desk') AS reason,
    asked.amount_currency AS currency, count(*) AS refunds,
    CAST(sum(coalesce(refunded.amount_amount, wanted.amount_amount, asked.amount_amount)) AS BIGINT) AS amount
FROM payment_refunded AS refunded
JOIN payment_requested AS asked USING (payment_id)
ASOF LEFT JOIN refund_requested AS wanted
    ON wanted.payment_id = refunded.payment_id AND wanted.revision < refunded.revision
GROUP BY ALL ORDER BY amount DESC, reason""",
    ),
    Question(
        "hoarders",
        "Who hoards repeatedly?",
        f"""
WITH {_HOLDS}
SELECT buyer, count(*) AS holds, count(paid) AS paid,
    coalesce(sum(epoch(ended - began)) FILTER (WHERE paid IS NULL) / 60, 0) AS minutes_for_nothing
FROM holds GROUP BY buyer
HAVING count(*) >= CAST($holds AS BIGINT) AND 2 * count(paid) < count(*)
ORDER BY minutes_for_nothing DESC, buyer""",  # noqa: S608 - constants only
        needs={"holds": "how many holds are repeatedly"},
        given={"holds": "3"},
    ),
    Question(
        "price-changes",
        "Price changes before a sale?",
        """
SELECT sold.ticket_id, listed.price_amount AS listed_at, held.price_amount AS sold_at,
    listed.price_currency AS currency, count(edited.position) AS changes
FROM ticket_sold AS sold
JOIN ticket_listed AS listed USING (ticket_id)
JOIN ticket_reserved AS held ON held.ticket_id = sold.ticket_id AND held.order_id = sold.order_id
LEFT JOIN (
    SELECT *, lag(price_amount, 1, first_price) OVER (PARTITION BY ticket_id ORDER BY revision) AS before
    FROM ticket_edited
    JOIN (SELECT ticket_id, price_amount AS first_price FROM ticket_listed) USING (ticket_id)
) AS edited ON edited.ticket_id = sold.ticket_id AND edited.revision < sold.revision
    AND edited.price_amount <> edited.before
GROUP BY ALL ORDER BY min(sold.position)""",
    ),
    Question(
        "revenue",
        "Revenue per day as of last month's close? (Give the close with --as-of.)",
        """
SELECT CAST(decided_at AS DATE) AS day, currency,
    CAST(sum(amount) FILTER (WHERE kind = 'capture') AS BIGINT) AS taken,
    CAST(coalesce(sum(CASE kind WHEN 'restored' THEN -amount ELSE amount END)
        FILTER (WHERE kind <> 'capture'), 0) AS BIGINT) AS given_back,
    CAST(sum(CASE WHEN kind IN ('capture', 'restored') THEN amount ELSE -amount END) AS BIGINT) AS kept
FROM ledger.entry GROUP BY ALL ORDER BY day, currency""",
    ),
    Question(
        "waits",
        "How long did each offer wait for a buyer? (There is no queue of buyers: the offers wait.)",
        """
SELECT ticket_id, decided_at AS offered_at, taken_at, epoch(taken_at - decided_at) AS waited_seconds
FROM (
    SELECT key AS ticket_id, type, decided_at, position,
        lead(CASE WHEN type = 'TicketReserved' THEN decided_at END) OVER (PARTITION BY key ORDER BY revision)
            AS taken_at
    FROM events WHERE category = 'ticket' AND type <> 'TicketEdited'
)
WHERE type IN ('TicketListed', 'TicketReleased', 'TicketReturned') ORDER BY position""",
    ),
)

BY_NAME = {question.name: question for question in QUESTIONS}
