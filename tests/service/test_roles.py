"""The role table, as the contract states it; what it does not name is denied."""

import pytest

from holdpoint.models.errors import AccessDenied
from holdpoint.service.roles import ACCOUNT_ROLES, Actor, Permission, require
from tests.service.world import actor

CONTRACT = {
    Permission.READ: {"ci", "approver", "approver2", "sre", "commander", "auditor"},
    Permission.SUBMIT: {"ci", "approver", "approver2", "sre"},
    Permission.DECIDE: {"approver", "approver2"},
    Permission.CONTROL: {"sre", "commander"},
    Permission.CONTROL_OWN: {"ci"},
    Permission.PROMOTE: {"sre", "commander"},
    Permission.TAKE_OVER: {"sre", "commander"},
    Permission.FREEZE: {"commander"},
    Permission.LIFT_BAN: {"sre", "commander"},
    Permission.EXPORT: {"auditor", "sre"},
    Permission.PAYLOADS: {"auditor", "sre"},
}


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("account", ACCOUNT_ROLES)
def test_every_account_may_exactly_what_the_contract_says(permission: Permission, account: str) -> None:
    assert actor(account).may(permission) == (account in CONTRACT[permission])


@pytest.mark.parametrize("permission", Permission)
def test_without_a_role_nothing_is_allowed(permission: Permission) -> None:
    with pytest.raises(AccessDenied):
        require(Actor(account="nobody", roles=frozenset()), permission)
