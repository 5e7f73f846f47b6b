"""The size of the input images that users brought, so that they can be counted and limited. Older ones count as nothing."""

import sqlalchemy as sa
from alembic import op

revision = "2026_12_01_input_bytes"
down_revision = "2026_11_24_inputs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("job_input", sa.Column("bytes", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("job_input", "bytes")
