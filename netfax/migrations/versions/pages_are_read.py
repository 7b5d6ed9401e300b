"""pages are read"""

import sqlalchemy as sa
from alembic import op

revision = "0011_pages_are_read"
down_revision = "0010_previews"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reading",
        sa.Column("blob_id", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("turns", sa.JSON(), nullable=False),
        sa.Column("turn_page", sa.Integer(), nullable=True),
        sa.Column("text_page", sa.Integer(), nullable=True),
        sa.Column("held_until", sa.DateTime(), nullable=True),
        sa.Column("held_by", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blob.id"], name=op.f("fk_reading_blob_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("blob_id", name=op.f("pk_reading")),
    )
    for name, column in (("ix_reading_turn", "turn_page"), ("ix_reading_text", "text_page")):
        waits = sa.text(f"{column} <= pages")
        op.create_index(name, "reading", ["blob_id"], sqlite_where=waits, postgresql_where=waits)
    op.create_table(
        "page_text",
        sa.Column("blob_id", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blob.id"], name=op.f("fk_page_text_blob_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("blob_id", "page", name=op.f("pk_page_text")),
    )


def downgrade() -> None:
    op.drop_table("page_text")
    op.drop_table("reading")
