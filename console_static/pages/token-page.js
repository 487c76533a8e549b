// The page that asks for a token.

import { html, useState } from "../vendor/preact.js";
import { readToken } from "../client/api.js";

/** The page. It calls `onEnter(token, remember)`; it neither checks nor stores the token. */
export function TokenPage({ onEnter }) {
  const [text, setText] = useState("");
  const [remember, setRemember] = useState(false);
  const submit = (event) => {
    event.preventDefault();
    if (text.trim()) onEnter(text.trim(), remember);
  };
  return html`<form class="narrow panel" onSubmit=${submit}>
    <h1>A token is required</h1>
    ${readToken() && html`<p class="trouble" role="alert"><strong>This token is wrong.</strong></p>`}
    <p>
      This server requires a token: the setting <code>api.token</code>, or else one that its first start has
      made. On the server, <code>lfr token</code> prints it, and <code>lfr token --link</code> an address that
      logs you in.
    </p>
    <label>
      Token${" "}
      <input
        type="password"
        autocomplete="current-password"
        autofocus
        value=${text}
        onInput=${(event) => setText(event.target.value)}
      />
    </label>
    <label class="check">
      <input type="checkbox" checked=${remember} onChange=${(event) => setRemember(event.target.checked)} />
      ${" "}Remember it in this browser
    </label>
    <div class="buttons"><button class="primary">Enter</button></div>
  </form>`;
}
