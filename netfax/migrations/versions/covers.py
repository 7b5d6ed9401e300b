"""covers"""

import sqlalchemy as sa
from alembic import op

revision = "0009_covers"
down_revision = "0008_documents_are_drawn_once"
branch_labels = None
depends_on = None

TEXTS = {"company": 128, "position": 64, "address": 256, "postcode": 16, "telephone": 64, "mobile": 64, "fax_text": 64}


def upgrade() -> None:
    op.create_table(
        "cover_template",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("changed_by", sa.String(140), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_cover_template_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cover_template")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_cover_template_tenant_id_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_cover_template_uuid")),
    )
    for name, length in TEXTS.items():
        op.add_column("user_account", sa.Column(name, sa.String(length), server_default="", nullable=False))
    op.add_column("user_account", sa.Column("uses_cover", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("user_account", sa.Column("cover", sa.String(36), server_default="", nullable=False))
    op.add_column("document", sa.Column("cover_pages", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "fax_cover",
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("blob_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blob.id"], name=op.f("fk_fax_cover_blob_id")),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_fax_cover_submission_id")),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_fax_cover")),
    )


def downgrade() -> None:
    op.drop_table("fax_cover")
    op.drop_column("document", "cover_pages")
    for name in ("cover", "uses_cover", *reversed(TEXTS)):
        op.drop_column("user_account", name)
    op.drop_table("cover_template")
