"""A certificate authority of our own, made anew for each run: nobody else has reason to trust it."""

import subprocess
from pathlib import Path

from msgspec import Struct

_NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split()
_DAY = "-days 1".split()


class Certificates(Struct, frozen=True):
    """PEM. ``authority``: the root that clients must be given."""

    authority: bytes
    certificate: bytes
    key: bytes
    authority_file: Path


def make_certificates(directory: Path) -> Certificates:
    """A root, and a certificate signed by it for this machine's loopback addresses.

    Needs the ``openssl`` command. Raises FileNotFoundError, subprocess.CalledProcessError.
    """
    ca, ca_key = directory / "ca.pem", directory / "ca.key"
    request, key, certificate = directory / "node.csr", directory / "node.key", directory / "node.pem"
    names = directory / "names"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    _openssl("req", "-x509", *_NEW_KEY, *_DAY, "-subj", "/CN=test root", "-keyout", ca_key, "-out", ca)
    _openssl("req", *_NEW_KEY, "-subj", "/CN=node", "-keyout", key, "-out", request)
    signed_by = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial")
    _openssl("x509", "-req", *_DAY, "-in", request, *signed_by, "-extfile", names, "-out", certificate)
    return Certificates(ca.read_bytes(), certificate.read_bytes(), key.read_bytes(), ca)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)
