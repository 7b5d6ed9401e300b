"""documents are drawn once"""

import sqlalchemy as sa
from alembic import op

revision = "0008_documents_are_drawn_once"
down_revision = "0007_how_a_fax_looks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("document", sa.Column("made_of", sa.String(64), nullable=True))
    op.add_column("document", sa.Column("lasting", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index("ix_document_made_of", "document", ["made_of", "created_at"])


def downgrade() -> None:
    op.drop_index("ix_document_made_of", table_name="document")
    op.drop_column("document", "lasting")
    op.drop_column("document", "made_of")
