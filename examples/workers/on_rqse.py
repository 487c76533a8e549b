"""A worker with rqse alone: it uses nothing of lfr but the events on the stream.

    python3 on_rqse.py PORT

It does two tasks. `text:upper` puts its output into the end-task event. `text:reverse` writes it as workers
for littleflow_redis do: as a string under WORKFLOW:output:INDEX, before the end-task.
"""

import json
import sys

from rqse import EventListener, message, receipt_for


class TextWorker(EventListener):
    """Does the tasks text:upper and text:reverse."""

    def process(self, event_id, event):
        """Do one task. True acknowledges the event."""
        task = event.get("base")
        if task not in ("text:upper", "text:reverse"):
            return True
        answer = {key: event.get(key) for key in ("workflow", "name", "index")}
        try:
            text = event["input"]["text"]
            if task == "text:upper":
                answer["output"] = {"text": text.upper()}
            else:
                key = f"{event['workflow']}:output:{event['index']}"
                self.connection.set(key, json.dumps({"text": text[::-1]}))
            answer["status"] = "SUCCESS"
        except Exception as error:  # without an end-task the workflow waits for ever
            answer |= {"status": "FAILURE", "reason": f"{type(error).__name__}: {error}"}
        self.append(receipt_for(event_id))
        self.append(message(answer, kind="end-task"))
        return True


if __name__ == "__main__":
    port = int(sys.argv[1])
    TextWorker("workflows:run", "text", host="127.0.0.1", port=port, select=["start-task"]).listen()
