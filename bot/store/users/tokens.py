"""Tokens: secrets that let a person in. Only their digests are kept."""

import hashlib
import secrets

from sqlalchemy import delete, select

from bot.core.errors import BadInput
from bot.core.values import UserRef
from bot.store.database import Database
from bot.store.tables.core import TokenRow, UserRow
from bot.store.users.users import User, Users

#: Names of tokens are identities of their own kind: that makes one name one person, whoever asks for it at the same time.
PLATFORM = "token"

#: 192 bits of chance: nobody guesses it, so a plain digest is enough to keep.
_SECRET_BYTES = 24


def digest(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


class Tokens:
    """The tokens there are."""

    def __init__(self, database: Database, people: Users) -> None:
        self._database = database
        self._people = people

    async def create(self, name: str) -> str:
        """Make a token for the person of this name and return the secret: it is not seen again.

        The person is the same for every token of the name, those that were taken back too. Raises `BadInput` for no name.
        """
        if not name.strip():
            raise BadInput("input-token-name")
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        user = await self._people.user(UserRef(PLATFORM, name, name))
        async with self._database.write() as session:
            session.add(TokenRow(digest=digest(secret), person_id=user.id, name=name))
        return secret

    async def holder(self, secret: str) -> User | None:
        """Return whom a secret lets in, or nothing."""
        async with self._database.read() as session:
            row = await session.scalar(
                select(UserRow).join(TokenRow, TokenRow.person_id == UserRow.id).where(TokenRow.digest == digest(secret))
            )
        return None if row is None else User(row.id, row.name)

    async def revoke(self, name: str) -> int:
        """Take back all tokens of a name and return how many there were."""
        async with self._database.write() as session:
            return len((await session.scalars(delete(TokenRow).where(TokenRow.name == name).returning(TokenRow.id))).all())
