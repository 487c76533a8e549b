// One field of the form for declared inputs, with its hint and its error.

import { html } from "../vendor/preact.js";

/**
 * A field of `listFields`. `content`: that of `readContent`; `error`: a message, or empty.
 * `onChange(content)` gets a text, of a check true or false.
 */
export function InputField({ field, id, content, error, onChange }) {
  const described = [field.hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  const attributes = {
    id,
    required: field.required && field.kind !== "check",
    "aria-invalid": error ? "true" : "false",
    "aria-describedby": described || null,
  };
  const control = html`<${CONTROLS[field.kind]} ...${{ field, attributes, content, onChange }} />`;
  const name = html`${field.label}${" "}${
    field.declaration.title && html`<code class="muted">${field.name}</code>${" "}`
  }${attributes.required && html`<span class="muted">(required)</span>`}`;
  return html`<div class="field">
    ${
      field.kind === "check"
        ? html`<label class="check" for=${id}>${control}<span>${name}</span></label>`
        : html`<label for=${id}>${name}</label>${control}`
    }
    ${field.hint && html`<p class="muted hint" id=${`${id}-hint`}>${field.hint}</p>`}
    ${error && html`<p class="error" id=${`${id}-error`}>${error}</p>`}
  </div>`;
}

const CONTROLS = {
  check: ({ attributes, content, onChange }) =>
    html`<input
      type="checkbox"
      ...${attributes}
      checked=${content}
      onChange=${(event) => onChange(event.target.checked)}
    />`,
  choice: ({ field, attributes, content, onChange }) =>
    html`<select ...${attributes} value=${content} onChange=${(event) => onChange(event.target.value)}>
      ${!field.hasDefault && html`<option value="">${field.required ? "Choose …" : "(none)"}</option>`}
      ${field.options.map(
        (option) => html`<option key=${option.content} value=${option.content}>${option.label}</option>`,
      )}
    </select>`,
  // A field of the type `number` would hide what is no number, round, and change under the mouse wheel.
  number: ({ field, attributes, content, onChange }) =>
    html`<input
      ...${attributes}
      inputmode=${keyboardFor(field.declaration)}
      autocomplete="off"
      value=${content}
      onInput=${(event) => onChange(event.target.value)}
    />`,
  text: ({ field, attributes, content, onChange }) =>
    String(field.initial).includes("\n")
      ? html`<textarea
          ...${attributes}
          rows="4"
          spellcheck=${false}
          value=${content}
          onInput=${(event) => onChange(event.target.value)}
        />`
      : html`<input
          ...${attributes}
          autocomplete="off"
          autocapitalize="off"
          spellcheck=${false}
          value=${content}
          onInput=${(event) => onChange(event.target.value)}
        />`,
  json: ({ attributes, content, onChange }) =>
    html`<textarea
      ...${attributes}
      rows="4"
      spellcheck=${false}
      value=${content}
      onInput=${(event) => onChange(event.target.value)}
    />`,
};

/** Return the keyboard of a phone. That for numbers may lack the minus. */
function keyboardFor({ type, minimum }) {
  if (!(minimum >= 0)) return null;
  return type === "integer" ? "numeric" : "decimal";
}
