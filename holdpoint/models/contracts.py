"""Typed names of workflows, activities, updates and signals; what they carry is defined in what this imports.

Nobody but the worker imports `workflows`; everyone else speaks to them through these names. A test holds each
name against its registration.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from holdpoint.models.activity_calls import (
    Abandoned,
    ArchiveCall,
    Archived,
    BeginCall,
    Begun,
    Call,
    CheckCall,
    CheckReport,
    CompareCall,
    Compared,
    Done,
    EvaluateCall,
    Evaluation,
    FinishCall,
    Gate,
    GateCall,
    InspectCall,
    JudgeCall,
    Judgement,
    LeaveCall,
    PostcheckCall,
    PrecheckCall,
    ScheduleCall,
    Scheduled,
    StepCall,
    StepOutcome,
    UndoCall,
    Undone,
)
from holdpoint.models.base import Model
from holdpoint.models.checks import CheckAttempt
from holdpoint.models.phases import Phase
from holdpoint.models.workflow_messages import (
    Answer,
    ApprovalGiven,
    CloseStart,
    ConfirmationGiven,
    Control,
    PromotionGiven,
    RolloutResult,
    RolloutStart,
    TicketStart,
)

A = TypeVar("A", bound=Model)
R = TypeVar("R")

TASK_QUEUE = "holdpoint"
DEPLOYMENT = "holdpoint"
SEARCH_SERVICE, SEARCH_ENVIRONMENT, SEARCH_PHASE = (
    "HoldpointService",
    "HoldpointEnvironment",
    "HoldpointPhase",
)

EMERGENCY, NORMAL, STANDARD = 1, 3, 4
"""Task and lane priorities; smaller goes first. A rollback's tasks go with 1."""
FRONT = 0
"""Lane priority of a rollback after success: before everyone who waits, emergencies too."""


def ticket_workflow(ticket: str) -> str:
    """Return the workflow ID of a ticket."""
    return f"change/{ticket}"


def rollout_workflow(target: str) -> str:
    """Return the workflow ID of the one rollout that a target can have."""
    return f"rollout/{target}"


def closing_workflow(ticket: str) -> str:
    """Return the workflow ID of what closes a ticket whose own workflow is gone."""
    return f"close/{ticket}"


@dataclass(frozen=True)
class Named(Generic[A, R]):
    """A name with the type of its one argument and of its result."""

    name: str
    argument: type[A]
    result: type[R]


CHANGE_TICKET = Named("ChangeTicket", TicketStart, Phase)
ROLLOUT = Named("Rollout", RolloutStart, RolloutResult)
CLOSE_ABANDONED = Named("CloseAbandoned", CloseStart, Phase)

EVALUATE = Named("evaluate", EvaluateCall, Evaluation)
RECORD = Named("record", Call, Done)
SCHEDULE = Named("schedule", ScheduleCall, Scheduled)
LEAVE = Named("leave", LeaveCall, Done)
PRECHECK = Named("precheck", PrecheckCall, CheckReport)
CHECK = Named("check", CheckCall, CheckAttempt)
BEGIN = Named("begin_rollout", BeginCall, Begun)
APPLY_STEP = Named("apply_step", StepCall, StepOutcome)
JUDGE = Named("judge", JudgeCall, Judgement)
GATE = Named("gate", GateCall, Gate)
POSTCHECK = Named("postcheck", PostcheckCall, CheckReport)
UNDO = Named("undo", UndoCall, Undone)
COMPARE = Named("compare", CompareCall, Compared)
FINISH = Named("finish_rollout", FinishCall, Done)
ARCHIVE = Named("archive", ArchiveCall, Archived)
INSPECT = Named("inspect_abandoned", InspectCall, Abandoned)
HAND_BACK = Named("hand_back", Call, Compared)
ACTIVITIES: tuple[Named[Any, Any], ...] = (
    EVALUATE,
    RECORD,
    SCHEDULE,
    LEAVE,
    PRECHECK,
    CHECK,
    BEGIN,
    APPLY_STEP,
    JUDGE,
    GATE,
    POSTCHECK,
    UNDO,
    COMPARE,
    FINISH,
    ARCHIVE,
    INSPECT,
    HAND_BACK,
)

APPROVE = Named("approve", ApprovalGiven, Answer)
REJECT = Named("reject", ApprovalGiven, Answer)
PAUSE = Named("pause", Control, Answer)
RESUME = Named("resume", Control, Answer)
ABORT = Named("abort", Control, Answer)
ROLLBACK = Named("rollback", Control, Answer)
PROMOTE = Named("promote", Control, Answer)
"""A word that is in no ledger: refused. It is here for histories from before such words stood there."""
PROMOTION = Named("promotion", PromotionGiven, Answer)
CONFIRM = Named("confirm", ConfirmationGiven, Answer)
UPDATES: tuple[Named[Any, Any], ...] = (
    APPROVE,
    REJECT,
    PAUSE,
    RESUME,
    ABORT,
    ROLLBACK,
    PROMOTE,
    PROMOTION,
    CONFIRM,
)

SIGNAL_WAKE = "wake"
SIGNAL_ABORT = "abort_signal"
SIGNAL_PROGRESS = "progress"
SIGNAL_CONTROL = "control"
SIGNAL_STAND_BY = "stand_by"
QUERY_STATE = "state"
