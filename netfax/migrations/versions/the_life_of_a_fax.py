"""the life of a fax"""

import sqlalchemy as sa
from alembic import op

revision = "0002_life_of_a_fax"
down_revision = "0001_the_first_schema"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(), nullable=False),
        sa.Column("cleared_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    with op.batch_alter_table("alarm", schema=None) as batch_op:
        batch_op.create_index("ix_alarm_open", ["code", "subject", "cleared_at"], unique=False)

    op.create_table(
        "destination",
        sa.Column("identity", sa.String(length=15), nullable=False),
        sa.Column("asked_mode", sa.String(length=8), nullable=False),
        sa.Column("modem", sa.String(length=8), nullable=False),
        sa.Column("ecm", sa.Boolean(), nullable=False),
        sa.Column("fine", sa.Boolean(), nullable=False),
        sa.Column("learned_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("identity", name=op.f("pk_destination")),
    )
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.add_column(sa.Column("number", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("asked_mode", sa.String(length=8), server_default="t38", nullable=False))
        batch_op.add_column(sa.Column("modem", sa.String(length=8), server_default="v17", nullable=False))
        batch_op.add_column(sa.Column("ecm", sa.Boolean(), server_default=sa.true(), nullable=False))
        batch_op.add_column(sa.Column("fine", sa.Boolean(), server_default=sa.true(), nullable=False))
        batch_op.drop_index(batch_op.f("ix_attempt_gateway_ended_at"))
        batch_op.create_index(
            "ix_attempt_open",
            ["gateway"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.add_column(sa.Column("paid_tries", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("free_tries", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("avoid", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("waits_since", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("admitted", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("planned_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("expires_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("again_of", sa.Integer(), nullable=True))
        batch_op.drop_index(batch_op.f("ix_delivery_identity_state"))
        batch_op.drop_index(batch_op.f("ix_delivery_due"))
        batch_op.create_index("ix_delivery_due", ["state", "admitted", "next_try_at"], unique=False)
        batch_op.create_index("ix_delivery_expiry", ["state", "expires_at"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_delivery_again_of"), "delivery", ["again_of"], ["id"])

    with op.batch_alter_table("reception", schema=None) as batch_op:
        batch_op.add_column(sa.Column("delivery_id", sa.Integer(), nullable=True))
        batch_op.create_unique_constraint(batch_op.f("uq_reception_delivery_id"), ["delivery_id"])
        batch_op.create_foreign_key(batch_op.f("fk_reception_delivery_id"), "delivery", ["delivery_id"], ["id"])

    with op.batch_alter_table("submission", schema=None) as batch_op:
        batch_op.add_column(sa.Column("client_key", sa.String(length=128), nullable=True))
        batch_op.add_column(sa.Column("fingerprint", sa.String(length=64), server_default="", nullable=False))
        batch_op.create_unique_constraint(batch_op.f("uq_submission_user_id_client_key"), ["user_id", "client_key"])

    with op.batch_alter_table("trunk", schema=None) as batch_op:
        batch_op.add_column(sa.Column("max_out", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("trouble_at", sa.DateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("trunk", schema=None) as batch_op:
        batch_op.drop_column("trouble_at")
        batch_op.drop_column("max_out")

    with op.batch_alter_table("submission", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_submission_user_id_client_key"), type_="unique")
        batch_op.drop_column("fingerprint")
        batch_op.drop_column("client_key")

    with op.batch_alter_table("reception", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_reception_delivery_id"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("uq_reception_delivery_id"), type_="unique")
        batch_op.drop_column("delivery_id")

    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_delivery_again_of"), type_="foreignkey")
        batch_op.drop_index("ix_delivery_expiry")
        batch_op.drop_index("ix_delivery_due")
        batch_op.create_index(batch_op.f("ix_delivery_due"), ["state", "next_try_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_delivery_identity_state"), ["identity", "state"], unique=False)
        batch_op.drop_column("again_of")
        batch_op.drop_column("expires_at")
        batch_op.drop_column("planned_at")
        batch_op.drop_column("admitted")
        batch_op.drop_column("waits_since")
        batch_op.drop_column("avoid")
        batch_op.drop_column("free_tries")
        batch_op.drop_column("paid_tries")

    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_attempt_open", sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL")
        )
        batch_op.create_index(batch_op.f("ix_attempt_gateway_ended_at"), ["gateway", "ended_at"], unique=False)
        batch_op.drop_column("number")
        batch_op.drop_column("fine")
        batch_op.drop_column("ecm")
        batch_op.drop_column("modem")
        batch_op.drop_column("asked_mode")

    op.drop_table("destination")
    with op.batch_alter_table("alarm", schema=None) as batch_op:
        batch_op.drop_index("ix_alarm_open")

    op.drop_table("alarm")
