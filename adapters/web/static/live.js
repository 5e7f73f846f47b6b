// What happens while the page is open: cards, progress and the queue as they change, and whether the server is there.

import { progress, show } from "./entries.js";
import { ask, Away, LoggedOut, renew } from "./talk.js";
import { say } from "./words.js";

const state = document.getElementById("state");
const queue = document.getElementById("queue");

/** A stumble that is over by then is nobody's business. */
const GRACE_MS = 1500;

/** A page that is out of sight for longer lets go of its stream, for browsers allow six to all pages of a server together and load
 * no seventh page beside them. When it is seen again it has a fresh look at everything. */
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

/** Have something done when the server is there again (`back`) or when a job has ended (`ended`). */
export function on(event, listener) {
  listeners[event].push(listener);
}

/** Say that the server does not answer. */
export function away() {
  state.textContent = say("offline");
}

/** Say nothing any more, where the server answers and the stream is open too. */
export function here() {
  if (source?.readyState === EventSource.OPEN) state.textContent = "";
}

/** Say that the server asks for a token again. */
export function loggedOut() {
  source?.close();
  const link = document.createElement("a");
  link.href = "/login";
  link.textContent = say("logged-out");
  state.replaceChildren(link);
}

/** Listen to the server; again and again, should it be away. */
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
  // While it is connecting the browser tries again by itself; when it has given up, we do.
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

/** Fetch the page anew and take from it what happened meanwhile. */
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
// A stream that a page in the back of the browser holds open would keep the server from closing.
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
    // Timers of a page out of sight may not have come, so the clock is asked too.
    isAsleep = false;
    missed = true;
    listen();
  }
}

document.addEventListener("visibilitychange", seen);
seen();
