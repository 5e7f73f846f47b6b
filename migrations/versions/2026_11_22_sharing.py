"""Saved and shared items: presets, boards, digests, votes, favourites. Also link codes, the provenance of jobs, and languages.

Users and jobs store their language.
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_22_sharing"
down_revision = "2026_11_22_settings"
branch_labels = None
depends_on = None

TABLES = ("favourite", "link_code", "report", "vote", "share", "preset_version", "preset", "digest", "board_place", "board")

COLUMNS = (("job", "proof"), ("job", "language"), ("person", "language"), ("person", "locale"))


def text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    """Return a text column."""
    return sa.Column(name, sa.String(), nullable=nullable)


def whole(name: str) -> sa.Column[int]:
    """Return an integer column."""
    return sa.Column(name, sa.Integer(), nullable=False)


def moment(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    """Return a column of UTC timestamps."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def flag(name: str) -> sa.Column[bool]:
    """Return a boolean column."""
    return sa.Column(name, sa.Boolean(), nullable=False)


def reference(table: str, column: str, other: str, rule: str = "CASCADE") -> sa.ForeignKeyConstraint:
    """Return the constraint that deletes a row together with the row that it refers to, or clears the reference."""
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}", ondelete=rule)


def indexed(table: str, *columns: str) -> None:
    """Create an index."""
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def upgrade() -> None:
    """Create the tables, and add columns for the provenance of jobs and for languages."""
    for table, column in COLUMNS:
        op.add_column(table, sa.Column(column, sa.String(), nullable=False, server_default=""))
    op.add_column("inbox", text("runner", nullable=True))
    op.create_table("board", text("id"), moment("created"), sa.PrimaryKeyConstraint("id", name="pk_board"))
    op.create_table(
        "board_place",
        *(text("place_id"), text("board_id")),
        sa.PrimaryKeyConstraint("place_id", name="pk_board_place"),
        *(reference("board_place", "place_id", "place"), reference("board_place", "board_id", "board")),
    )
    indexed("board_place", "board_id")
    op.create_table(
        "digest",
        *(text("place_id"), text("person_id", nullable=True), text("message"), moment("since"), moment("told"), moment("due")),
        sa.PrimaryKeyConstraint("place_id", name="pk_digest"),
        *(reference("digest", "place_id", "place"), reference("digest", "person_id", "person")),
    )
    indexed("digest", "person_id")
    create_presets()
    create_shares()
    op.create_table(
        "link_code",
        *(text("digest"), text("person_id", nullable=True), text("asker_id", nullable=True), text("board_id", nullable=True)),
        moment("until"),
        sa.PrimaryKeyConstraint("digest", name="pk_link_code"),
        *(reference("link_code", "person_id", "person"), reference("link_code", "asker_id", "person")),
        reference("link_code", "board_id", "board"),
    )
    indexed("link_code", "person_id")
    indexed("link_code", "asker_id")
    indexed("link_code", "board_id")
    op.create_table(
        "favourite",
        *(text("person_id"), text("picture_id"), text("folder"), moment("created")),
        sa.PrimaryKeyConstraint("person_id", "picture_id", name="pk_favourite"),
        *(reference("favourite", "person_id", "person"), reference("favourite", "picture_id", "picture")),
    )
    indexed("favourite", "picture_id")


def create_presets() -> None:
    """Create the tables of presets."""
    op.create_table(
        "preset",
        *(text("id"), text("person_id"), text("board_id", nullable=True), text("shelf"), text("key"), text("name"), whole("head")),
        *(text("forked_from", nullable=True), whole("uses"), text("tags"), text("picture_id", nullable=True), flag("archived")),
        moment("created"),
        sa.PrimaryKeyConstraint("id", name="pk_preset"),
        sa.UniqueConstraint("shelf", "key", name="uq_preset_shelf_key"),
        *(reference("preset", "person_id", "person"), reference("preset", "board_id", "board", "SET NULL")),
        *(reference("preset", "forked_from", "preset", "SET NULL"), reference("preset", "picture_id", "picture", "SET NULL")),
    )
    for column in ("person_id", "board_id", "forked_from", "picture_id"):
        indexed("preset", column)
    op.create_table(
        "preset_version",
        *(text("preset_id"), whole("number"), text("body"), moment("created")),
        sa.PrimaryKeyConstraint("preset_id", "number", name="pk_preset_version"),
        reference("preset_version", "preset_id", "preset"),
    )


def create_shares() -> None:
    """Create the tables of boards."""
    op.create_table(
        "share",
        *(text("id"), text("board_id"), text("person_id"), text("picture_id", nullable=True), text("preset_id", nullable=True)),
        *(text("words"), text("wish"), flag("pinned"), flag("removed"), whole("uses"), whole("votes"), moment("created")),
        sa.PrimaryKeyConstraint("id", name="pk_share"),
        *(reference("share", "board_id", "board"), reference("share", "person_id", "person")),
        *(reference("share", "picture_id", "picture"), reference("share", "preset_id", "preset")),
    )
    indexed("share", "board_id", "created")
    for column in ("person_id", "picture_id", "preset_id"):
        indexed("share", column)
    for name, more in (("vote", ()), ("report", (text("reason"),))):
        op.create_table(
            name,
            *(text("share_id"), text("person_id"), *more, moment("created")),
            sa.PrimaryKeyConstraint("share_id", "person_id", name=f"pk_{name}"),
            *(reference(name, "share_id", "share"), reference(name, "person_id", "person")),
        )
        indexed(name, "person_id")


def downgrade() -> None:
    """Drop the additions."""
    for table in TABLES:
        op.drop_table(table)
    op.drop_column("inbox", "runner")
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column)
