"""The input images of a job: a separate table, by role. The single source image that a job could have so far becomes its `init`.

The downgrade keeps only that image, because an older version knows no other role.
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_inputs"
down_revision = "2026_11_23_search"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, move the sources of jobs into it, and drop their column."""
    op.create_table(
        "job_input",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "role", "position", name="pk_job_input"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_job_input_job_id", ondelete="CASCADE"),
    )
    op.execute("INSERT INTO job_input (job_id, role, position, file) SELECT id, 'init', 0, source FROM job WHERE source IS NOT NULL")
    op.create_index("ix_job_input_file", "job_input", ["file"])
    op.drop_index("ix_job_source", "job")
    op.drop_column("job", "source")


def downgrade() -> None:
    """Put the first `init` of each job back into its column, and drop the table."""
    op.add_column("job", sa.Column("source", sa.String(), nullable=True))
    op.execute(
        "UPDATE job SET source = (SELECT file FROM job_input WHERE job_id = job.id AND role = 'init' AND position = 0)"
        " WHERE id IN (SELECT job_id FROM job_input)"
    )
    op.create_index("ix_job_source", "job", ["source"])
    op.drop_table("job_input")
