"""alarms in both languages"""

import sqlalchemy as sa
from alembic import op

revision = "0004_alarms_in_both_languages"
down_revision = "0003_drawn_in_turn"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alarm", sa.Column("text_zh", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("alarm", "text_zh")
