"""The page of the command line says what the command says."""

from pathlib import Path

from holdpoint.cli.main import COMMANDS, GROUPS
from holdpoint.cli.reference import BEGIN, command_reference

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.partition(BEGIN)[1:] == (BEGIN, command_reference().removeprefix(BEGIN)), (
        "run docs/generate_command_line.py"
    )


def test_every_command_of_the_contract_is_there() -> None:
    contract = """up down status login validate submit rehearse list show diff history explain watch approve
    reject pause resume abort rollback promote retry confirm takeover freeze ban audit policy schema
    migrate worker api sandbox"""

    assert {name for name, _ in (*COMMANDS, *GROUPS)} == set(contract.split())
    for name in (
        "freeze create",
        "freeze lift",
        "audit export",
        "audit verify",
        "policy test",
        "sandbox fail",
    ):
        assert f"### `holdpoint {name}`" in PAGE
