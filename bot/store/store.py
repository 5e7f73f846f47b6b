"""The store as one object, with an attribute per topic."""

from dataclasses import dataclass

from bot.core.limits import Policy
from bot.store.billing.ledger import Ledger
from bot.store.billing.usage import MemberQuotas
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.images.images import Favourites, FileIds, Images
from bot.store.images.search import ImageSearch
from bot.store.inbox import Inbox, Leases
from bot.store.jobs.attempts import Attempts
from bot.store.jobs.jobs import Jobs
from bot.store.jobs.outbox import Outbox
from bot.store.jobs.queue import JobQueue, QueueNumbers
from bot.store.jobs.timings import Timings
from bot.store.sharing.boards import Boards
from bot.store.sharing.digests import Digests
from bot.store.sharing.joining import Joining
from bot.store.sharing.presets import Presets
from bot.store.users.audit import Audit
from bot.store.users.channel_migration import ChannelMigration
from bot.store.users.linking import Linking
from bot.store.users.privacy import Privacy
from bot.store.users.tokens import Tokens
from bot.store.users.users import Users, UserSettings


@dataclass(frozen=True)
class Store:
    """All persistent data: rows in a database, pictures as files."""

    database: Database
    files: BlobStore
    policy: Policy
    people: Users
    channels: ChannelMigration
    jobs: Jobs
    attempts: Attempts
    line: JobQueue
    pictures: Images
    finding: ImageSearch
    favourites: Favourites
    outbox: Outbox
    inbox: Inbox
    leases: Leases
    handles: FileIds
    settings: UserSettings
    presets: Presets
    boards: Boards
    digests: Digests
    joining: Joining
    ledger: Ledger
    portions: MemberQuotas
    timings: Timings
    tokens: Tokens
    work: QueueNumbers
    audit: Audit
    rights: Privacy
    linking: Linking

    @classmethod
    def of(cls, database: Database, files: BlobStore, policy: Policy | None = None, *, cover: bool = False) -> "Store":
        """Return the store for a database and a file store, with the operator's policy; without a policy nothing is limited or covered."""
        rules = policy or Policy()
        people = Users(database, rules)
        return cls(
            database=database,
            files=files,
            policy=rules,
            people=people,
            channels=ChannelMigration(database),
            jobs=Jobs(database, rules),
            attempts=Attempts(database, rules),
            line=JobQueue(database, rules),
            pictures=Images(database),
            finding=ImageSearch(database),
            favourites=Favourites(database),
            outbox=Outbox(database),
            inbox=Inbox(database),
            leases=Leases(database),
            handles=FileIds(database),
            settings=UserSettings(database, cover=cover),
            presets=Presets(database),
            boards=Boards(database),
            digests=Digests(database),
            joining=Joining(database),
            ledger=Ledger(database, rules),
            portions=MemberQuotas(database, rules),
            timings=Timings(database),
            tokens=Tokens(database, people),
            work=QueueNumbers(database),
            audit=Audit(database),
            rights=Privacy(database, files, rules),
            linking=Linking(database, rules),
        )
