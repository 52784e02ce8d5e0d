"""The expected schedules of EventBridge Scheduler: by group and name.

One that deletes itself after its work is done (`ActionAfterCompletion`) is gone by itself. No schedule comes by itself, and what
a schedule says is changed by calls alone.
"""

from __future__ import annotations

from typing import Any, Final

from replay_proxy.observing.container import Caller
from replay_proxy.observing.expected import ExpectedContents, Look
from replay_proxy.observing.finding import Finding
from replay_proxy.observing.reader import Reader
from replay_proxy.replay.recorded_call import Call

_DEFAULT_GROUP: Final = "default"
_SEPARATOR: Final = "/"
_THERE: Final = b"1"


class Schedules(ExpectedContents):
    """The schedules of one account and region. A part is a schedule, by its group and name."""

    def see(self, call: Call) -> None:
        """Take in a call to EventBridge Scheduler."""
        params = call.params
        match call.operation:
            case "CreateSchedule" | "UpdateSchedule":
                self.put(_part(params.get("GroupName"), params["Name"]), _THERE)
            case "DeleteSchedule":
                self.drop(_part(params.get("GroupName"), params["Name"]))
            case "DeleteScheduleGroup":
                beginning = _part(params["Name"], "")
                for part in [each for each in self.parts if each.startswith(beginning)]:
                    self.drop(part)

    async def look(self, reader: Reader, caller: Caller, *, thorough: bool) -> Look | None:
        """List the schedules; nothing is read where none is expected."""
        if not self.parts:
            return None
        look, asked = Look(read="ListSchedules"), dict[str, Any]()
        while True:
            page = await reader.ask(self.container, caller, "ListSchedules", asked)
            look.seen.update({_part(each.get("GroupName"), each["Name"]): _THERE for each in page.get("Schedules", ())})
            if not page.get("NextToken"):
                return look
            asked = {"NextToken": page["NextToken"]}

    def gone(self, part: str, look: Look) -> Finding | None:
        """Return the finding for a schedule that has deleted itself."""
        group, name = part.split(_SEPARATOR)
        return Finding("DeleteSchedule", {"Name": name, "GroupName": group}, look.read, part)


def _part(group: str | None, name: str) -> str:
    return f"{group or _DEFAULT_GROUP}{_SEPARATOR}{name}"
