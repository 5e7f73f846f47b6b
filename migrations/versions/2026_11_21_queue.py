"""Fair queueing, credits, deliveries, the inbox, learned times, and the audit log of moderators' actions."""

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "2026_11_21_queue"
down_revision = "2026_11_21_first"
branch_labels = None
depends_on = None

OLD_OPEN = sa.text("state IN ('waiting', 'running')")
OPEN = sa.text("state IN ('waiting', 'paused', 'running')")

TABLES = ("tombstone", "audit", "timing", "inbox", "delivery", "ledger", "account", "clock", "turn", "membership")


def text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    """Return a text column."""
    return sa.Column(name, sa.String(), nullable=nullable)


def whole(name: str) -> sa.Column[int]:
    """Return an integer column."""
    return sa.Column(name, sa.Integer(), nullable=False)


def large(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[int]:
    """Return a column of large integers."""
    return sa.Column(name, sa.BigInteger(), nullable=nullable, server_default=default)


def moment(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    """Return a column of UTC timestamps."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def flag(name: str) -> sa.Column[bool]:
    """Return a boolean column."""
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())


def real(name: str) -> sa.Column[float]:
    """Return a column of floating point numbers."""
    return sa.Column(name, sa.Double(), nullable=False)


def reference(table: str, other: str, rule: str = "CASCADE") -> sa.ForeignKeyConstraint:
    """Return the constraint that deletes a row together with the row that it refers to, or clears the reference."""
    return sa.ForeignKeyConstraint([f"{other}_id"], [f"{other}.id"], name=f"fk_{table}_{other}_id", ondelete=rule)


def some(name: str, table: str, columns: list[str], where: str) -> None:
    """Create a partial index of the rows that are searched."""
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    """Widen jobs, users and channels, and create the new tables."""
    for name in ("tier", "role"):
        op.add_column("person", sa.Column(name, sa.String(), nullable=False, server_default=""))
    op.add_column("person", flag("paused"))
    op.add_column("place", flag("paused"))
    op.create_table(
        "membership",
        *(text("person_id"), text("place_id"), sa.Column("paused", sa.Boolean(), nullable=False)),
        sa.PrimaryKeyConstraint("person_id", "place_id", name="pk_membership"),
        *(reference("membership", "person"), reference("membership", "place")),
    )
    op.create_index("ix_membership_place_id", "membership", ["place_id"])
    widen_job()
    create_turns()
    create_accounts()
    create_letters()
    take_over()


def widen_job() -> None:
    """Add the queue position and the cost of jobs."""
    op.add_column("job", sa.Column("model", sa.String(), nullable=False, server_default=""))
    op.add_column("job", sa.Column("cost", sa.Double(), nullable=False, server_default="1"))
    op.add_column("job", large("rank", default="0"))
    op.add_column("job", sa.Column("passed", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("job", large("credits", default="0"))
    op.add_column("job", large("charged", nullable=True))
    op.drop_index("ix_job_open", "job")
    op.create_index("ix_job_open", "job", ["person_id", "created"], sqlite_where=OPEN, postgresql_where=OPEN)
    some("ix_job_line", "job", ["person_id", "rank"], "state = 'waiting'")
    some("ix_job_lease", "job", ["lease"], "state = 'running'")
    some("ix_job_unsettled", "job", ["ended"], "charged IS NULL AND ended IS NOT NULL")


def create_turns() -> None:
    """Create the tables of the fair queue and of learned times."""
    op.create_table(
        "turn",
        *(text("person_id"), real("tag"), large("since"), sa.Column("waiting", sa.Boolean(), nullable=False)),
        sa.PrimaryKeyConstraint("person_id", name="pk_turn"),
        reference("turn", "person"),
    )
    some("ix_turn_next", "turn", ["tag", "since"], "waiting")
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        real("now"),
        sa.PrimaryKeyConstraint("id", name="pk_clock"),
    )
    op.create_table(
        "timing",
        text("model"),
        *(sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in ("width", "height", "batch")),
        *(real("seconds"), whole("count")),
        sa.PrimaryKeyConstraint("model", "width", "height", "batch", name="pk_timing"),
    )


def create_accounts() -> None:
    """Create the tables of credits."""
    op.create_table(
        "account",
        *(text("id"), text("person_id", nullable=True), text("place_id", nullable=True)),
        *(text("day"), large("allowance"), large("left"), large("extra")),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("person_id", name="uq_account_person_id"),
        sa.UniqueConstraint("place_id", name="uq_account_place_id"),
        *(reference("account", "person"), reference("account", "place")),
    )
    op.create_table(
        "ledger",
        *(text("id"), text("account_id"), text("job_id", nullable=True), text("kind"), text("day")),
        *(large("amount"), large("extra"), moment("at")),
        sa.PrimaryKeyConstraint("id", name="pk_ledger"),
        *(reference("ledger", "account"), reference("ledger", "job", "SET NULL")),
    )
    op.create_index("ix_ledger_account_id_at", "ledger", ["account_id", "at"])
    op.create_index("ix_ledger_job_id", "ledger", ["job_id"])


def create_letters() -> None:
    """Create the tables of incoming updates and deliveries, and of moderators' actions."""
    op.create_table(
        "delivery",
        *(text("id"), text("job_id"), text("platform"), text("state"), whole("attempt"), sa.Column("unsure", sa.Boolean(), nullable=False)),
        *(text("runner", nullable=True), moment("due"), text("message"), text("reason"), moment("created"), moment("ended", nullable=True)),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("job_id", name="uq_delivery_job_id"),
        reference("delivery", "job"),
    )
    some("ix_delivery_due", "delivery", ["platform", "due"], "state IN ('todo', 'sending')")
    op.create_table(
        "inbox",
        *(text("platform"), text("update"), sa.Column("body", sa.LargeBinary(), nullable=False), moment("created")),
        moment("done", nullable=True),
        sa.PrimaryKeyConstraint("platform", "update", name="pk_inbox"),
    )
    some("ix_inbox_open", "inbox", ["platform", "created"], "done IS NULL")
    op.create_table(
        "audit",
        *(text("id"), text("actor"), text("act"), text("person_id", nullable=True), text("place_id", nullable=True), text("facts")),
        moment("at"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        *(reference("audit", "person", "SET NULL"), reference("audit", "place", "SET NULL")),
    )
    op.create_index("ix_audit_person_id", "audit", ["person_id"])
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_table("tombstone", text("digest"), moment("at"), sa.PrimaryKeyConstraint("digest", name="pk_tombstone"))


def take_over() -> None:
    """Put the open jobs into the queue, in the order in which they were accepted; jobs that have ended cost nothing."""
    connection = op.get_bind()
    columns = ["person_id", "since", "waiting", "tag", "id", "model", "rank", "state", "request", "created", "charged", "ended"]
    job = sa.table("job", *(sa.column(name) for name in columns))
    turn = sa.table("turn", *(sa.column(name) for name in columns))
    connection.execute(job.update().where(job.c.ended.is_not(None)).values(charged=0))
    still = sa.select(job.c.id, job.c.person_id, job.c.request, job.c.state).where(job.c.state.in_(("waiting", "running")))
    sinces: dict[str, int] = {}
    tags: dict[str, float] = {}
    for rank, (job_id, person, request, state) in enumerate(connection.execute(still.order_by(job.c.created, job.c.id)).all(), start=1):
        model = str(msgspec.msgpack.decode(request).get("model", ""))
        connection.execute(job.update().where(job.c.id == job_id).values(rank=rank, model=model))
        sinces.setdefault(person, rank)
        # Running jobs were already started and are charged for: at their new cost, which is corrected when they end.
        tags[person] = tags.get(person, 0.0) + (state == "running")
    for person, since in sinces.items():
        connection.execute(turn.insert().values(person_id=person, tag=tags[person], since=since, waiting=True))


def downgrade() -> None:
    """Drop the additions of this migration; paused jobs wait again."""
    for table in TABLES:
        op.drop_table(table)
    op.execute("UPDATE job SET state = 'waiting' WHERE state = 'paused'")
    for index in ("ix_job_unsettled", "ix_job_lease", "ix_job_line", "ix_job_open"):
        op.drop_index(index, "job")
    for column in ("charged", "credits", "passed", "rank", "cost", "model"):
        op.drop_column("job", column)
    op.create_index("ix_job_open", "job", ["person_id", "created"], sqlite_where=OLD_OPEN, postgresql_where=OLD_OPEN)
    op.drop_column("place", "paused")
    for name in ("paused", "role", "tier"):
        op.drop_column("person", name)
