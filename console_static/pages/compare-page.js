// The page that compares two workflows: flows, inputs, outputs, and what became of each step.

import { html, useEffect, useState } from "../vendor/preact.js";
import { apiPath, getJson, idSegments } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { Clock, StateLabel } from "../components/indicators.js";
import { useRoute } from "../hooks/navigation.js";
import { buildAddress, shortenId, workflowAddress } from "../state/address.js";
import { compareAddress, flowAddress, formatSeconds } from "../state/flow-runs.js";

export function ComparePage() {
  const { first = "", second = "" } = useRoute().params;
  const [loaded, setLoaded] = useState({ comparison: null, problem: null });
  useEffect(() => {
    let isStale = false;
    getJson(apiPath(first, `/compare/${idSegments(second)}`)).then(
      (comparison) => isStale || setLoaded({ comparison, problem: null }),
      (problem) => isStale || setLoaded({ comparison: null, problem }),
    );
    return () => {
      isStale = true;
    };
  }, [first, second]);
  const { comparison, problem } = loaded;
  return html`<section class="page compare">
    <div class="heading">
      <h1>Two runs compared</h1>
      <div class="buttons"><a class="button" href=${compareAddress(second, first)}>Swap</a></div>
    </div>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${!comparison && !problem && html`<p class="loading">Loading …</p>`}
    ${comparison && html`<${Comparison} comparison=${comparison} />`}
  </section>`;
}

const Comparison = ({ comparison }) => html`
  <div class="columns">
    <${RunCard} title="First" run=${comparison.first} />
    <${RunCard} title="Second" run=${comparison.second} />
  </div>
  <${FlowChanges} changes=${comparison.changes} />
  <${Differences} title="Input" differences=${comparison.input} />
  <${Differences} title="Output" differences=${comparison.output} />
  <h2>Steps</h2>
  <table class="list compared-steps">
    <thead>
      <tr>
        <th>Step</th><th>First</th><th class="right">Duration</th><th>Second</th>
        <th class="right">Duration</th><th>Differs</th>
      </tr>
    </thead>
    <tbody>
      ${comparison.steps.map(
        (step, at) => html`<${StepRow} key=${at} step=${step} comparison=${comparison} />`,
      )}
    </tbody>
  </table>
`;

const RunCard = ({ title, run }) => html`<div class="card">
  <span class="muted">${title}</span>
  <span>
    <a href=${workflowAddress(run.id)}>${shortenId(run.id)}</a> <${StateLabel} state=${run.state} />
  </span>
  <span class="about">
    ${run.name && html`<a href=${flowAddress(run.name)}>${run.name}</a>`}
    ${run.version && html`<span>version ${run.version}</span>`}
    <span>started <${Clock} at=${run.started} /></span>
    <span>took ${formatSeconds(run.seconds)}</span>
  </span>
  ${run.reason && html`<span class="tone-failed reason">${run.reason}</span>`}
</div>`;

const FlowChanges = ({ changes }) => html`<h2>Flow</h2>
  ${changes.length ? html`<pre class="changes">${changes.join("\n")}</pre>` : html`<${Same} />`}`;

const Differences = ({ title, differences }) => html`<h2>${title}</h2>
  ${
    differences.length
      ? html`<table class="list differences">
          <thead><tr><th>Place</th><th>First</th><th>Second</th></tr></thead>
          <tbody>
            ${differences.map(
              ({ path, first, second }) => html`<tr key=${path}>
                <td class="name"><code>${path}</code></td>
                <td data-label="First"><code>${first ?? "nothing"}</code></td>
                <td data-label="Second"><code>${second ?? "nothing"}</code></td>
              </tr>`,
            )}
          </tbody>
        </table>`
      : html`<${Same} />`
  }`;

const Same = () => html`<p class="muted">The same in both.</p>`;

function StepRow({ step, comparison }) {
  const parts = ["input", "output"].filter((name) => step[name] === false);
  const hasParted = step.first?.state !== step.second?.state || parts.length > 0;
  return html`<tr class=${hasParted ? "parted" : ""}>
    <td class="name"><strong>${step.title}</strong></td>
    ${["first", "second"].map(
      (name) => html`<td data-label=${name}>
          ${step[name] ? html`<${StepLink} id=${comparison[name].id} step=${step[name]} />` : "–"}
        </td>
        <td class="right number">${step[name] ? formatSeconds(step[name].seconds) : ""}</td>`,
    )}
    <td class="now">${parts.join(", ")}</td>
  </tr>`;
}

const StepLink = ({ id, step }) => html`<a
    href=${buildAddress(workflowAddress(id), { step: step.index })}
    aria-label=${`Step ${step.index} of ${shortenId(id)}`}
  >
    <${StateLabel} step state=${step.state} />
  </a>
  ${step.reason && html`<span class="reason muted"> ${step.reason}</span>`}`;
