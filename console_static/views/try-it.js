// A form that sends a GET of the API and shows the response.

import { html, useState } from "../vendor/preact.js";
import { request } from "../client/api.js";
import { formatJson, parseJson } from "../client/exact-json.js";
import { ProblemMessage } from "../components/dialog.js";
import { requestPath } from "../state/api-operations.js";

const MAX_CHARACTERS = 20_000;

/** `values` are the texts of the parameters, by name; `onValues` gets them when one changes. */
export function TryIt({ operation, values, onValues }) {
  const [result, setResult] = useState(null);
  const parameters = operation.parameters.filter(({ place }) => place !== "header");
  const missing = parameters.find(({ name, isRequired }) => isRequired && !values[name]?.trim());
  async function send(event) {
    event.preventDefault();
    setResult({ isRunning: true });
    const start = performance.now();
    try {
      const response = await request("GET", requestPath(operation, values));
      const { text, isCut } = await readBeginning(response);
      const milliseconds = Math.round(performance.now() - start);
      setResult({ status: response.status, text: isCut ? text : indent(text), isCut, milliseconds });
    } catch (problem) {
      setResult({ problem });
    }
  }
  return html`<form class="try-it" onSubmit=${send}>
    <h3>Try it</h3>
    ${parameters.map(
      ({ name, isRequired, help }) => html`<label key=${name}>
        ${name}${" "}
        <input
          value=${values[name] ?? ""}
          required=${isRequired}
          title=${help}
          onInput=${(event) => onValues({ ...values, [name]: event.target.value })}
        />
      </label>`,
    )}
    <div class="buttons"><button aria-disabled=${missing ? "true" : null}>Send</button></div>
    <div role="status">
      ${result?.isRunning && "Sending …"}
      ${result?.status && `${result.status} after ${result.milliseconds} ms`}
    </div>
    ${
      result?.text !== undefined &&
      html`<pre class="outline" tabindex="0" role="region" aria-label="Response">${result.text}</pre>`
    }
    ${result?.isCut && html`<p class="muted">The response goes on: this is its beginning.</p>`}
    ${result?.problem && html`<${ProblemMessage} problem=${result.problem} />`}
  </form>`;
}

/** Read up to MAX_CHARACTERS of a response; what follows is not loaded. */
async function readBeginning(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (text.length <= MAX_CHARACTERS) {
    const { value, done } = await reader.read();
    if (done) return { text, isCut: false };
    text += value;
  }
  await reader.cancel();
  return { text: text.slice(0, MAX_CHARACTERS), isCut: true };
}

/** Return a JSON text with indents, and any other text as it is. */
function indent(text) {
  try {
    return formatJson(parseJson(text));
  } catch {
    return text;
  }
}
