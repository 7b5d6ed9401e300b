"""deaths of workers are counted"""

import sqlalchemy as sa
from alembic import op

revision = "0006_deaths_are_counted"
down_revision = "0005_the_clock_is_known"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("submission", sa.Column("draw_deaths", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("submission", "draw_deaths")
