"""Every decider of the house: what the codec, the checks and the simulation go through."""

from domain.decider import AnyDecider
from domain.delivery import delivery
from domain.order import order
from domain.parking import parking
from domain.payment import payment
from domain.ticket import ticket

DECIDERS: tuple[AnyDecider, ...] = (ticket, order, payment, parking, delivery)
