"""The page on which a card's owner authenticates himself: where ``next_action`` leads to, for the demo.

https://docs.stripe.com/payments/3d-secure: afterwards he is sent back to the return URL with the intent's
id and secret and how it went.
"""

from html import escape
from urllib.parse import urlencode

from tests.stripe.bank import Bank
from tests.stripe.confirming import authenticated
from tests.stripe.service import Answer
from tests.stripe.shapes import PaymentIntent

_HTML = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}


def shown(bank: Bank, name: str) -> Answer:
    """Two buttons. Raises StripeError."""
    intent = bank.find(PaymentIntent, "payment_intent", name)
    if intent.status != "requires_action":
        return _html(f"<p>Nothing is to be confirmed: the payment's status is {escape(intent.status)}.</p>")
    return _html(
        f"<p>Somebody wants to take <b>{intent.amount} {escape(intent.currency)}</b> minor units from your "
        f"card for {escape(intent.description or intent.id)}.</p><form method='post'>"
        "<button name='outcome' value='succeeded'>Complete authentication</button> "
        "<button name='outcome' value='failed'>Fail authentication</button></form>"
    )


def answered(bank: Bank, name: str, outcome: str) -> Answer:
    """What the owner has chosen; he is sent back if there is an address for it. Raises StripeError."""
    with bank.ledger.transaction():
        intent = bank.find(PaymentIntent, "payment_intent", name)
        authenticated(bank, intent, outcome == "succeeded")
    back = bank.ledger.private(name).get("return_url")
    if back is None:
        return _html(f"<p>Done: the payment's status is {escape(intent.status)}. Close this page.</p>")
    told = {
        "payment_intent": intent.id,
        "payment_intent_client_secret": intent.client_secret,
        "redirect_status": "failed" if intent.status == "requires_payment_method" else "succeeded",
    }
    joint = "&" if "?" in back else "?"
    return Answer(303, b"", {"Location": f"{back}{joint}{urlencode(told)}"})


def _html(body: str) -> Answer:
    page = f"<!doctype html><title>A double of Stripe</title><h1>Not Stripe: a double for trials</h1>{body}"
    return Answer(200, page.encode(), _HTML)
