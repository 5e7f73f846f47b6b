"""The store as one value: what it is made of, by topic."""

from dataclasses import dataclass

from bot.core.quota import Policy
from bot.store.billing.ledger import Ledger
from bot.store.billing.member_quota import Portions
from bot.store.database import Database
from bot.store.images.blobs import Files
from bot.store.images.images import Favourites, Handles, Pictures
from bot.store.images.search import Finding
from bot.store.inbox import Inbox, Leases
from bot.store.jobs.attempts import Attempts
from bot.store.jobs.jobs import Jobs
from bot.store.jobs.outbox import Outbox
from bot.store.jobs.queue import Line, Work
from bot.store.jobs.timings import Timings
from bot.store.sharing.boards import Boards
from bot.store.sharing.digests import Digests
from bot.store.sharing.joining import Joining
from bot.store.sharing.presets import Presets
from bot.store.users.audit import Audit
from bot.store.users.linking import Linking
from bot.store.users.privacy import Rights
from bot.store.users.settings import Settings
from bot.store.users.tokens import Tokens
from bot.store.users.users import People


@dataclass(frozen=True)
class Store:
    """Everything that is kept: rows in a database, pictures as files."""

    database: Database
    files: Files
    policy: Policy
    people: People
    jobs: Jobs
    attempts: Attempts
    line: Line
    pictures: Pictures
    finding: Finding
    favourites: Favourites
    outbox: Outbox
    inbox: Inbox
    leases: Leases
    handles: Handles
    settings: Settings
    presets: Presets
    boards: Boards
    digests: Digests
    joining: Joining
    ledger: Ledger
    portions: Portions
    timings: Timings
    tokens: Tokens
    work: Work
    audit: Audit
    rights: Rights
    linking: Linking

    @classmethod
    def of(cls, database: Database, files: Files, policy: Policy | None = None, *, cover: bool = False) -> "Store":
        """Return the store in a database and a file store, under an operator's rules; without any nothing is limited, or covered."""
        rules = policy or Policy()
        people = People(database, rules)
        return cls(
            database=database,
            files=files,
            policy=rules,
            people=people,
            jobs=Jobs(database, rules),
            attempts=Attempts(database, rules),
            line=Line(database, rules),
            pictures=Pictures(database),
            finding=Finding(database),
            favourites=Favourites(database),
            outbox=Outbox(database),
            inbox=Inbox(database),
            leases=Leases(database),
            handles=Handles(database),
            settings=Settings(database, cover=cover),
            presets=Presets(database),
            boards=Boards(database),
            digests=Digests(database),
            joining=Joining(database),
            ledger=Ledger(database, rules),
            portions=Portions(database, rules),
            timings=Timings(database),
            tokens=Tokens(database, people),
            work=Work(database),
            audit=Audit(database),
            rights=Rights(database, files, rules),
            linking=Linking(database, rules),
        )
