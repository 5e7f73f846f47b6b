// Live updates of the open page: cards, progress and the queue, and whether the server is reachable.

import { progress, show } from "./entries.js";
import { ask, Away, LoggedOut, renew } from "./talk.js";
import { say } from "./words.js";

const state = document.getElementById("state");
const queue = document.getElementById("queue");

/** Interruptions shorter than this are not reported. */
const GRACE_MS = 1500;

/** A page hidden for longer than this closes its stream, because browsers allow six connections to all pages of a server together and
 * load no seventh page beside them. When the page is visible again, it fetches everything again. */
const ASLEEP_MS = 10_000;

const MOST_WAIT_MS = 30_000;

let source = null;
let missed = false;
let grace = 0;
let wait = 1000;
let hiddenAt = 0;
let dozing = 0;
let isAsleep = false;
const listeners = { back: [], ended: [] };

/** Register a listener for when the server is reachable again (`back`) or when a job has ended (`ended`). */
export function on(event, listener) {
  listeners[event].push(listener);
}

/** Show that the server does not answer. */
export function away() {
  state.textContent = say("offline");
}

/** Clear the state if the server answers and the stream is open too. */
export function here() {
  if (source?.readyState === EventSource.OPEN) state.textContent = "";
}

/** Show that the server requires a token again. */
export function loggedOut() {
  source?.close();
  const link = document.createElement("a");
  link.href = "/login";
  link.textContent = say("logged-out");
  state.replaceChildren(link);
}

/** Listen to the server's events; reconnect as often as needed. */
export function listen() {
  source?.close();
  if (isAsleep) return;
  source = new EventSource("/events");
  source.addEventListener("open", opened);
  source.addEventListener("error", lost);
  source.addEventListener("card", (event) => {
    const card = JSON.parse(event.data);
    void show(card.html);
    if (!["waiting", "paused", "running"].includes(card.state)) for (const told of listeners.ended) told();
  });
  source.addEventListener("progress", (event) => progress(JSON.parse(event.data)));
  source.addEventListener("said", (event) => void show(JSON.parse(event.data).html));
  source.addEventListener("queue", (event) => (queue.innerHTML = JSON.parse(event.data).html));
}

function opened() {
  clearTimeout(grace);
  grace = 0;
  wait = 1000;
  state.textContent = "";
  if (missed) void catchUp();
  missed = false;
  for (const told of listeners.back) told();
}

function lost() {
  missed = true;
  grace ||= setTimeout(away, GRACE_MS);
  // While connecting, the browser retries; after it has given up, this page retries.
  if (source.readyState === EventSource.CLOSED) setTimeout(retry, wait);
}

async function retry() {
  wait = Math.min(wait * 2, MOST_WAIT_MS);
  try {
    await ask("/queue");
  } catch (error) {
    if (error instanceof LoggedOut) {
      clearTimeout(grace);
      loggedOut();
      return;
    }
  }
  listen();
}

/** Fetch the page again and apply the changes missed in the meantime. */
async function catchUp() {
  try {
    const fresh = new DOMParser().parseFromString(await (await ask("/")).text(), "text/html");
    renew(fresh);
    for (const entry of fresh.querySelectorAll("#entries > .entry")) await show(entry.outerHTML);
    queue.innerHTML = fresh.getElementById("queue")?.innerHTML ?? queue.innerHTML;
  } catch (error) {
    if (error instanceof LoggedOut) loggedOut();
    else if (!(error instanceof Away)) throw error;
  }
}

window.addEventListener("online", listen);
window.addEventListener("offline", () => {
  missed = true;
  away();
});
// A stream held open by a page in the back/forward cache would keep the server from shutting down.
window.addEventListener("pagehide", () => source?.close());
window.addEventListener("pageshow", (event) => event.persisted && ((missed = true), listen()));
function sleep() {
  isAsleep = true;
  clearTimeout(grace);
  grace = 0;
  source?.close();
}

function seen() {
  clearTimeout(dozing);
  if (document.hidden) {
    hiddenAt = Date.now();
    dozing = setTimeout(sleep, ASLEEP_MS);
  } else if (isAsleep || (hiddenAt && Date.now() - hiddenAt > ASLEEP_MS)) {
    // Timers of a hidden page may have been delayed, so the clock is checked too.
    isAsleep = false;
    missed = true;
    listen();
  }
}

document.addEventListener("visibilitychange", seen);
seen();
