"""What somebody wants, or a group, where nothing else is said."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_22_settings"
down_revision = "2026_11_21_telegram"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
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


def downgrade() -> None:
    """Take it away."""
    op.drop_table("setting")
