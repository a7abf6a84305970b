"""Every setting of Admit One: its name, its default, what it means, and how its text is read.

One frozen struct, read from the command line's options and from ``ADMITONE_<NAME>`` variables (an option
wins), and checked before anything is started. Whoever adds a field here has added the option, the
variable, the check at start and the line in the README's table.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from msgspec import Struct
from msgspec.structs import fields

from deploy import reading
from processmanager.marketplace import Policy
from processmanager.patience import RETRY_DELAYS

PREFIX = "ADMITONE_"
HIDDEN = "(set, not shown)"


class BadSettings(Exception):
    """A setting that is missing, unknown, weak or contradictory. Its text is the one line for the user."""


class Setting(Struct, frozen=True):
    """How one field is set.

    read: turns the text of an option or variable into the value; raises ValueError saying what is wanted.
    meaning: one line for ``--help`` and the README. kind: what stands for the value in ``--help``.
    option: whether ``admitone serve`` has an option for it; the variable exists always.
    secret: never printed.
    """

    read: Callable[[str], Any]
    meaning: str
    kind: str = "TEXT"
    option: bool = True
    secret: bool = False


def _keys(meaning: str) -> Setting:
    return Setting(reading.keys, meaning, option=False, secret=True)


_EACH = "each at least 32 bytes, comma-separated"
_KEPT = "unset: one is made and kept in the data directory"
_POLICY = Policy()


class Settings(Struct, frozen=True, kw_only=True):
    """What a process of Admit One was told. Durations are timedeltas; in texts they are seconds."""

    host: Annotated[str, Setting(reading.words, "address to listen on", "HOST")] = "127.0.0.1"
    port: Annotated[
        int, Setting(reading.whole(0, 65535), "port to listen on; 0 takes any free one", "PORT")
    ] = 8000
    data: Annotated[Path, Setting(reading.path, "directory that holds all data", "DIR")] = Path("var")
    store: Annotated[
        str, Setting(reading.store, "the event store: embedded, or esdb://… of EventStoreDB", secret=True)
    ] = reading.EMBEDDED
    cards: Annotated[
        Path,
        Setting(
            reading.path,
            "ledger of the card simulator, below the data directory or anywhere; services that share "
            "purchases must share it",
            option=False,
        ),
    ] = Path("cards.sqlite")
    models_from: Annotated[
        Path | None,
        Setting(
            reading.path_or_off,
            "data directory of another service, whose read models are copied where there are none yet",
            "DIR",
        ),
    ] = None
    workers: Annotated[int, Setting(reading.whole(1, 64), "processes that serve requests", "N")] = 1
    demo: Annotated[bool, Setting(reading.yes_or_no, "give an empty store a few listings to try")] = True
    hold: Annotated[
        timedelta, Setting(reading.seconds(1), "seconds that a reserved ticket is held", "SECONDS")
    ] = _POLICY.hold
    grace: Annotated[
        timedelta,
        Setting(reading.seconds(1), "seconds that a payment in flight may outlast its hold", "SECONDS"),
    ] = _POLICY.grace
    drain: Annotated[
        timedelta,
        Setting(reading.seconds(0, 60), "seconds between SIGTERM and the end of accepting", "SECONDS"),
    ] = timedelta(seconds=1)
    jwt_key: Annotated[
        tuple[bytes, ...], _keys(f"HS256 keys for sessions, {_EACH}: the first signs, all verify; {_KEPT}")
    ] = ()
    operator_key: Annotated[
        tuple[bytes, ...],
        _keys(f"keys of operators, {_EACH}, sent as Authorization: Bearer; unset: nobody is one"),
    ] = ()
    receipt_key: Annotated[
        tuple[bytes, ...], _keys(f"keys for receipts, {_EACH}: the first signs, all are published; {_KEPT}")
    ] = ()
    session_cookie: Annotated[
        str, Setting(reading.cookie_name, "name of the session cookie", option=False)
    ] = "session"
    secure_cookies: Annotated[
        bool, Setting(reading.yes_or_no, "send the session cookie over https only", option=False)
    ] = False
    classic_sessions: Annotated[
        bool,
        Setting(
            reading.yes_or_no,
            "accept classic cookies of either name, with tokens that never expire",
            option=False,
        ),
    ] = False
    rate_limit: Annotated[
        int | None, Setting(reading.rate, "requests a minute and address, or off", option=False)
    ] = 100
    trusted_proxies: Annotated[
        tuple[str, ...],
        Setting(
            reading.networks,
            "addresses or networks whose X-Forwarded-For and -Proto are believed, comma-separated",
            option=False,
        ),
    ] = ()
    origins: Annotated[
        tuple[str, ...],
        Setting(reading.origins, "web origins besides our own that may call, comma-separated", option=False),
    ] = ()
    currency: Annotated[str, Setting(reading.currency, "currency of all prices (ISO 4217)", option=False)] = (
        "usd"
    )
    own_tickets: Annotated[
        bool, Setting(reading.yes_or_no, "let sellers buy their own tickets", option=False)
    ] = _POLICY.own_tickets
    late_sales: Annotated[
        bool,
        Setting(
            reading.yes_or_no,
            "let money that comes after its hold has ended buy the ticket, if that is still free; otherwise, "
            "and if it is gone, the money goes back",
            option=False,
        ),
    ] = _POLICY.late_sales
    retry_delays: Annotated[
        tuple[timedelta, ...],
        Setting(
            reading.delays,
            "seconds to wait before each retry of a failed step, comma-separated; then it is parked",
            option=False,
        ),
    ] = RETRY_DELAYS
    reconcile_every: Annotated[
        timedelta | None,
        Setting(
            reading.seconds_or_off(60),
            "seconds between two reconciliations with the payment provider's books, or off",
            option=False,
        ),
    ] = timedelta(minutes=10)
    stripe_secret_key: Annotated[
        str,
        Setting(
            reading.stripe_key,
            "secret key of a Stripe account; unset: the card simulator takes test cards",
            option=False,
            secret=True,
        ),
    ] = ""
    stripe_webhook_secrets: Annotated[
        tuple[str, ...],
        Setting(
            reading.webhook_secrets,
            "secrets that sign Stripe's webhooks, comma-separated: any of them is believed",
            option=False,
            secret=True,
        ),
    ] = ()
    stripe_api_version: Annotated[
        str, Setting(reading.words, "version of Stripe's API that is asked for", option=False)
    ] = "2026-10-28.endive"
    stripe_url: Annotated[str, Setting(reading.url, "where Stripe's API is", option=False)] = (
        "https://api.stripe.com"
    )
    stripe_timeout: Annotated[
        timedelta, Setting(reading.seconds(0.1, 60), "seconds that a step at Stripe may take", option=False)
    ] = timedelta(seconds=8)
    stripe_retries: Annotated[
        int,
        Setting(reading.whole(0, 5), "how often the SDK repeats a call to Stripe by itself", option=False),
    ] = 0
    stripe_tolerance: Annotated[
        timedelta,
        Setting(
            reading.seconds(1, 3600), "seconds by which a webhook's time may differ from ours", option=False
        ),
    ] = timedelta(seconds=300)
    stripe_return_url: Annotated[
        str,
        Setting(
            reading.url,
            "page that a bank sends the buyer back to, such as our own /api/payments/return; unset: clients "
            "confirm with Stripe's script",
            option=False,
        ),
    ] = ""
    log_level: Annotated[
        str, Setting(reading.level, "what is logged: debug, info, warning or error", "LEVEL")
    ] = "info"

    @classmethod
    def load(cls, options: Mapping[str, str | None], environ: Mapping[str, str]) -> "Settings":
        """The settings that ``options`` (by field name; None: not given) and ``environ`` amount to.

        Raises BadSettings.
        """
        _refuse_unknown(environ)
        values: dict[str, Any] = {}
        for name, setting in SETTINGS.items():
            text, told_by = options.get(name), option_name(name)
            if text is None:
                text, told_by = environ.get(variable(name)), variable(name)
            if text is not None:
                values[name] = _read(setting, text, told_by)
        return _consistent(cls(**values))

    @property
    def ledger(self) -> Path:
        """The file of the card simulator's ledger: what it would say was taken and given back."""
        return self.data / self.cards

    def shown(self) -> dict[str, str]:
        """Every setting as text that would set it again, without secrets."""
        return dict(self._texts())

    def _texts(self) -> Iterator[tuple[str, str]]:
        for name, setting in SETTINGS.items():
            value, hidden = getattr(self, name), setting.secret and getattr(self, name) != _DEFAULTS[name]
            yield name, HIDDEN if hidden else reading.text_of(value)

    def __repr__(self) -> str:
        return "Settings(" + ", ".join(f"{name}={text}" for name, text in self._texts()) + ")"


def variable(name: str) -> str:
    """The environment variable of the setting ``name``."""
    return PREFIX + name.upper()


def option_name(name: str) -> str:
    """The command line option of the setting ``name``."""
    return "--" + name.replace("_", "-")


def defaults() -> dict[str, str]:
    """The default of every setting, as text."""
    return {field.name: reading.text_of(field.default) for field in fields(Settings)}


def _declared() -> dict[str, Setting]:
    hints = get_type_hints(Settings, include_extras=True)
    return {field.name: hints[field.name].__metadata__[0] for field in fields(Settings)}


SETTINGS: dict[str, Setting] = _declared()
_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Settings)}


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = [variable(name) for name in SETTINGS]
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise BadSettings(f"there is no setting {name}{hint}")


def _read(setting: Setting, text: str, told_by: str) -> Any:
    try:
        return setting.read(text.strip())
    except reading.Unspeakable as wrong:
        raise BadSettings(f"{told_by} must be {wrong}") from None
    except ValueError as wrong:
        shown = "" if setting.secret else f", not '{text}'"
        raise BadSettings(f"{told_by} must be {wrong}{shown}") from None


def _consistent(settings: Settings) -> Settings:
    """``settings``, unless two of them contradict each other."""
    if settings.session_cookie.startswith(("__Host-", "__Secure-")) and not settings.secure_cookies:
        raise BadSettings(
            f"{variable('session_cookie')} {settings.session_cookie} is for https only: "
            f"set {variable('secure_cookies')}=1 or choose another name"
        )
    if settings.stripe_webhook_secrets and not settings.stripe_secret_key:
        raise BadSettings(
            f"{variable('stripe_webhook_secrets')} is of no use without {variable('stripe_secret_key')}"
        )
    return settings
