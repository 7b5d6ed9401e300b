"""previews"""

import sqlalchemy as sa
from alembic import op

revision = "0010_previews"
down_revision = "0009_covers"
branch_labels = None
depends_on = None

# Whose rows are looked for when a stored file's goes.
FILED = ("attachment", "document", "reception")


def upgrade() -> None:
    op.create_table(
        "preview",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("blob_id", sa.Integer(), nullable=False),
        sa.Column("shown_blob_id", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("page_bytes", sa.JSON(), nullable=False),
        sa.Column("made_of", sa.String(64), nullable=True),
        sa.Column("cover_pages", sa.Integer(), nullable=False),
        sa.Column("lasting", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blob.id"], name=op.f("fk_preview_blob_id")),
        sa.ForeignKeyConstraint(["shown_blob_id"], ["blob.id"], name=op.f("fk_preview_shown_blob_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_preview_tenant_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_preview_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_preview")),
        sa.UniqueConstraint("uuid", name=op.f("uq_preview_uuid")),
    )
    op.create_index("ix_preview_created_at", "preview", ["created_at"])
    op.create_index("ix_preview_made_of", "preview", ["made_of", "created_at"])
    op.create_index("ix_preview_tenant_id", "preview", ["tenant_id"])
    op.create_index("ix_preview_user_id", "preview", ["user_id"])
    for table in FILED:
        op.create_index(f"ix_{table}_blob_id", table, ["blob_id"])
    op.add_column("mailbox_item", sa.Column("turn", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("mailbox_item", "turn")
    for table in FILED:
        op.drop_index(f"ix_{table}_blob_id", table)
    op.drop_table("preview")
