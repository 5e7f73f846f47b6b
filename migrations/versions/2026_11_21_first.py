"""Users (`person`) and channels (`place`), jobs and pictures, tokens."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_21_first"
down_revision = None
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('waiting', 'running')")


def text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    """Return a text column."""
    return sa.Column(name, sa.String(), nullable=nullable)


def number(name: str) -> sa.Column[int]:
    """Return an integer column."""
    return sa.Column(name, sa.Integer(), nullable=False)


def moment(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    """Return a column of UTC timestamps."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def reference(table: str, other: str) -> sa.ForeignKeyConstraint:
    """Return the constraint that deletes a row together with the row that it refers to."""
    return sa.ForeignKeyConstraint([f"{other}_id"], [f"{other}.id"], name=f"fk_{table}_{other}_id", ondelete="CASCADE")


def upgrade() -> None:
    """Create the first tables."""
    op.create_table("person", text("id"), text("name"), moment("created"), sa.PrimaryKeyConstraint("id", name="pk_person"))
    op.create_table(
        "place",
        *(text("id"), text("platform"), text("key"), moment("created")),
        sa.PrimaryKeyConstraint("id", name="pk_place"),
        sa.UniqueConstraint("platform", "key", name="uq_place_platform_key"),
    )
    op.create_table(
        "identity",
        *(text("platform"), text("id"), text("person_id"), moment("created")),
        sa.PrimaryKeyConstraint("platform", "id", name="pk_identity"),
        reference("identity", "person"),
    )
    op.create_index("ix_identity_person_id", "identity", ["person_id"])
    op.create_table(
        "api_token",
        *(text("digest"), text("id"), text("person_id"), text("name"), moment("created")),
        sa.PrimaryKeyConstraint("digest", name="pk_api_token"),
        sa.UniqueConstraint("id", name="uq_api_token_id"),
        reference("api_token", "person"),
    )
    op.create_index("ix_api_token_person_id", "api_token", ["person_id"])
    create_job()
    create_picture()


def create_job() -> None:
    """Create the table of jobs."""
    op.create_table(
        "job",
        *(text("id"), text("person_id"), text("place_id"), text("message"), text("key", nullable=True), text("line"), text("wish")),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        *(text("source", nullable=True), text("state"), number("attempt"), number("tries")),
        *(text("runner", nullable=True), moment("lease", nullable=True)),
        sa.Column("problem", sa.LargeBinary(), nullable=True),
        sa.Column("device_seconds", sa.Double(), nullable=True),
        *(moment("created"), moment("started", nullable=True), moment("ended", nullable=True)),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.UniqueConstraint("person_id", "key", name="uq_job_person_id_key"),
        reference("job", "person"),
        reference("job", "place"),
    )
    op.create_index("ix_job_open", "job", ["person_id", "created"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_job_place_id_created", "job", ["place_id", "created"])
    op.create_index("ix_job_person_id_created", "job", ["person_id", "created"])
    op.create_index("ix_job_source", "job", ["source"])


def create_picture() -> None:
    """Create the table of pictures."""
    op.create_table(
        "picture",
        *(text("id"), text("job_id"), text("person_id"), number("index")),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        *(number("width"), number("height"), number("bytes"), text("file"), text("thumbnail"), text("words"), moment("created")),
        sa.PrimaryKeyConstraint("id", name="pk_picture"),
        sa.UniqueConstraint("job_id", "index", name="uq_picture_job_id_index"),
        reference("picture", "job"),
        reference("picture", "person"),
    )
    op.create_index("ix_picture_person_id_created", "picture", ["person_id", "created"])
    op.create_index("ix_picture_file", "picture", ["file"])
    op.create_index("ix_picture_thumbnail", "picture", ["thumbnail"])


def downgrade() -> None:
    """Drop the tables and their contents."""
    for table in ("picture", "job", "api_token", "identity", "place", "person"):
        op.drop_table(table)
