"""What each ticket brings, by digest, and the digests that were rolled back.

Tickets that were evaluated before have none: they stand for no artifact until it succeeds again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the two digests of a ticket, and make the table of bans."""
    op.add_column("tickets", sa.Column("artifact", sa.String(length=80)))
    op.add_column("tickets", sa.Column("content", sa.String(length=80)))
    op.create_index("tickets_by_artifact", "tickets", ["service", "artifact", "phase"])
    op.create_table(
        "bans",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("service", sa.String(length=64), nullable=False),
        sa.Column("environment", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("covers", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("artifact", sa.String(length=80), nullable=False),
        sa.Column("ticket", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("lifted_at", sa.BigInteger()),
        sa.Column("lifted_by", sa.Text()),
        sa.Column("lift_reason", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("bans_by_digest", "bans", ["service", "digest"])
