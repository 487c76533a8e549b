// Dead letters by their reason, each with its event: retry or dismiss those that are chosen, or a group.

import { html, useEffect, useState } from "../vendor/preact.js";
import { LETTER_ACTIONS, runLetterAction } from "../client/actions.js";
import { getJson } from "../client/api.js";
import { Confirm, ProblemMessage } from "../components/dialog.js";
import { EventFields } from "../components/event-fields.js";
import { Clock } from "../components/indicators.js";
import { showNotice } from "../components/notices.js";
import { useAccess } from "../state/access.js";

/** How many of the newest the page loads. */
export const MAX_LETTERS = 100;

const MAX_ROWS = 5;

const countLetters = (count) =>
  `${count.toLocaleString("en")} ${count === 1 ? "dead letter" : "dead letters"}`;

/** `letters`: the newest, as the API has them; `onChange()` is called when some have been handled. */
export function DeadLetters({ letters, now, onChange }) {
  const may = useAccess();
  const [selected, setSelected] = useState(new Set());
  const [question, setQuestion] = useState(null);
  const [opened, setOpened] = useState(new Set());
  const [changes, setChanges] = useState(0);
  const chosen = letters.filter((letter) => selected.has(letter.id)).map((letter) => letter.id);
  const select = (ids, isSelected) => {
    const selection = new Set(selected);
    for (const id of ids) isSelected ? selection.add(id) : selection.delete(id);
    setSelected(selection);
  };
  const ask = (action, selection, subject) => setQuestion({ action, selection, subject });
  return html`
    ${
      letters.length > 0 &&
      html`<h2 class="tone-failed" id="dead-letters">Dead letters</h2>
        <p class="muted">
          Events that could not be understood, or that no workflow wants. They were set aside and block
          nothing.
          ${letters.length === MAX_LETTERS && ` These are the newest ${MAX_LETTERS}.`}
        </p>`
    }
    ${
      chosen.length > 0 &&
      html`<div class="bulk" role="toolbar" aria-label="For what is chosen">
        <span>${chosen.length} chosen</span>
        ${Object.entries(LETTER_ACTIONS).map(
          ([word, { label }]) => html`<button
            key=${word}
            onClick=${() => ask(word, { ids: chosen }, countLetters(chosen.length))}
          >
            ${label}
          </button>`,
        )}
        <button class="quiet" onClick=${() => setSelected(new Set())}>Choose none</button>
      </div>`
    }
    ${groupByPattern(letters).map(([pattern, members]) => {
      const rows = opened.has(pattern) ? members : members.slice(0, MAX_ROWS);
      const ids = members.map((letter) => letter.id);
      const areChosen = ids.every((id) => selected.has(id));
      return html`<article class="dead-letters" key=${pattern} aria-label=${pattern}>
        <div class="heading">
          <h3>
            <span class="number">${members.length}</span> × <span class="reason">${pattern}</span>
          </h3>
          ${
            may("operate") &&
            html`<div class="buttons">
              ${Object.entries(LETTER_ACTIONS).map(
                ([word, { label }]) => html`<button
                  key=${word}
                  onClick=${() => ask(word, { pattern }, "all dead letters with this reason")}
                >
                  ${label} all
                </button>`,
              )}
            </div>`
          }
        </div>
        <table class="list">
          <thead>
            <tr>
              ${
                may("operate") &&
                html`<th class="tick">
                  <input
                    type="checkbox"
                    aria-label="Choose all with this reason"
                    checked=${areChosen}
                    onChange=${() => select(ids, !areChosen)}
                  />
                </th>`
              }
              <th>Time</th>
              <th>Reason</th>
              <th>Event</th>
            </tr>
          </thead>
          <tbody>
            ${rows.map(
              (letter) => html`<tr key=${letter.id} class=${selected.has(letter.id) ? "ticked" : ""}>
                ${
                  may("operate") &&
                  html`<td class="tick">
                    <input
                      type="checkbox"
                      aria-label=${`Choose ${letter.id}`}
                      checked=${selected.has(letter.id)}
                      onChange=${(event) => select([letter.id], event.target.checked)}
                    />
                  </td>`
                }
                <td title=${letter.id}><${Clock} at=${letter.at} now=${now} /></td>
                <td class="reason">${letter.reason}</td>
                <td><${EventFields} fields=${letter.fields} /></td>
              </tr>`,
            )}
          </tbody>
        </table>
        ${
          members.length > rows.length &&
          html`<p>
            <button class="quiet" onClick=${() => setOpened(new Set([...opened, pattern]))}>
              Show ${members.length - rows.length} more
            </button>
          </p>`
        }
      </article>`;
    })}
    <${Dismissed} now=${now} changes=${changes} onRetry=${(letter) =>
      ask("retry", { ids: [letter.id], dismissed: true }, "a dead letter that was dismissed")} />
    ${
      question &&
      html`<${LetterQuestion}
        ...${question}
        onClose=${() => setQuestion(null)}
        onDone=${() => {
          setSelected(new Set());
          setChanges(changes + 1);
          onChange();
        }}
      />`
    }
  `;
}

function groupByPattern(letters) {
  const groups = new Map();
  for (const letter of letters) {
    groups.set(letter.pattern, [...(groups.get(letter.pattern) ?? []), letter]);
  }
  return [...groups];
}

function LetterQuestion({ action, selection, subject, onClose, onDone }) {
  const { label, ask, effect, done, danger } = LETTER_ACTIONS[action];
  return html`<${Confirm}
    title=${ask(subject)}
    word=${label}
    danger=${danger}
    act=${(reason) => runLetterAction(action, selection, reason)}
    onClose=${onClose}
    onDone=${({ changed, problems }) => {
      const others = Object.values(problems);
      const rest = others.length ? `; ${others.length} not: ${others[0]}` : "";
      showNotice(`${countLetters(changed)} ${done}${rest}`);
      onDone();
    }}
  >
    ${
      selection.pattern !== undefined &&
      html`<p class="reason">${selection.pattern}</p>
        <p>Those that this page does not show, too.</p>`
    }
    <p>${effect}</p>
  <//>`;
}

/** The dead letters that were dismissed, by whom; loaded when it is opened, and after each of `changes`. */
function Dismissed({ now, changes, onRetry }) {
  const may = useAccess();
  const [letters, setLetters] = useState(null);
  const [problem, setProblem] = useState(null);
  const [isOpen, setIsOpen] = useState(false);
  useEffect(() => {
    if (isOpen) getJson(`/dead-letters?dismissed=true&size=${MAX_LETTERS}`).then(setLetters, setProblem);
  }, [isOpen, changes]);
  return html`<details class="dismissed" onToggle=${(event) => setIsOpen(event.currentTarget.open)}>
    <summary>Dismissed dead letters</summary>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${isOpen && !letters && !problem && html`<p class="loading">Loading …</p>`}
    ${letters?.length === 0 && html`<p class="muted">None.</p>`}
    ${
      letters?.length > 0 &&
      html`<table class="list">
        <thead>
          <tr><th>Dismissed</th><th>By</th><th>Reason of the letter</th><th>Event</th>
            ${may("operate") && html`<th><span class="hidden">Actions</span></th>`}</tr>
        </thead>
        <tbody>
          ${letters.map(
            (letter) => html`<tr key=${letter.id}>
              <td><${Clock} at=${letter.dismissed.at} now=${now} /></td>
              <td data-label="By">
                ${letter.dismissed.by ?? "–"}
                ${letter.dismissed.reason && html`<span class="muted">: ${letter.dismissed.reason}</span>`}
              </td>
              <td class="reason">${letter.reason}</td>
              <td><${EventFields} fields=${letter.fields} /></td>
              ${
                may("operate") &&
                html`<td class="right"><button onClick=${() => onRetry(letter)}>Retry</button></td>`
              }
            </tr>`,
          )}
        </tbody>
      </table>`
    }
  </details>`;
}
