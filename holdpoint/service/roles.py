"""Who may do what: one table, deny by default.

A role that the table does not name may do nothing; a verb that the table does not name is done by nobody.
"""

from enum import StrEnum

from holdpoint.models.base import Model
from holdpoint.models.errors import AccessDenied

ACCOUNT_ROLES: dict[str, tuple[str, ...]] = {
    "ci": ("ci",),
    "approver": ("approver",),
    "approver2": ("approver", "approver2"),
    "sre": ("sre",),
    "commander": ("commander",),
    "auditor": ("auditor",),
}
"""The role accounts of the embedded issuer, with the roles that their tokens carry."""

ROLES = frozenset(role for roles in ACCOUNT_ROLES.values() for role in roles)


class Permission(StrEnum):
    """What a route asks for. The `OWN` one holds on the caller's own tickets only."""

    READ = "read"
    SUBMIT = "submit"
    DECIDE = "approve or reject"
    CONTROL = "pause, resume, abort or roll back"
    CONTROL_OWN = "pause, resume, abort or roll back its own ticket"
    PROMOTE = "decide a hold without a verdict"
    TAKE_OVER = "take a target in hand"
    FREEZE = "freeze"
    LIFT_BAN = "lift a ban"
    EXPORT = "export evidence"
    PAYLOADS = "read or write encrypted payloads"


GRANTS: dict[Permission, frozenset[str]] = {
    Permission.READ: ROLES,
    Permission.SUBMIT: frozenset({"ci", "approver", "approver2", "sre"}),
    Permission.DECIDE: frozenset({"approver", "approver2"}),
    Permission.CONTROL: frozenset({"sre", "commander"}),
    Permission.CONTROL_OWN: frozenset({"ci"}),
    Permission.PROMOTE: frozenset({"sre", "commander"}),
    Permission.TAKE_OVER: frozenset({"sre", "commander"}),
    Permission.FREEZE: frozenset({"commander"}),
    Permission.LIFT_BAN: frozenset({"sre", "commander"}),
    Permission.EXPORT: frozenset({"auditor", "sre"}),
    Permission.PAYLOADS: frozenset({"auditor", "sre"}),
}


class Actor(Model):
    """Who asks, as their verified token says."""

    account: str
    roles: frozenset[str]

    def may(self, permission: Permission) -> bool:
        """Tell whether one of the actor's roles grants it."""
        return bool(self.roles & GRANTS.get(permission, frozenset()))

    def may_control(self, requester: str) -> bool:
        """Tell whether the actor may pause, resume, abort or roll back a ticket of this requester."""
        own = requester == self.account and self.may(Permission.CONTROL_OWN)
        return own or self.may(Permission.CONTROL)


def require(actor: Actor, permission: Permission) -> None:
    """Return if the actor may do it. Raises AccessDenied, naming who may."""
    if not actor.may(permission):
        raise AccessDenied(denial(actor, permission), permission=permission.name.lower())


def denial(actor: Actor, permission: Permission) -> str:
    """Return the sentence that tells what is missing and who has it."""
    allowed = ", ".join(sorted(GRANTS.get(permission, frozenset())))
    return f"{actor.account} may not {permission.value}. It takes one of the roles: {allowed}."
