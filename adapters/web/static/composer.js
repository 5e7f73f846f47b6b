// The line: grows with what is written, sends, and remembers.

import * as completion from "./completion.js";
import * as form from "./form.js";
import { toBottom } from "./entries.js";
import { send } from "./outbox.js";
import { complain, current, detach } from "./picture.js";
import { own } from "./talk.js";

const composer = document.getElementById("composer");
const field = document.getElementById("line");

const DRAFT = `${own}draft`;
const LINES = `${own}lines`;
const MOST_LINES = 50;

/** The browser may forbid to keep anything; then nothing is remembered, and all else works. */
function kept(name, fallback) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? fallback;
  } catch {
    return fallback;
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Full or forbidden.
  }
}

/** Forget what was written here. */
export function forget() {
  for (const name of [DRAFT, LINES]) keep(name, null);
}

let lines = kept(LINES, []);
let back = 0;
let unsent = "";

/** Put a text into the line as if it had been typed, and go there. */
export function put(text) {
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
  field.setSelectionRange(text.length, text.length);
}

/** Send a line; the person sees it at once. */
export function submit(line) {
  lines = [...lines.filter((one) => one !== line), line].slice(-MOST_LINES);
  keep(LINES, lines);
  back = 0;
  send(line, current());
  detach();
  toBottom();
}

function grow() {
  field.style.blockSize = "auto";
  field.style.blockSize = `${field.scrollHeight + 2}px`;
}

/** Go back (1) or forth (-1) in what was sent before. Return whether there was something. */
function recall(step) {
  const next = back + step;
  if (next < 0 || next > lines.length) return false;
  if (back === 0) unsent = field.value;
  back = next;
  const place = back;
  put(back ? lines[lines.length - back] : unsent);
  back = place;
  completion.close();
  return true;
}

const alone = (event) => !(event.shiftKey || event.ctrlKey || event.altKey || event.metaKey);

function inList(event) {
  const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
  const entering = event.key === "ArrowDown" && !completion.isInside();
  if (event.key in steps && (completion.isInside() || entering)) completion.move(steps[event.key]);
  else if (event.key === "Tab" || (event.key === "Enter" && completion.isInside())) return completion.take();
  else if (event.key === "Escape") completion.close();
  else return false;
  return true;
}

function inLine(event) {
  if (event.key === "Enter") composer.requestSubmit();
  else if (event.key === "Escape") return form.close();
  else if (event.key === "ArrowUp" && (back || !field.selectionEnd)) return recall(1);
  else if (event.key === "ArrowDown" && back) return recall(-1);
  else return false;
  return true;
}

field.addEventListener("keydown", (event) => {
  if (event.isComposing || !alone(event)) return;
  if ((completion.isOpen() && inList(event)) || inLine(event)) event.preventDefault();
});
field.addEventListener("input", () => {
  grow();
  complain("");
  back = 0;
  keep(DRAFT, field.value);
});
composer.addEventListener("submit", (event) => {
  event.preventDefault();
  const line = field.value.trim();
  if (!line && !current().length) {
    field.focus();
    return;
  }
  submit(line);
  completion.close();
  put("");
});

// What the browser restored by itself after a reload is as good.
field.value ||= kept(DRAFT, "");
grow();
window.addEventListener("resize", grow);
