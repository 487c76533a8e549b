// The shell of the console: top bar, alarms, and the page of the current address.

import {
  html,
  render,
  useCallback,
  useEffect,
  useErrorBoundary,
  useMemo,
  useRef,
  useState,
} from "./vendor/preact.js";
import { deleteToken, logInByLink, onUnauthorized, readToken, storeToken } from "./client/api.js";
import { HelpDialog, Icon, LiveButton, SearchField, ThemeButton } from "./components/top-bar.js";
import { DropZone } from "./components/transfer.js";
import { useKeys } from "./hooks/keys.js";
import { LiveProvider } from "./hooks/live.js";
import { RouteProvider, useAddress } from "./hooks/navigation.js";
import { DocsPage } from "./pages/docs-page.js";
import { ComparePage } from "./pages/compare-page.js";
import { EventsPage } from "./pages/events-page.js";
import { FlowPage } from "./pages/flow-page.js";
import { FailuresPage } from "./pages/failures-page.js";
import { NoticesPage } from "./pages/notices-page.js";
import { SchedulesPage } from "./pages/schedules-page.js";
import { StartPage, receiveFile } from "./pages/start-page.js";
import { SystemPage } from "./pages/system-page.js";
import { TokenPage } from "./pages/token-page.js";
import { WaitingPage } from "./pages/waiting-page.js";
import { WorkersPage } from "./pages/workers-page.js";
import { WorkflowPage } from "./pages/workflow-page.js";
import { WorkflowsPage } from "./pages/workflows-page.js";
import { keepTextDraft } from "./state/drafts.js";
import { AccessProvider, useRole } from "./state/access.js";
import {
  InstallationProvider,
  isAlive,
  useInstallation,
  usePolledInstallation,
} from "./state/installation.js";
import { pickFilters } from "./state/list-filter.js";
import { PauseBanner } from "./views/pauses.js";

const PAGES = {
  workflows: WorkflowsPage,
  workflow: WorkflowPage,
  flow: FlowPage,
  compare: ComparePage,
  failures: FailuresPage,
  start: StartPage,
  schedules: SchedulesPage,
  waiting: WaitingPage,
  workers: WorkersPage,
  events: EventsPage,
  notices: NoticesPage,
  system: SystemPage,
  docs: DocsPage,
};
const LINKS = [
  { path: "./", label: "Workflows", pages: ["workflows", "workflow", "flow", "compare"] },
  { path: "failures", label: "Failures", pages: ["failures"] },
  { path: "start", label: "Start", pages: ["start"] },
  { path: "schedules", label: "Schedules", pages: ["schedules"] },
  { path: "waiting", label: "Waiting", pages: ["waiting"] },
  { path: "workers", label: "Workers", pages: ["workers"] },
  { path: "events", label: "Events", pages: ["events"] },
  { path: "system", label: "System", pages: ["system", "notices", "docs"] },
];
function App() {
  const route = useAddress();
  const [access, setAccess] = useState({ token: readToken(), isRefused: false });
  const [live, setLive] = useState({ state: "none", since: new Date().toISOString() });
  const [paused, setPaused] = useState(false);
  const [isHelpOpen, setIsHelpOpen] = useState(false);
  const searchInput = useRef(null);
  const main = useRef(null);
  const wasOff = useRef(false);
  const installation = usePolledInstallation(access.token);
  const role = useRole(access.token);
  const report = useCallback((state) => {
    const since = new Date().toISOString();
    setLive((previous) => (previous.state === state ? previous : { state, since }));
  }, []);
  const liveContext = useMemo(() => ({ paused, report }), [paused]);

  useEffect(() => {
    // The state of the installation says why the updates stopped, or that it has recovered.
    if (live.state === "off" || wasOff.current) installation.refresh();
    wasOff.current = live.state === "off";
  }, [live.state]);
  useEffect(() => onUnauthorized(() => setAccess((previous) => ({ ...previous, isRefused: true }))), []);
  useEffect(() => {
    // The link that was clicked may be gone: people who use keys go on at the page, not at the top bar.
    if (document.activeElement === document.body) main.current?.focus({ preventScroll: true });
  }, [route.page, route.id]);
  useEffect(() => {
    document.title = [route.id.replace(/^workflow:/, "") || route.page, "lfr"].join(" · ");
  }, [route.page, route.id]);
  useKeys({
    "/": () => searchInput.current?.focus(),
    "?": () => setIsHelpOpen(true),
    p: () => setPaused((isPaused) => !isPaused),
  });

  function signIn(token, remember) {
    storeToken(token, remember);
    setAccess({ token, isRefused: false });
  }
  function signOut() {
    deleteToken();
    setAccess({ token: "", isRefused: true });
  }

  const Page = PAGES[route.page] ?? NotFoundPage;
  return html`<${RouteProvider} value=${route}>
    <${InstallationProvider} value=${installation}><${AccessProvider} value=${role}>
      <${LiveProvider} value=${liveContext}>
        <header class="top">
          <a class="brand" href="./"><${Icon} />lfr</a>
          <nav aria-label="Pages">
            ${LINKS.map(
              ({ path, label, pages }) => html`<a
                key=${path}
                href=${path}
                aria-current=${pages.includes(route.page) ? "page" : null}
              >
                ${label} ${path === "system" && html`<${ProblemCount} system=${installation.system} />`}
              </a>`,
            )}
          </nav>
          <${SearchField}
            inputRef=${searchInput}
            filters=${route.page === "workflows" ? pickFilters(route.params) : {}}
          />
          <div class="ends">
            ${
              (live.state !== "none" || paused) &&
              html`<${LiveButton} paused=${paused} ...${live} onToggle=${() => setPaused(!paused)} />`
            }
            <${ThemeButton} />
            ${access.token && html`<button class="quiet" onClick=${signOut}>Forget token</button>`}
            <button
              class="quiet"
              aria-label="Help"
              title="Help and keys (?)"
              onClick=${() => setIsHelpOpen(true)}
            >
              ?
            </button>
          </div>
        </header>
        ${
          access.isRefused
            ? html`<main><${TokenPage} onEnter=${signIn} /></main>`
            : html`<main key=${access.token} ref=${main} tabindex="-1">
              <${Alarm} />
              <${PauseBanner} />
              <${ErrorBoundary} key=${route.page + route.id}><${Page} /><//>
              <${DropZone} onFile=${receiveFile}>Drop a flow to start it, or an archive to restore it<//>
            </main>`
        }
        ${isHelpOpen && html`<${HelpDialog} onClose=${() => setIsHelpOpen(false)} />`}
      <//>
    <//><//>
  <//>`;
}

/** The number of problems of the installation, beside the link to the page that names them. */
function ProblemCount({ system }) {
  const count = system?.problems.length ?? 0;
  const title = count === 1 ? "1 problem" : `${count} problems`;
  return count > 0 && html`<span class="count tone-terminating" title=${title}>${count}</span>`;
}

/** A warning for every page; nothing if the installation works. */
function Alarm() {
  const { system, problem } = useInstallation();
  if (problem && problem.status !== 401) {
    const message = problem.status === 0 ? "The console's server cannot be reached." : problem.message;
    return html`<p class="alarm tone-failed" role="alert">
      <strong>${message}</strong> ${problem.hint} This page shows the last known state; the console retries.
    </p>`;
  }
  if (system && !isAlive(system, "lifecycle")) {
    return html`<p class="alarm tone-terminating" role="alert">
      <strong>No lifecycle is running, so workflows do not advance.</strong>${" "}Start one:${" "}
      <code>systemctl start lfr@lifecycle</code> or <code>lfr lifecycle</code>. <a href="system">System</a>
    </p>`;
  }
  return null;
}

/** Shows the error of a page that fails, so that the rest of the console still works. */
function ErrorBoundary({ children }) {
  const [error, reset] = useErrorBoundary((cause) => console.error(cause));
  if (!error) return children;
  return html`<section class="empty" role="alert">
    <h1>This page has a defect</h1>
    <p>${String(error.message ?? error)}</p>
    <button onClick=${reset}>Try again</button>
  </section>`;
}

const NotFoundPage = () => html`<section class="empty">
  <h1>There is nothing at this address</h1>
  <p><a href="./">All workflows</a></p>
</section>`;

if (document.readyState === "loading") {
  await new Promise((resolve) => addEventListener("DOMContentLoaded", resolve, { once: true }));
}
addEventListener("pagehide", keepTextDraft);
await logInByLink();
const element = document.getElementById("app");
element.replaceChildren();
render(html`<${App} />`, element);
