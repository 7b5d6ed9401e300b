"""the clock is known"""

import sqlalchemy as sa
from alembic import op

revision = "0005_the_clock_is_known"
down_revision = "0004_alarms_in_both_languages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "known_clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("boot_id", sa.String(length=36), nullable=False),
        sa.Column("began_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_known_clock"),
    )


def downgrade() -> None:
    op.drop_table("known_clock")
