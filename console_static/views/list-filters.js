// The filter above the list of workflows: a field for each condition, and what is set as chips.

import { html, useEffect, useState } from "../vendor/preact.js";
import { formatClock } from "../format/times.js";
import { navigate } from "../hooks/navigation.js";
import { shortenId } from "../state/address.js";

const FIELDS = [
  { name: "name", label: "Flow", placeholder: "order", describe: (value) => `of the flow ${value}` },
  { name: "label", label: "Label", placeholder: "tenant=7", describe: (value) => `labelled ${value}` },
  {
    name: "since",
    label: "Started within",
    placeholder: "1d",
    describe: (value) => `started since ${value}`,
  },
  { name: "reason", label: "Reason", placeholder: "timeout", describe: (value) => `failed with “${value}”` },
];
const OTHERS = [
  { name: "text", describe: (value) => `with “${value}”` },
  { name: "failure", describe: () => "failed for one cause" },
  { name: "parent", describe: (value) => `children of ${shortenId(value)}` },
  { name: "ended", describe: (value) => `ended since ${formatClock(value) || value}` },
];

/** The conditions that are set; a click removes one. `linkTo` returns the address with other filters. */
export const FilterChips = ({ filters, linkTo }) => {
  const chips = [...OTHERS, ...FIELDS].filter(({ name }) => filters[name]);
  return (
    chips.length > 0 &&
    html`<p class="chips">
      ${chips.map(
        ({ name, describe }) => html`<a class="chip" key=${name} href=${linkTo({ [name]: "" })}>
          ${describe(filters[name])} <span aria-label="remove">×</span>
        </a>`,
      )}
    </p>`
  );
};

/** A field for each condition; Enter or the button applies them. `children` stand behind it. */
export function FilterForm({ filters, linkTo, children }) {
  const read = () => Object.fromEntries(FIELDS.map(({ name }) => [name, filters[name] ?? ""]));
  const [draft, setDraft] = useState(read());
  useEffect(() => setDraft(read()), [JSON.stringify(filters)]);
  const submit = (event) => {
    event.preventDefault();
    navigate(linkTo(Object.fromEntries(Object.entries(draft).map(([name, value]) => [name, value.trim()]))));
  };
  return html`<form class="filters" aria-label="Filter" onSubmit=${submit}>
    ${FIELDS.map(
      ({ name, label, placeholder }) => html`<label key=${name}>
        ${label}
        <input
          value=${draft[name]}
          placeholder=${placeholder}
          onInput=${(event) => setDraft({ ...draft, [name]: event.target.value })}
        />
      </label>`,
    )}
    <button>Filter</button>
    ${children}
  </form>`;
}
