// One picture at full size, with its settings beside it.

import { element } from "./entries.js";
import { open as fillIn } from "./filling.js";
import { press, pressed } from "./press.js";
import { announce, say } from "./words.js";

const dialog = document.getElementById("viewer");
const picture = document.getElementById("viewer-picture");
const cover = document.getElementById("viewer-cover");
const line = document.getElementById("viewer-line");
const facts = document.getElementById("viewer-facts");
const told = document.getElementById("viewer-answer");
const presses = document.getElementById("viewer-presses");
const download = document.getElementById("viewer-download");
const before = document.getElementById("viewer-before");
const after = document.getElementById("viewer-after");

/** The replies of Info, by picture: settings never change, and its buttons only when one of them is pressed here. */
const known = new Map();

let shown = [];
let at = 0;

/** Open a picture; arrow keys move to its neighbours in the same list. */
export function open(figure) {
  const list = figure.closest("#entries, #history") ?? figure.parentElement;
  shown = [...list.querySelectorAll(".picture[data-picture]")];
  go(shown.indexOf(figure));
  if (!dialog.open) dialog.showModal();
  fit();
}

function go(number) {
  at = Math.max(0, Math.min(shown.length - 1, number));
  const figure = shown[at];
  const small = figure.querySelector("img");
  const { file, width, height } = figure.dataset;
  picture.width = width;
  picture.height = height;
  // A picture covered in the conversation is covered here too.
  cover.hidden = !lid(figure);
  picture.hidden = !cover.hidden;
  picture.src = `/files/${file}`;
  picture.alt = small.alt;
  picture.classList.toggle("crisp", Math.max(width, height) < 256);
  line.textContent = small.alt;
  download.href = `/files/${file}?download`;
  before.disabled = at === 0;
  after.disabled = at === shown.length - 1;
  before.hidden = after.hidden = shown.length < 2;
  told.replaceChildren();
  facts.replaceChildren();
  offer(figure, []);
  fit();
  void settings(figure);
  if (dialog.open) announce(say("picture-at", { n: at + 1, of: shown.length }));
}

/** Return the cover of a picture, or nothing if it is uncovered. */
const lid = (figure) => figure.querySelector(".cover:not([open])");

function buttonsOf(figure) {
  const around = figure.closest(".entry, .reply, #history") ?? figure;
  return [...around.querySelectorAll(`[data-wire$=":${CSS.escape(figure.dataset.picture)}"]:not([data-view])`)];
}

/** Offer the buttons of a picture, then those of its Info; a destructive button comes last. */
function offer(figure, further) {
  const focused = presses.contains(document.activeElement) ? document.activeElement.dataset.wire : "";
  const buttons = [...buttonsOf(figure).map((one) => one.cloneNode(true)), ...further];
  presses.replaceChildren(...buttons.sort((one, other) => one.matches("[data-ask]") - other.matches("[data-ask]")));
  if (focused) presses.querySelector(`[data-wire="${CSS.escape(focused)}"]`)?.focus();
}

/** Small pictures grow so that each of their pixels covers whole screen pixels, large pictures shrink to fit. */
function fit() {
  const figure = shown[at];
  if (!figure || !dialog.open) return;
  const { clientWidth, clientHeight } = picture.parentElement;
  const factor = Math.min((clientWidth - 32) / figure.dataset.width, (clientHeight - 32) / figure.dataset.height);
  const grown = picture.classList.contains("crisp") ? Math.floor(factor * devicePixelRatio) / devicePixelRatio : 1;
  const whole = factor > 1 ? Math.max(grown, 1) : factor;
  picture.width = figure.dataset.width * whole;
  picture.height = figure.dataset.height * whole;
}

async function settings(figure) {
  const { picture: id } = figure.dataset;
  if (!known.has(id)) {
    const answer = await press(`info:${id}`, dialog);
    if (!answer) return;
    known.set(id, answer.reply);
  }
  if (shown[at] !== figure || !known.get(id)) return;
  const info = element(known.get(id));
  // The prompt is already shown above.
  for (const fact of info.querySelectorAll(".facts > div")) if (fact.querySelector("dd").textContent === line.textContent) fact.remove();
  facts.replaceChildren(...info.querySelectorAll(".facts"));
  offer(figure, [...info.querySelectorAll(":scope > .presses > button")]);
}

/** Show the answer to a button: a sentence here, a new job or a form in the conversation. */
function answered({ jobs = [], reply, form }, button) {
  const figure = shown[at];
  if (jobs.length || form || !reply || button.matches(".asking")) {
    dialog.close();
    // On a small screen the panel covers the conversation.
    figure.closest("[popover]:popover-open")?.hidePopover();
  }
  if (form) fillIn(form, figure.closest(".entry"));
  if (!dialog.open) return;
  told.replaceChildren(element(reply));
  announce(told.querySelector(".words")?.textContent ?? "");
  told.scrollIntoView({ block: "nearest" });
  known.delete(figure.dataset.picture);
  void settings(figure);
}

before.addEventListener("click", () => go(at - 1));
after.addEventListener("click", () => go(at + 1));
document.getElementById("viewer-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft" && at > 0) go(at - 1);
  else if (event.key === "ArrowRight" && at < shown.length - 1) go(at + 1);
  else return;
  event.preventDefault();
});
dialog.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-wire]");
  if (button) pressed(button, answered);
});
cover.addEventListener("click", () => {
  lid(shown[at]).open = true;
  go(at);
  document.getElementById("viewer-close").focus();
});
picture.parentElement.addEventListener("click", ({ target }) => target === picture || target === cover || dialog.close());
window.addEventListener("resize", fit);
