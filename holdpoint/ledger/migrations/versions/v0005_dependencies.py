"""Which tickets wait for which: whoever closes finds who is to be told."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table. Tickets that are open by now name no others."""
    op.create_table(
        "dependencies",
        sa.Column("ticket", sa.String(length=64), nullable=False),
        sa.Column("needs", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("ticket", "needs"),
    )
    op.create_index("dependencies_by_need", "dependencies", ["needs"])
