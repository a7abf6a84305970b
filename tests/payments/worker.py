"""A process that pays until it is killed, and prints each answer once it has it: ``worker FILE SEED``."""

import asyncio
import random
import sys
from pathlib import Path

from gateways.payments import CardSimulator
from tests.payments.attempts import attempt


async def shopper(bank: CardSimulator, dice: random.Random) -> None:
    """Buys for ever, among attempts that the other process works on too."""
    while True:
        paying = attempt(name := f"p{dice.randrange(3000)}", order=name)
        steps = [("authorize", bank.authorize)]
        steps += [("capture", bank.capture), ("refund", bank.refund)] if dice.random() < 0.8 else []
        steps += [("void", bank.void)]
        for operation, call in steps:
            key = f"{name}:{operation}"
            answer = await call(paying, key)
            print(name, operation, key, type(answer).__name__, flush=True)


async def main(path: str, seed: str) -> None:
    bank = CardSimulator.open(Path(path))
    await asyncio.gather(*(shopper(bank, random.Random(f"{seed}:{n}")) for n in range(8)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
