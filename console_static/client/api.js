// The API, as the console asks it. Every error is a Problem; every answer keeps its numbers exact.

import { readJson, writeJson } from "./exact-json.js";

const ROOT = "/api";
const TOKEN = "lfr.token";

/** What the API has against a request. (RFC 9457) `errors`: those of a flow, with line and column. */
export class Problem extends Error {
  constructor(status, told = {}) {
    super(told.detail || told.title || "the API cannot be reached");
    this.status = status;
    this.hint = told.hint ?? "";
    this.errors = told.errors ?? [];
  }
}

/** The token that is sent; empty: none. */
export const token = () => sessionStorage.getItem(TOKEN) ?? localStorage.getItem(TOKEN) ?? "";

/** Send this token from now on; beyond this tab only if asked so. */
export function keepToken(text, remember) {
  forgetToken();
  (remember ? localStorage : sessionStorage).setItem(TOKEN, text);
}

/** Send no token any more. */
export function forgetToken() {
  sessionStorage.removeItem(TOKEN);
  localStorage.removeItem(TOKEN);
}

const REFUSED = "lfr:refused";

/** Call this whenever the API asks for a token that it has not got. Gives what ends that. */
export function whenRefused(call) {
  addEventListener(REFUSED, call);
  return () => removeEventListener(REFUSED, call);
}

const PATIENCE = 120_000; // milliseconds, for an answer as a whole

/** Ask, and get the response itself. Raises Problem if it is no success. */
export async function ask(method, path, { body, headers = {}, signal = AbortSignal.timeout(PATIENCE) } = {}) {
  const sent = { ...headers };
  if (token()) sent.Authorization = `Bearer ${token()}`;
  let response;
  try {
    response = await fetch(ROOT + path, { method, body, headers: sent, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0);
  }
  if (response.ok) return response;
  if (response.status === 401) dispatchEvent(new Event(REFUSED));
  const text = await response.text().catch(() => "");
  throw new Problem(response.status, told(text, response));
}

function told(text, response) {
  try {
    return JSON.parse(text);
  } catch {
    return { title: `${response.status} ${response.statusText}` };
  }
}

/** All of an answer. Raises Problem if it breaks off. */
const textOf = (response) => response.text().catch(() => Promise.reject(new Problem(0)));

/** What is at a path, read as JSON. */
export const get = async (path) => readJson(await getText(path));

/** What is at a path, as text. */
export const getText = async (path) => textOf(await ask("GET", path));

/** A page of a list, and where the next one begins: null behind the last. */
export async function getPage(path) {
  const response = await ask("GET", path);
  const link = /<([^>]*)>; rel="next"/.exec(response.headers.get("Link") ?? "");
  const next = link ? new URL(link[1], location.origin).searchParams.get("next") : null;
  return { items: readJson(await textOf(response)), next };
}

/** A file, as text, and the name that the API gives it. */
export async function getFile(path) {
  const response = await ask("GET", path);
  const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1];
  return { name, text: await textOf(response) };
}

/** Send JSON, and get what is answered. */
export async function send(method, path, value) {
  const body = value === undefined ? undefined : typeof value === "string" ? value : writeJson(value, 0);
  const headers = value === undefined ? {} : { "Content-Type": "application/json" };
  const text = await textOf(await ask(method, path, { body, headers }));
  return text ? readJson(text) : null;
}

/** The path of a workflow in the API, or of something of it. */
export const workflowAt = (id, rest = "") => `/workflows/${encodeURIComponent(id).replaceAll("%2F", "/")}${rest}`;

/** Let the browser save a text as a file. */
export function saveAs(name, text, type = "application/json") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
