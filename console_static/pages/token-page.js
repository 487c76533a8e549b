// The page that asks for a token, where one is needed.

import { html, useState } from "../vendor/preact.js";
import { token } from "../client/api.js";

/** Ask for the token. `onEnter(text, remember)`. */
export function TokenPage({ onEnter }) {
  const [text, setText] = useState("");
  const [remember, setRemember] = useState(false);
  const submit = (event) => {
    event.preventDefault();
    if (text.trim()) onEnter(text.trim(), remember);
  };
  return html`<form class="narrow panel" onSubmit=${submit}>
    <h1>A token is asked for</h1>
    ${token() && html`<p class="trouble" role="alert"><strong>The token that was given is not known here.</strong></p>`}
    <p>The server was started beyond this machine alone, so it asks who comes. Its token is the setting${" "}
      <code>api.token</code>; if none was set, one was made at its first start, and the server's log says in which file.</p>
    <label>Token <input type="password" autocomplete="current-password" autofocus value=${text} onInput=${(event) => setText(event.target.value)} /></label>
    <label class="check"><input type="checkbox" checked=${remember} onChange=${(event) => setRemember(event.target.checked)} /> Remember it in this browser</label>
    <div class="buttons"><button class="primary">Enter</button></div>
  </form>`;
}
