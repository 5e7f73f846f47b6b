"""Leases of tasks that only one process runs at a time, and the file ids of pictures sent to platforms."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_21_telegram"
down_revision = "2026_11_21_queue"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the two tables."""
    op.create_table(
        "lease",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )
    op.create_table(
        "handle",
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("picture_id", sa.String(), nullable=False),
        sa.Column("handle", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "picture_id", name="pk_handle"),
        sa.ForeignKeyConstraint(["picture_id"], ["picture.id"], name="fk_handle_picture_id", ondelete="CASCADE"),
    )
    op.create_index("ix_handle_picture_id", "handle", ["picture_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("handle")
    op.drop_table("lease")
