"""A GET of an address, as a user of the service would send it. It asks the service: late is a "no"."""

from activities.checks.kind import CheckKind, Found, Means, Scene
from holdpoint.clients.probing import Answer, get
from holdpoint.models.checks import ProbeCheck
from holdpoint.models.durations import format_duration
from holdpoint.models.errors import StepConfig, UpstreamUnavailable


class Probe(CheckKind[ProbeCheck]):
    """One request; its status, its body and its time must be as is expected."""

    kind, config = "probe", ProbeCheck

    def refusal(self, config: ProbeCheck, means: Means) -> str | None:
        """Return that it may not be asked, if so."""
        try:
            means.peers.permit(config.url, None)
        except StepConfig as error:
            return error.message
        return None

    async def look(self, config: ProbeCheck, scene: Scene) -> Found:
        """Ask once. No answer is a "no": users would have none either."""
        try:
            answer = await get(config.url, scene.means.peers)
        except UpstreamUnavailable as error:
            return Found(False, error.message)
        evidence = {
            "status": answer.status,
            "seconds": round(answer.seconds, 3),
            "bytes": len(answer.body),
            "body": answer.digest,
        }
        wrong = _wrong(answer, config)
        if wrong:
            return Found(False, f"{'; '.join(wrong)}.", evidence)
        return Found(True, f"Status {answer.status} after {_time(answer)}.", evidence)


def _wrong(answer: Answer, config: ProbeCheck) -> list[str]:
    """Return what is not as it should be."""
    wrong = []
    if answer.status != config.status:
        wrong.append(f"Status {answer.status}, expected is {config.status}")
    if config.contains is not None and config.contains.encode() not in answer.body:
        wrong.append(f"The body does not hold {config.contains!r}")
    if config.within is not None and answer.seconds > config.within:
        wrong.append(f"It took {_time(answer)}, allowed are {format_duration(config.within)}")
    return wrong


def _time(answer: Answer) -> str:
    return format_duration(max(0.001, round(answer.seconds, 3)))
