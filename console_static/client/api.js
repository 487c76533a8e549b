// HTTP requests to the API. Errors are Problems; JSON keeps numbers exact.

import { lastingStorage, tabStorage } from "./browser-storage.js";
import { formatJson, parseJson } from "./exact-json.js";

const ROOT = "api"; // below the address of the console
const TOKEN_KEY = "lfr.token";
const UNAUTHORIZED_EVENT = "lfr:unauthorized";
const TIMEOUT_MS = 120_000; // for a response as a whole

/**
 * An error of the API. (RFC 9457) `status` 0: no response, or a broken one. `hint`: what to do, or empty.
 * `errors`: those of a flow, each with line and column, or none. `inputs`: the members of an input that do
 * not fit what its flow declares, each with name (empty: the whole) and message, or none.
 */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {{title?: string, detail?: string, hint?: string,
   *   errors?: object[], inputs?: object[]}} [document]
   */
  constructor(status, document = {}) {
    super(document.detail || document.title || "the API cannot be reached");
    this.status = status;
    this.hint = document.hint ?? "";
    this.errors = document.errors ?? [];
    this.inputs = document.inputs ?? [];
  }
}

/** Return the whole URL of the API, without a slash at its end. */
export const apiRoot = () => new URL(ROOT, document.baseURI).href;

/** Return the stored token, or an empty text. */
export const readToken = () => tabStorage.read(TOKEN_KEY) ?? lastingStorage.read(TOKEN_KEY) ?? "";

/** Store the token in place of any other: for this tab, or with `remember` for all tabs and later visits. */
export function storeToken(token, remember) {
  deleteToken();
  (remember ? lastingStorage : tabStorage).store(TOKEN_KEY, token);
}

/** Delete the stored token, that of this tab and the remembered one. */
export function deleteToken() {
  tabStorage.remove(TOKEN_KEY);
  lastingStorage.remove(TOKEN_KEY);
}

/**
 * Log in by the link that has opened this page, if it is one: its fragment is `#login=CODE`. Remember the
 * token, and take the code out of the address.
 */
export async function logInByLink() {
  const code = /^#login=([\w-]+)$/.exec(location.hash)?.[1];
  if (!code) return;
  history.replaceState(history.state, "", location.pathname + location.search);
  const response = await fetch("login", { method: "POST", body: code }).catch(() => null);
  if (response?.ok) storeToken(await response.text(), true);
}

/** Call a function whenever the API requires another token. Return a function that ends this. */
export function onUnauthorized(callback) {
  addEventListener(UNAUTHORIZED_EVENT, callback);
  return () => removeEventListener(UNAUTHORIZED_EVENT, callback);
}

/**
 * Send a request with the stored token. Throws a Problem if the response is not a success or does not come
 * in time, and the AbortError of `signal`. A status of 401 also calls the callbacks of `onUnauthorized`, but
 * not if another token has been stored meanwhile: nothing is said of that one.
 *
 * @param {string} method
 * @param {string} path of the API, without `/api`
 * @param {{body?: string, headers?: Record<string, string>, signal?: AbortSignal}} [options]
 * @returns {Promise<Response>}
 */
export async function request(method, path, options = {}) {
  const { body, signal = AbortSignal.timeout(TIMEOUT_MS) } = options;
  const headers = { ...options.headers };
  const token = readToken();
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(ROOT + path, { method, body, headers, signal, cache: "no-store" });
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") throw error;
    throw new Problem(0);
  }
  if (response.ok) return response;
  if (response.status === 401 && token === readToken()) dispatchEvent(new Event(UNAUTHORIZED_EVENT));
  const text = await response.text().catch(() => "");
  throw new Problem(response.status, parseProblem(text, response));
}

function parseProblem(text, response) {
  try {
    return JSON.parse(text);
  } catch {
    return { title: `${response.status} ${response.statusText}` };
  }
}

/** Read the whole body. Throws a Problem if the connection breaks. */
const readBody = (response) => response.text().catch(() => Promise.reject(new Problem(0)));

/** Get a path of the API as a value of `parseJson`. Throws a Problem. */
export const getJson = async (path) => parseJson(await getText(path));

/** Get a path of the API as text. Throws a Problem. */
export const getText = async (path) => readBody(await request("GET", path));

/**
 * Get a page of a list: its `items`, and `next`, the parameter for the next page, null on the last; of
 * workflows also how many the server has `examined`, of how many `candidates`.
 */
export async function getPage(path) {
  const response = await request("GET", path);
  const link = /<([^>]*)>; rel="next"/.exec(response.headers.get("Link") ?? "");
  const next = link ? new URL(link[1], location.origin).searchParams.get("next") : null;
  const [examined = 0, candidates = 0] = (response.headers.get("Lfr-Examined") ?? "").split("/").map(Number);
  return { items: parseJson(await readBody(response)), next, examined, candidates };
}

/** Get a file: its `text`, and `name`, the file name that the API suggests, or undefined. */
export async function getFile(path) {
  const response = await request("GET", path);
  const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1];
  return { name, text: await readBody(response) };
}

/** Send a value as JSON (a text as it is; undefined: no body). Return the value of the response, or null. */
export async function sendJson(method, path, value = undefined) {
  const body = value === undefined ? undefined : typeof value === "string" ? value : formatJson(value, 0);
  const headers = value === undefined ? {} : { "Content-Type": "application/json" };
  const text = await readBody(await request(method, path, { body, headers }));
  return text ? parseJson(text) : null;
}

/**
 * Return a name as one segment of a path. `.` and `..`, which a browser would resolve, become what names
 * nothing.
 */
export const pathSegment = (name) =>
  encodeURIComponent(name).replace(/^\.{1,2}$/, (dots) => dots.replaceAll(".", "%252E"));

/** Return the id of a workflow as segments of a path. */
export const idSegments = (id) => id.split("/").map(pathSegment).join("/");

/** Return the API's path of a workflow; `rest`, such as `/history`, is appended as it is. */
export const apiPath = (id, rest = "") => `/workflows/${idSegments(id)}${rest}`;

/** Make the browser save a text as a file. */
export function saveFile(name, text, type = "application/json") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
