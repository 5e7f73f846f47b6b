"""The store as one value: what it is made of, by topic."""

from dataclasses import dataclass

from bot.jobs.quota import Policy
from bot.store.attempts import Attempts
from bot.store.audit import Audit
from bot.store.boards import Boards
from bot.store.digests import Digests
from bot.store.favourites import Favourites
from bot.store.files import Files
from bot.store.finding import Finding
from bot.store.handles import Handles
from bot.store.inbox import Inbox
from bot.store.jobs import Jobs
from bot.store.joining import Joining
from bot.store.leases import Leases
from bot.store.ledger import Ledger
from bot.store.line import Line
from bot.store.linking import Linking
from bot.store.outbox import Outbox
from bot.store.people import People
from bot.store.pictures import Pictures
from bot.store.portions import Portions
from bot.store.presets import Presets
from bot.store.rights import Rights
from bot.store.session import Database
from bot.store.settings import Settings
from bot.store.timings import Timings
from bot.store.tokens import Tokens
from bot.store.work import Work


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
