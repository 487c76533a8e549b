"""A worker with rqse that sleeps: `sleep (- seconds: 3 -)`. Its output is its input.

python3 sleep.py PORT
"""

import sys
import time

from rqse import EventListener, message, receipt_for


class SleepWorker(EventListener):
    """Does the task sleep."""

    def process(self, event_id, event):
        """Do one task. True acknowledges the event."""
        if event.get("base") == "sleep":
            answer = {key: event.get(key) for key in ("workflow", "name", "index", "attempt", "run")}
            try:
                time.sleep((event.get("parameters") or {}).get("seconds", 1))
                answer |= {"status": "SUCCESS", "output": event.get("input")}
            except Exception as error:  # without an end-task the workflow waits for ever
                answer |= {"status": "FAILURE", "reason": f"{type(error).__name__}: {error}"}
            self.append(receipt_for(event_id))
            self.append(message(answer, kind="end-task"))
        return True  # other tasks too: no other worker of this group does them


if __name__ == "__main__":
    SleepWorker(
        "workflows:run", "sleep", host="127.0.0.1", port=int(sys.argv[1]), select=["start-task"]
    ).listen()
