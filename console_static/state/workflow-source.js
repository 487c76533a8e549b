// Loads one workflow and keeps it current.

import { apiPath } from "../client/api.js";
import { appendFacts, applyUpdate, isLater, lacksWaitDetails, needsReload } from "./workflow.js";

const MIN_DELAY_MS = 300;
const MAX_DELAY_MS = 10_000;

/**
 * Holds a workflow (without the values of its steps) and its history. It applies live updates, and reloads
 * the workflow for what updates do not contain. A late response does not undo newer updates.
 */
export class WorkflowSource {
  workflow = null;
  facts = [];
  problem = null;
  /** The duration of the last load in milliseconds. */
  loadMs = 200;

  #id;
  #get;
  #onChange;
  /** @type {Promise<void>|null} */
  #loading = null;
  #isReloadNeeded = false;
  #updatesWhileLoading = [];
  #timer = null;
  #waitDelayMs = MIN_DELAY_MS; // until the next reload for the details of waits
  #isClosed = false;

  /**
   * @param {string} id
   * @param {(path: string) => Promise<any>} get gets a path of the API
   * @param {() => void} onChange called after each change of the public fields
   */
  constructor(id, get, onChange) {
    this.#id = id;
    this.#get = get;
    this.#onChange = onChange;
  }

  /** Load the workflow and its newer history; errors become `problem`. During a load, request one more. */
  refresh() {
    this.#isReloadNeeded = true;
    this.#loading ??= this.#loadWhileNeeded().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  /** Apply an update of the live stream. */
  applyUpdate(update) {
    if (this.#isClosed || !this.workflow) return;
    if (this.#loading) this.#updatesWhileLoading.push(update);
    const before = this.workflow;
    this.workflow = applyUpdate(before, update);
    this.facts = appendFacts(this.facts, update.changes);
    this.#waitDelayMs = MIN_DELAY_MS;
    if (needsReload(update, before)) this.#scheduleRefresh();
    this.#onChange();
  }

  /** Start no more loads and no longer call `onChange`. */
  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Refresh after a multiple of the load time, so that large workflows are not loaded all the time. */
  #scheduleRefresh(minimumMs = MIN_DELAY_MS) {
    if (this.#timer || this.#isClosed) return;
    const delayMs = Math.min(Math.max(minimumMs, 5 * this.loadMs), MAX_DELAY_MS);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.refresh();
    }, delayMs);
  }

  async #loadWhileNeeded() {
    while (this.#isReloadNeeded && !this.#isClosed) {
      this.#isReloadNeeded = false;
      this.#updatesWhileLoading = [];
      const began = performance.now();
      await this.#load().then(
        () => this.#setProblem(null),
        (problem) => this.#setProblem(problem),
      );
      this.loadMs = performance.now() - began;
      this.#scheduleRefreshForWaits();
    }
  }

  #setProblem(problem) {
    this.problem = problem;
    if (!this.#isClosed) this.#onChange();
  }

  /** Load the workflow, then its history, so that the history has all facts up to the workflow's moment. */
  async #load() {
    const workflow = await this.#get(apiPath(this.#id, "?values=false"));
    const since = this.#isSameRun(workflow) ? findResumeTime(this.facts) : "";
    const query = since && `?since=${encodeURIComponent(since)}`;
    this.#merge(workflow, await this.#get(apiPath(this.#id, `/history${query}`)));
  }

  #merge(workflow, history) {
    const isSame = this.#isSameRun(workflow);
    const flow = isSame ? this.workflow.flow : workflow.flow; // the same object, so that its layout is reused
    const updates = this.#updatesWhileLoading.filter((update) => isLater(update.moment, workflow.moment));
    this.workflow = updates.reduce(applyUpdate, { ...workflow, flow });
    this.facts = appendFacts(isSame ? this.facts : [], history);
  }

  /** Reload for the details of waits: they are stored shortly after the start of a step, without an event. */
  #scheduleRefreshForWaits() {
    if (!this.workflow || !lacksWaitDetails(this.workflow)) return;
    this.#scheduleRefresh(this.#waitDelayMs);
    this.#waitDelayMs = Math.min(2 * this.#waitDelayMs, MAX_DELAY_MS);
  }

  /** Return whether the loaded workflow is the same run, not a later one with the same id. */
  #isSameRun({ started, name }) {
    return this.workflow !== null && this.workflow.started === started && this.workflow.name === name;
  }
}

/**
 * Return the time to load newer history from: before the newest facts, because more facts may have their
 * time. Empty: load all.
 */
function findResumeTime(facts) {
  const last = facts.at(-1)?.at;
  return facts.findLast((fact) => fact.at < last)?.at ?? "";
}
