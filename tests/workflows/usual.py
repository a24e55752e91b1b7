"""What every activity answers while all goes well."""

from typing import Any

from holdpoint.models import contracts
from holdpoint.models.activity_calls import (
    Abandoned,
    Archived,
    Begun,
    CheckReport,
    Compared,
    Done,
    Gate,
    Scheduled,
    StepCall,
    StepOutcome,
    Undone,
)
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason, RollbackResult
from tests.workflows.builders import a_digest, a_try, a_verdict, an_evaluation


def usual(name: str, call: Any) -> Any:
    """Return what goes well."""
    answers: dict[str, Any] = {
        contracts.EVALUATE.name: lambda: an_evaluation(),
        contracts.SCHEDULE.name: lambda: Scheduled(granted=True),
        contracts.PRECHECK.name: lambda: CheckReport(passed=True, checks=[]),
        contracts.CHECK.name: lambda: a_try(),
        contracts.BEGIN.name: lambda: Begun(snapshot=a_digest("5"), objects=2, absent=0),
        contracts.APPLY_STEP.name: lambda: applied(call),
        contracts.JUDGE.name: lambda: a_verdict(weight=call.weight),
        contracts.GATE.name: lambda: Gate(),
        contracts.POSTCHECK.name: lambda: CheckReport(passed=True, checks=[]),
        contracts.UNDO.name: lambda: Undone(complete=True),
        contracts.COMPARE.name: lambda: Compared(result=RollbackResult.RESTORED),
        contracts.HAND_BACK.name: lambda: Compared(result=RollbackResult.RESTORED),
        contracts.ARCHIVE.name: lambda: Archived(digest=a_digest("f")),
        contracts.INSPECT.name: lambda: Abandoned(
            rollouts=[],
            phase=Phase.ABORTED,
            reason=Reason(code="workflow_lost", message="Nothing was left."),
            closed=False,
        ),
    }
    return answers.get(name, Done)()


def applied(call: StepCall) -> StepOutcome:
    """Return the outcome of a stage that went well."""
    reached = call.step.weights[call.weight].reached if call.stage == "weight" else 100.0
    return StepOutcome(status="done", reached=reached, mutated=True)
