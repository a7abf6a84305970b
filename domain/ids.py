"""Names for things: 24 hexadecimal digits, the shape that clients of the classic surface expect of an id.

A thing named by its caller gets its id from the caller's words, so asking twice names the same thing.
"""

from hashlib import blake2b

ID_BYTES = 12


def derived_id(*parts: str) -> str:
    """The id that belongs to ``parts``: the same parts give the same id, others practically never do."""
    # Lengths keep ("ab", "c") and ("a", "bc") apart.
    words = "".join(f"{len(part)}:{part}" for part in parts)
    return blake2b(words.encode("utf-8", "surrogatepass"), digest_size=ID_BYTES).hexdigest()
