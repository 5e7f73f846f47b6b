// The page's requests to the server, and the user that the page belongs to.

import { say } from "./words.js";

/** The server did not answer; the request can be repeated. */
export class Away extends Error {}

/** The server no longer recognises the user. */
export class LoggedOut extends Error {}

const meta = document.querySelector('meta[name="easel-token"]');

/** A prefix for keys in the browser's storage, so that two users of one browser do not mix. */
export const own = `easel:${meta.content.slice(0, 12)}:`;

/** Adopt the token of a freshly fetched page. */
export function renew(fresh) {
  meta.content = fresh.querySelector('meta[name="easel-token"]')?.content ?? meta.content;
}

/** Return a random key; a request repeated with the same key runs once. */
export function newKey() {
  // Not randomUUID: browsers offer it only on https and on localhost.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A proxy answers so for a server that is away; Easel itself says in JSON what is the matter. */
const GATEWAY = [502, 503, 504];

/** Fetch a path of the server; throws `Away` and `LoggedOut`. */
export async function ask(path, options = {}) {
  const seconds = options.seconds ?? 30;
  let answer;
  try {
    answer = await fetch(path, { ...options, signal: AbortSignal.timeout(seconds * 1000) });
  } catch {
    throw new Away();
  }
  const isOwn = answer.headers.get("content-type")?.startsWith("application/json");
  if (GATEWAY.includes(answer.status) && !isOwn) throw new Away();
  if (answer.status === 401 || (answer.redirected && new URL(answer.url).pathname === "/login")) throw new LoggedOut();
  return answer;
}

/** Return the time limit of a request in seconds; pictures take long on a slow connection. */
export const patience = (pictures) => (pictures ? 600 * pictures : 60);

/** Post values, or a form, and return the server's answer: `{error}` or `{reply, jobs, form}`; throws `Away` and `LoggedOut`. */
export async function post(path, values, seconds) {
  const isForm = values instanceof FormData;
  const body = isForm ? values : new URLSearchParams();
  if (!isForm) for (const [name, value] of Object.entries(values)) if (value) body.append(name, value);
  const answer = await ask(path, { method: "POST", body, headers: { "X-Easel-Token": meta.content }, seconds });
  try {
    return await answer.json();
  } catch {
    return { error: say("broken") };
  }
}

/** Return the HTML of a part of the page, or nothing if it does not exist now. */
export async function part(path) {
  const answer = await ask(path);
  return answer.ok ? answer.text() : "";
}
