"""Accounts and sessions: /api/users."""

from gateways.http.answer import Answer, json
from gateways.http.bodies import Credentials, CurrentUser, CurrentUserBody, UserBody
from gateways.http.call import Call
from gateways.http.errors import Invalid, Problem
from gateways.http.parsing import Form, read_form
from gateways.http.routes import Handler, Route
from gateways.http.session import SessionCookies
from gateways.identity import Account, Accounts, is_email

BAD_EMAIL = Problem("Email must be valid", "email")
BAD_PASSWORD = Problem("Password must be between 4 and 20 characters", "password")
NO_PASSWORD = Problem("You must supply a password", "password")


class Users:
    def __init__(self, accounts: Accounts, sessions: SessionCookies) -> None:
        self._accounts = accounts
        self._sessions = sessions

    def routes(self) -> list[Route]:
        current = [
            Route(
                method="GET",
                path=f"/api/users/{name}",
                handle=self.current,
                summary="Who is signed in, or null",
                answers={200: CurrentUserBody},
            )
            # The name is spelt in three ways among clients.
            for name in ("currentuser", "current-user", "me")
        ]
        return [
            self._with_credentials("signup", self.sign_up, "Make an account and sign in", {201: UserBody}),
            self._with_credentials("signin", self.sign_in, "Sign in", {200: UserBody}),
            Route(
                method="POST",
                path="/api/users/signout",
                handle=self.sign_out,
                summary="Sign out",
                answers={200: dict[str, str]},
            ),
            *current,
        ]

    @staticmethod
    def _with_credentials(name: str, handle: Handler, summary: str, answers: dict[int, type]) -> Route:
        return Route(
            method="POST",
            path=f"/api/users/{name}",
            handle=handle,
            summary=summary,
            takes=Credentials,
            answers=answers,
            errors=(400,),
        )

    async def sign_up(self, call: Call) -> Answer:
        form = await read_form(call)
        email, password = _credentials(form)
        wrong = (None if is_email(email) else BAD_EMAIL, None if 4 <= len(password) <= 20 else BAD_PASSWORD)
        _refuse(*wrong)
        return self._signed_in(call, 201, await self._accounts.sign_up(email, password))

    async def sign_in(self, call: Call) -> Answer:
        form = await read_form(call)
        email, password = _credentials(form)
        _refuse(None if is_email(email) else BAD_EMAIL, None if password else NO_PASSWORD)
        return self._signed_in(call, 200, await self._accounts.sign_in(email, password))

    async def sign_out(self, call: Call) -> Answer:
        return json(200, {}, *self._sessions.revoke(call.cookies))

    async def current(self, call: Call) -> Answer:
        session = call.session
        if session is None:
            return json(200, CurrentUserBody(None))
        return json(200, CurrentUserBody(CurrentUser(session.user, session.email, session.issued)))

    def _signed_in(self, call: Call, status: int, account: Account) -> Answer:
        cookie = self._sessions.grant(account.id, account.email, secure=call.secure)
        return json(status, UserBody(account.email, account.id), cookie)


def _credentials(form: Form) -> tuple[str, str]:
    return form.text("email") or "", (form.text("password") or "").strip()


def _refuse(*problems: Problem | None) -> None:
    """Raises Invalid if there is a problem."""
    found = [problem for problem in problems if problem is not None]
    if found:
        raise Invalid(*found)
