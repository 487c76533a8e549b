// Flows for tests: made by hand, or at random from a seed. They are numbered as the compiler numbers them.

/** Random numbers from 0 to 1 that are the same for the same seed. (Park and Miller's generator) */
export function randomOf(seed) {
  let state = (seed * 7919 + 1) % 2147483647;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/**
 * A flow of statements: `["a", "b"]` is a chain, `{ all: [...] }` a subflow of statements, `{ of: …, guard, …
 * }` one step.
 */
export function flowOf(statements) {
  const flow = { steps: [], edges: [] };
  const add = (step) => flow.steps.push({ index: flow.steps.length, ...step }) - 1;
  const start = add({ kind: "start" });
  const ends = statements.map((statement) => chain(statement, start));
  const end = add({ kind: "end" });
  for (const last of ends) join(last, end);
  return flow;

  function chain(statement, before) {
    return statement.reduce((last, part) => place(part, last), before);
  }
  function place(part, before) {
    if (typeof part === "string") return linked(add({ kind: "task", name: part }), before);
    if (!part.all) return linked(add({ kind: "task", ...part }), before);
    const { all, ...rest } = part;
    const subflow = linked(add({ kind: "subflow", ...rest }), before);
    const lasts = all.map((statement) => chain(statement, subflow));
    const last = add({ kind: "subflow-end" });
    flow.steps[subflow].end = last;
    for (const each of lasts) join(each, last);
    return last;
  }
  function linked(index, before) {
    join(before, index);
    return index;
  }
  function join(from, to) {
    if (!flow.edges.some(([one, other]) => one === from && other === to)) flow.edges.push([from, to]);
  }
}

/**
 * Some flow: chains, fans, subflows in subflows, guards, iterations, edges that jump and edges that lead
 * back.
 */
export function randomFlow(seed) {
  const random = randomOf(seed);
  const some = (most) => 1 + Math.floor(random() * most);
  const statement = (depth) => Array.from({ length: some(4) }, () => part(depth));
  const part = (depth) => {
    const extras = { ...(random() < 0.2 && { guard: "$.a" }), ...(random() < 0.2 && { iterate: true }) };
    if (depth < 4 && random() < 0.35)
      return { ...extras, all: Array.from({ length: some(5) }, () => statement(depth + 1)) };
    return { name: `task-${Math.floor(random() * 1000)}`, ...extras };
  };
  const flow = flowOf(Array.from({ length: some(4) }, () => statement(0)));
  const { length } = flow.steps;
  for (let count = Math.floor(random() * 4); count > 0; count -= 1) {
    const [one, other] = [Math.floor(random() * (length - 1)), Math.floor(random() * (length - 1))];
    const edge = [Math.max(one, other), random() < 0.5 ? 0 : Math.min(one, other)];
    if (random() < 0.5) edge.reverse();
    if (edge[1] !== 0 || edge[0] !== 0) flow.edges.push(edge);
  }
  flow.edges = [...new Map(flow.edges.map((edge) => [edge.join(), edge])).values()];
  return flow;
}

/** A flow of one chain, or with `wide` of one fan, of so many steps. */
export function largeFlow(count, wide = false) {
  const steps = Array.from({ length: count }, (_, index) => ({ index, kind: "task", name: `step-${index}` }));
  steps[0] = { index: 0, kind: "start" };
  steps[count - 1] = { index: count - 1, kind: "end" };
  const edges = [];
  for (let at = 1; at < count; at += 1) {
    if (!wide) edges.push([at - 1, at]);
    else if (at < count - 1) edges.push([0, at], [at, count - 1]);
  }
  return { steps, edges };
}
