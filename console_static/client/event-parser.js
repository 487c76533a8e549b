// The text of a stream of server-sent events -> events. (WHATWG HTML, section 9.2.6)

import { readJson } from "./exact-json.js";

/** Reads a stream that comes in parts, which break anywhere. */
export class EventReader {
  #rest = "";
  #event = {};

  /** The events that are whole now: `name`, `data` (its JSON, read), `id`. */
  read(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    return lines.flatMap((line) => this.#line(line.replace(/\r$/, "")));
  }

  #line(line) {
    if (line === "") {
      const { name = "message", data, id = "" } = this.#event;
      this.#event = {};
      return data === undefined ? [] : [{ name, id, data: readJson(data) }];
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "event") this.#event.name = value;
    if (field === "id") this.#event.id = value;
    if (field === "data") this.#event.data = this.#event.data === undefined ? value : `${this.#event.data}\n${value}`;
    return [];
  }
}
