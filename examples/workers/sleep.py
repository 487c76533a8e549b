"""A task worker on rqse that sleeps: `sleep (- seconds: 3 -)`. Its output is its input.

python3 sleep.py PORT
"""

import sys
import time

from rqse import EventListener, message, receipt_for


class SleepWorker(EventListener):
    """Answers start-task events for the task sleep."""

    def process(self, event_id, event):
        """Do one task; True acknowledges the event."""
        if event["base"] == "sleep":
            time.sleep((event.get("parameters") or {}).get("seconds", 1))
            answer = {key: event[key] for key in ("workflow", "name", "index", "attempt")}
            self.append(receipt_for(event_id))
            self.append(message({**answer, "output": event["input"]}, kind="end-task"))
        return True  # also for other tasks: in this group nobody else does them


if __name__ == "__main__":
    SleepWorker(
        "workflows:run", "sleep", host="127.0.0.1", port=int(sys.argv[1]), select=["start-task"]
    ).listen()
