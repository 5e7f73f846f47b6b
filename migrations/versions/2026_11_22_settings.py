"""Defaults of users and groups, the day of each use, and carried-over usage that counts for several users."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_22_settings"
down_revision = "2026_11_21_telegram"
branch_labels = None
depends_on = None

DATED = ("job", "membership")

WHOSE = ("person_id", "digest", "place_id")


def upgrade() -> None:
    """Create the tables, and add the day columns."""
    op.create_table(
        "setting",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("place_id", sa.String(), nullable=True),
        sa.Column("given", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_setting"),
        sa.UniqueConstraint("person_id", name="uq_setting_person_id"),
        sa.UniqueConstraint("place_id", name="uq_setting_place_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_setting_person_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name="fk_setting_place_id", ondelete="CASCADE"),
    )
    for table in DATED:
        op.add_column(table, sa.Column("day", sa.String(), nullable=False, server_default=""))
    op.add_column("membership", sa.Column("used", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "counted",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("use", sa.String(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=True) for name in WHOSE),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_counted"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_counted_person_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name="fk_counted_place_id", ondelete="CASCADE"),
    )
    for column in WHOSE:
        op.create_index(f"ix_counted_{column}", "counted", [column])
    op.create_index("ix_job_person_id_place_id_day", "job", ["person_id", "place_id", "day"])


def downgrade() -> None:
    """Drop the additions."""
    op.drop_index("ix_job_person_id_place_id_day", "job")
    op.drop_table("counted")
    op.drop_column("membership", "used")
    for table in DATED:
        op.drop_column(table, "day")
    op.drop_table("setting")
