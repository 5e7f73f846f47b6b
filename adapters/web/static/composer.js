// The line: it grows with its text, sends it, and remembers it.

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

/** The browser may forbid storage; then nothing is remembered, and everything else works. */
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
    // Storage is full or forbidden.
  }
}

/** Forget the lines and the draft. */
export function forget() {
  for (const name of [DRAFT, LINES]) keep(name, null);
}

let lines = kept(LINES, []);
let back = 0;
let unsent = "";

/** Put a text into the line as if the user had typed it, and focus the line. */
export function put(text) {
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
  field.setSelectionRange(text.length, text.length);
}

/** Send a line; it appears in the conversation at once. */
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

/** Go back (1) or forward (-1) in the lines sent before. Return whether there was one. */
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

// Text that the browser restored after a reload takes precedence.
field.value ||= kept(DRAFT, "");
grow();
window.addEventListener("resize", grow);
