"""Customers, as far as PaymentMethods need them. https://docs.stripe.com/api/customers"""

from tests.stripe import ids
from tests.stripe.bank import Bank, Call
from tests.stripe.params import Given, read
from tests.stripe.shapes import Customer, Metadata


class _Creating(Given, kw_only=True):
    description: str | None = None
    email: str | None = None
    metadata: Metadata | None = None
    name: str | None = None


def create(bank: Bank, call: Call) -> Customer:
    given = read(_Creating, call.params)
    customer = Customer(
        id=ids.new("cus", 14),
        created=bank.clock.stamp(),
        description=given.description,
        email=given.email,
        metadata=given.metadata or {},
        name=given.name,
    )
    bank.ledger.put(customer)
    bank.emit("customer.created", customer, call)
    return customer


def retrieve(bank: Bank, call: Call) -> Customer:
    read(Given, call.params)
    return bank.find(Customer, "customer", call.id)
