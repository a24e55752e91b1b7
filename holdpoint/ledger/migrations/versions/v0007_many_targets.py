"""The targets of tickets that have many: each is found by any of them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table. Tickets that are open by now have one target, which stands with them."""
    op.create_table(
        "ticket_targets",
        sa.Column("ticket", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("ticket", "target"),
    )
    op.create_index("ticket_targets_by_target", "ticket_targets", ["target"])
