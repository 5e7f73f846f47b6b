// Lines being sent to the server: kept in the browser until the server has answered, and sent one after another.

import { add, answer, element, keepPlace, show, tell } from "./entries.js";
import { open } from "./filling.js";
import { away, here, loggedOut, on } from "./live.js";
import { Away, LoggedOut, newKey, own, patience, post } from "./talk.js";
import { say } from "./words.js";

const pattern = document.getElementById("pending").content.firstElementChild;

const MOST_WAIT_MS = 30_000;

const waiting = [];
const refused = new WeakMap();
let busy = false;
let pause = 2000;
let timer = 0;

/** Open the browser's database; without storage, lines are still sent, but closing the page loses the unsent lines. */
const store = new Promise((done) => {
  const opening = indexedDB.open(`${own}outbox`, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("lines", { keyPath: "key" });
  opening.onsuccess = () => done(opening.result);
  opening.onerror = () => done(null);
}).catch(() => null);

async function stored(mode, action) {
  const database = await store;
  if (!database) return undefined;
  return new Promise((done) => {
    const asked = action(database.transaction("lines", mode).objectStore("lines"));
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => done(undefined);
  });
}

/** Send a line with its pictures, each `{file, name}`; it is kept until the server has answered. */
export function send(line, pictures = []) {
  const item = { key: newKey(), line, pictures, at: Date.now() };
  void stored("readwrite", (lines) => lines.put(item));
  enqueue(item);
  void pump();
}

/** Send the lines that were left when the page was closed. */
export async function resume() {
  const left = (await stored("readonly", (lines) => lines.getAll())) ?? [];
  for (const item of left.sort((one, other) => one.at - other.at)) enqueue(item);
  void pump();
}

/** Forget all unsent lines, as logging out requires. */
export async function forget() {
  waiting.length = 0;
  await stored("readwrite", (lines) => lines.clear());
}

/** Take a refused line out of the conversation and return it with its pictures, to be corrected. */
export function takeBack(entry) {
  entry.remove();
  const item = refused.get(entry);
  return { line: item.line, pictures: picturesOf(item) };
}

/** Return the pictures of a line; a line stored by an earlier version has one at most. */
const picturesOf = ({ pictures, picture }) => pictures ?? (picture ? [{ file: picture, name: "" }] : []);

/** Return a line as form data: a picture without a name fills the first free parameter. */
function formOf(item) {
  const form = new FormData();
  form.append("line", item.line);
  form.append("key", item.key);
  for (const { file, name } of picturesOf(item)) form.append(name ? `picture-${name}` : "picture", file);
  return form;
}

function enqueue(item) {
  const entry = pattern.cloneNode(true);
  entry.dataset.key = item.key;
  entry.querySelector(".line").textContent = item.line;
  add(entry);
  waiting.push({ item, entry });
}

async function pump() {
  if (busy) return;
  busy = true;
  clearTimeout(timer);
  try {
    while (waiting.length) {
      const { item, entry } = waiting[0];
      const answer = await post("/say", formOf(item), patience(picturesOf(item).length));
      void stored("readwrite", (lines) => lines.delete(item.key));
      pause = 2000;
      here();
      settle(entry, waiting.shift().item, answer);
    }
  } catch (error) {
    if (error instanceof LoggedOut) loggedOut();
    else if (error instanceof Away) later();
    else throw error;
    for (const { entry } of waiting) entry.querySelector(".status").textContent = say("kept");
  } finally {
    busy = false;
  }
}

function later() {
  away();
  timer = setTimeout(pump, pause);
  pause = Math.min(pause * 2, MOST_WAIT_MS);
}

function settle(entry, item, { error, reply, jobs = [], form }) {
  if (error) {
    refuse(entry, item, error);
    return;
  }
  // If the stream was quicker, its card is newer.
  for (const job of jobs) if (!document.getElementById(`job-${job.id}`)) void show(job.html, entry);
  const first = jobs.length ? document.getElementById(`job-${jobs[0].id}`) : null;
  const said = reply ? element(reply) : null;
  if (said && said.childElementCount) answer(first ?? entry, said);
  if (said && !first) answered(entry);
  if (form) open(form, entry);
  if (first || !said) keepPlace(() => entry.remove());
}

function answered(entry) {
  entry.dataset.state = "answered";
  keepPlace(() => entry.querySelector(".told").remove());
}

function refuse(entry, item, sentence) {
  entry.dataset.state = "refused";
  refused.set(entry, item);
  keepPlace(() => {
    entry.querySelector(".told").remove();
    entry.querySelector(".presses").hidden = false;
  });
  tell(entry, sentence);
}

on("back", () => void pump());
