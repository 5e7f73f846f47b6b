"""Access tokens for users. Only their digests are stored."""

import hashlib
import secrets

from sqlalchemy import delete, select

from bot.core.errors import BadInput
from bot.core.values import UserRef
from bot.store.database import Database
from bot.store.tables.core import TokenRow, UserRow
from bot.store.users.users import User, Users

#: Token names are accounts of their own platform: concurrent requests with the same name get the same user.
PLATFORM = "token"

#: 192 random bits cannot be guessed, so a plain digest is enough.
_SECRET_BYTES = 24


def digest(secret: str) -> str:
    """Return the digest of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


class Tokens:
    """The access tokens."""

    def __init__(self, database: Database, people: Users) -> None:
        self._database = database
        self._people = people

    async def create(self, name: str) -> str:
        """Create a token for the user of this name and return the secret: it is not shown again.

        All tokens of a name belong to the same user, including revoked tokens. Raises `BadInput` for an empty name.
        """
        if not name.strip():
            raise BadInput("input-token-name")
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        user = await self._people.user(UserRef(PLATFORM, name, name))
        async with self._database.write() as session:
            session.add(TokenRow(digest=digest(secret), person_id=user.id, name=name))
        return secret

    async def holder(self, secret: str) -> User | None:
        """Return the user of a secret, or None."""
        async with self._database.read() as session:
            row = await session.scalar(
                select(UserRow).join(TokenRow, TokenRow.person_id == UserRow.id).where(TokenRow.digest == digest(secret))
            )
        return None if row is None else User(row.id, row.name)

    async def revoke(self, name: str) -> int:
        """Revoke all tokens of a name and return how many there were."""
        async with self._database.write() as session:
            return len((await session.scalars(delete(TokenRow).where(TokenRow.name == name).returning(TokenRow.id))).all())
