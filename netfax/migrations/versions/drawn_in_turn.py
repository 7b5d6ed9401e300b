"""drawn in turn"""

import sqlalchemy as sa
from alembic import op

revision = "0003_drawn_in_turn"
down_revision = "0002_life_of_a_fax"
branch_labels = None
depends_on = None

READY = "draw_turn IS NOT NULL AND draw_after IS NULL"
# Indexes of the few rows that are open: name, table, columns, condition.
PARTIAL = (
    ("ix_submission_ready", "submission", ["draw_rank", "draw_turn", "id"], READY),
    ("ix_submission_turns", "submission", ["user_id", "draw_rank", "draw_turn"], READY),
    ("ix_submission_drawn_later", "submission", ["draw_after"], "draw_after IS NOT NULL"),
    ("ix_submission_keys", "submission", ["created_at"], "client_key IS NOT NULL"),
    ("ix_delivery_again", "delivery", ["again_of"], "again_of IS NOT NULL"),
    ("ix_reception_open", "reception", ["gateway"], "ended_at IS NULL"),
    ("ix_mailbox_item_unread", "mailbox_item", ["user_id", "direction"], "read_at IS NULL AND deleted_at IS NULL"),
)


def upgrade() -> None:
    op.add_column("submission", sa.Column("draw_rank", sa.Integer(), server_default="0", nullable=False))
    op.add_column("submission", sa.Column("draw_turn", sa.Integer(), nullable=True))
    op.add_column("submission", sa.Column("draw_after", sa.DateTime(), nullable=True))
    op.add_column("submission", sa.Column("drawn_by", sa.String(length=64), server_default="", nullable=False))
    # What waits to be drawn is drawn in the order in which it came.
    op.execute(
        "UPDATE submission SET draw_turn = 0"
        " WHERE id IN (SELECT submission_id FROM delivery WHERE state = 'converting')"
    )
    for name, table, columns, condition in PARTIAL:
        op.create_index(name, table, columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))
    op.create_index("ix_delivery_waits", "delivery", ["state", "waits_since"])
    op.create_index("ix_delivery_ended", "delivery", ["ended_at"])


def downgrade() -> None:
    op.drop_index("ix_delivery_ended", "delivery")
    op.drop_index("ix_delivery_waits", "delivery")
    for name, table, _, _ in PARTIAL:
        op.drop_index(name, table)
    for column in ("drawn_by", "draw_after", "draw_turn", "draw_rank"):
        op.drop_column("submission", column)
