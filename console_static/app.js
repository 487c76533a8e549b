// The shell around every page: navigation, search, news, theme, token; and which page an address is.

import { html, render, useCallback, useEffect, useErrorBoundary, useMemo, useRef, useState } from "./vendor/preact.js";
import { get, keepToken, forgetToken, token, whenRefused, workflowAt } from "./client/api.js";
import { address, workflowPath } from "./state/address.js";
import { Drop } from "./components/files.js";
import { Alarm, InstallationProvider, useAskedInstallation } from "./state/installation.js";
import { LiveMark, LiveProvider } from "./hooks/live.js";
import { useKeys } from "./hooks/keys.js";
import { RouteProvider, go, useLocation } from "./hooks/navigation.js";
import { Help } from "./components/help.js";
import { TokenPage } from "./pages/token-page.js";
import { EventsPage } from "./pages/events-page.js";
import { StartPage, receive } from "./pages/start-page.js";
import { SystemPage } from "./pages/system-page.js";
import { WorkflowPage } from "./pages/workflow-page.js";
import { WorkflowsPage } from "./pages/workflows-page.js";

const PAGES = { workflows: WorkflowsPage, workflow: WorkflowPage, start: StartPage, events: EventsPage, system: SystemPage };
const LINKS = [["/", "Workflows", ["workflows", "workflow"]], ["/start", "Start", ["start"]], ["/events", "Events", ["events"]], ["/system", "System", ["system"]]];
const THEMES = { "": "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };

function App() {
  const route = useLocation();
  const [access, setAccess] = useState({ token: token(), refused: false });
  const [live, setLive] = useState({ state: "none", since: new Date().toISOString() });
  const [paused, setPaused] = useState(false);
  const [help, setHelp] = useState(false);
  const search = useRef(null);
  const installation = useAskedInstallation(access.token);
  const report = useCallback((state) => setLive((was) => (was.state === state ? was : { state, since: new Date().toISOString() })), []);
  const news = useMemo(() => ({ paused, report }), [paused]);

  useEffect(() => {
    if (live.state === "on" || live.state === "off") installation.refresh(); // why, or that all is well again
  }, [live.state]);
  useEffect(() => whenRefused(() => setAccess((was) => ({ ...was, refused: true }))), []);
  useEffect(() => {
    document.title = [route.id.replace(/^workflow:/, "") || route.page, "lfr"].join(" · ");
  }, [route.page, route.id]);
  useKeys({ "/": () => search.current?.focus(), "?": () => setHelp(true), p: () => setPaused((is) => !is) });

  function enter(text, remember) {
    keepToken(text, remember);
    setAccess({ token: text, refused: false });
  }
  function leave() {
    forgetToken();
    setAccess({ token: "", refused: true });
  }

  const Page = PAGES[route.page] ?? Nothing;
  return html`<${RouteProvider} value=${route}><${InstallationProvider} value=${installation}><${LiveProvider} value=${news}>
    <header class="top">
      <a class="brand" href="/"><img src="/icon.svg" alt="" width="22" height="22" />lfr</a>
      <nav aria-label="Pages">${LINKS.map(([path, label, pages]) => html`<a key=${path} href=${path} aria-current=${pages.includes(route.page) ? "page" : null}>${label}</a>`)}</nav>
      <${Search} field=${search} text=${route.page === "workflows" ? route.params.text ?? "" : ""} />
      <div class="ends">
        ${live.state !== "none" || paused ? html`<${LiveMark} paused=${paused} ...${live} onToggle=${() => setPaused(!paused)} />` : null}
        <${Theme} />
        ${access.token && html`<button class="quiet" onClick=${leave}>Forget token</button>`}
        <button class="quiet" aria-label="Help" title="Help and keys (?)" onClick=${() => setHelp(true)}>?</button>
      </div>
    </header>
    ${access.refused ? html`<main><${TokenPage} onEnter=${enter} /></main>` : html`<main key=${access.token}>
      <${Alarm} />
      <${Guarded} key=${route.page + route.id}><${Page} /><//>
      <${Drop} onFile=${receive}>Drop a flow to start it, or an archive to restore it<//>
    </main>`}
    ${help && html`<${Help} onClose=${() => setHelp(false)} />`}
  <//><//><//>`;
}

/** A defect of one page is told there, and the others still work. */
function Guarded({ children }) {
  const [error, reset] = useErrorBoundary((caught) => console.error(caught));
  if (!error) return children;
  return html`<section class="empty" role="alert"><h1>This page has a defect</h1><p>${String(error.message ?? error)}</p>
    <button onClick=${reset}>Try again</button></section>`;
}

const Nothing = () => html`<section class="empty"><h1>There is nothing at this address</h1><p><a href="/">All workflows</a></p></section>`;

/** Search by a part of an id or of a flow's name; a whole id opens its workflow. */
function Search({ field, text }) {
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  async function submit(event) {
    event.preventDefault();
    const wanted = typed.trim();
    if (/^[\w.:/-]{8,}$/.test(wanted)) {
      const found = await get(workflowAt(wanted, "?values=false")).catch(() => null);
      if (found) return go(workflowPath(found.id));
    }
    go(address("/", { text: wanted }));
  }
  return html`<form class="search" role="search" onSubmit=${submit}>
    <input ref=${field} type="search" aria-label="Search workflows" placeholder="Search by id or name  ( / )" value=${typed}
      onInput=${(event) => setTyped(event.target.value)} onKeyDown=${(event) => event.key === "Escape" && event.target.blur()} />
  </form>`;
}

function Theme() {
  const [theme, setTheme] = useState(localStorage.getItem("lfr.theme") ?? "");
  useEffect(() => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    localStorage.setItem("lfr.theme", theme);
  }, [theme]);
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(theme) + 1) % names.length];
  return html`<button class="quiet" aria-label=${THEMES[theme]} title=${THEMES[theme]} onClick=${() => setTheme(next)}>${{ "": "◐", light: "☀", dark: "☾" }[theme]}</button>`;
}

const element = document.getElementById("app");
element.replaceChildren();
render(html`<${App} />`, element);
