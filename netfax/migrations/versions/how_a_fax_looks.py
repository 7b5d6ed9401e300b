"""how a fax looks is chosen"""

import sqlalchemy as sa
from alembic import op

revision = "0007_how_a_fax_looks"
down_revision = "0006_deaths_are_counted"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("submission", sa.Column("resolution", sa.String(32), server_default="fine", nullable=False))
    op.add_column("submission", sa.Column("mode", sa.String(32), server_default="auto", nullable=False))


def downgrade() -> None:
    op.drop_column("submission", "mode")
    op.drop_column("submission", "resolution")
