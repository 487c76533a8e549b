// What is known of one workflow: asked for, kept true by its news, asked for again where news do not tell all.

import { workflowAt } from "../client/api.js";
import { addFacts, isLater, lacksWait, takeChanges, wantsWhole } from "./workflow.js";

const SOONEST = 300;
const SLOWEST = 10_000;

/**
 * Knows a workflow without the values of its steps, and its history. An answer that comes late does not undo what
 * news have told meanwhile.
 */
export class WorkflowSource {
  workflow = null;
  facts = [];
  problem = null;
  /** Milliseconds that the last answer took. */
  took = 200;

  #id;
  #get;
  #tell;
  #loading = null;
  #isWanted = false;
  #meanwhile = [];
  #timer = null;
  #patience = SOONEST; // milliseconds until it is asked again for what no news will tell
  #isClosed = false;

  /** `get(path)`: what the API has there; `tell()` is called whenever something has changed. */
  constructor(id, get, tell) {
    this.#id = id;
    this.#get = get;
    this.#tell = tell;
  }

  /** Ask for all of it. Only one question is asked at a time; what is wanted meanwhile is asked once more. */
  refresh() {
    this.#isWanted = true;
    this.#loading ??= this.#loadWhileWanted().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  /** Take in what the live stream tells. */
  take(news) {
    if (this.#isClosed || !this.workflow) return;
    if (this.#loading) this.#meanwhile.push(news);
    const before = this.workflow;
    this.workflow = takeChanges(before, news);
    this.facts = addFacts(this.facts, news.changes);
    this.#patience = SOONEST;
    if (wantsWhole(news, before)) this.#refreshSoon();
    this.#tell();
  }

  /** Tell nothing any more. */
  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Wait as many times as long as an answer takes: a large workflow is not asked for all the time. */
  #refreshSoon(least = SOONEST) {
    if (this.#timer || this.#isClosed) return;
    const wait = Math.min(Math.max(least, 5 * this.took), SLOWEST);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.refresh();
    }, wait);
  }

  async #loadWhileWanted() {
    while (this.#isWanted && !this.#isClosed) {
      this.#isWanted = false;
      this.#meanwhile = [];
      const began = performance.now();
      await this.#load().then(() => this.#hear(null), (problem) => this.#hear(problem));
      this.took = performance.now() - began;
      this.#askForWaits();
    }
  }

  #hear(problem) {
    this.problem = problem;
    if (!this.#isClosed) this.#tell();
  }

  /** First the workflow, then its history: so no fact is missing that is older than the workflow's moment. */
  async #load() {
    const whole = await this.#get(workflowAt(this.#id, "?values=false"));
    const since = this.#isSame(whole) ? sinceLast(this.facts) : "";
    const history = await this.#get(workflowAt(this.#id, `/history${since && `?since=${encodeURIComponent(since)}`}`));
    this.#take(whole, history);
  }

  #take(whole, history) {
    const isSame = this.#isSame(whole);
    const flow = isSame ? this.workflow.flow : whole.flow; // a flow never changes, and its picture is kept with it
    const newer = this.#meanwhile.filter((news) => isLater(news.moment, whole.moment));
    this.workflow = newer.reduce(takeChanges, { ...whole, flow });
    this.facts = addFacts(isSame ? this.facts : [], history);
  }

  /** What a step waits for is written a moment after its start, and no news tell of it. */
  #askForWaits() {
    if (!this.workflow || !lacksWait(this.workflow)) return;
    this.#refreshSoon(this.#patience);
    this.#patience = Math.min(2 * this.#patience, SLOWEST);
  }

  /** Whether this is the workflow that is known, and not another that was started under its id. */
  #isSame(whole) {
    return this.workflow !== null && this.workflow.started === whole.started && this.workflow.name === whole.name;
  }
}

/** A time behind which the newest facts, and those of the same time, are told again. Empty: from the beginning. */
function sinceLast(facts) {
  const last = facts.at(-1)?.at;
  return facts.findLast((fact) => fact.at < last)?.at ?? "";
}
