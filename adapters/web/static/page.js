// The page as a whole: routes clicks, and runs the start-up.

import * as completion from "./completion.js";
import * as composer from "./composer.js";
import * as filling from "./filling.js";
import * as form from "./form.js";
import { addEarlier, atBottom, element, keepPlace, oldest, toBottom } from "./entries.js";
import { listen } from "./live.js";
import * as outbox from "./outbox.js";
import * as panel from "./panel.js";
import * as picture from "./picture.js";
import { pressed } from "./press.js";
import { ask } from "./talk.js";
import { announce } from "./words.js";
import * as viewer from "./viewer.js";

const earlier = document.getElementById("earlier");

async function learn() {
  try {
    const commands = await (await ask("/commands")).json();
    completion.learn(commands);
    form.learn(commands);
    picture.learn(commands);
  } catch {
    // The line works without suggestions; the next load of the page fetches them.
  }
}

async function showEarlier() {
  earlier.setAttribute("aria-busy", "true");
  try {
    const { cards, more } = await (await ask(`/earlier?before=${encodeURIComponent(oldest())}`)).json();
    addEarlier(cards, more);
  } finally {
    earlier.removeAttribute("aria-busy");
  }
}

function after({ jobs = [], reply, form: toFill }, button) {
  if (toFill) filling.open(toFill, button.closest(".entry"));
  if (jobs.length) document.getElementById(`job-${jobs[0].id}`)?.scrollIntoView({ block: "nearest" });
  const said = reply ? element(reply) : null;
  if (said) announce(said.querySelector(".words")?.textContent ?? "");
  // A reply to a button of an answer, such as More, goes below that answer; the results of other buttons appear in their card.
  const asked = button.closest(".answer .reply");
  if (said && asked) {
    keepPlace(() => asked.after(said));
    button.remove();
  }
  // Remove an answered question; if the card has changed, it is already gone.
  if (button.isConnected && button.matches(".asking")) button.remove();
}

/** Carry out the action of the clicked element; return whether it has one. */
function follow(target) {
  const wanted = (name) => target.closest(`[data-${name}]`);
  const figure = target.closest("[data-picture]") ?? wanted("view")?.closest(".entry, .reply")?.querySelector("[data-picture]");
  if (wanted("view") && figure) viewer.open(figure);
  else if (wanted("say-line")) composer.submit(wanted("say-line").dataset.sayLine);
  else if (wanted("edit")) again(target.closest(".entry"));
  else if (wanted("discard")) target.closest(".entry").remove();
  else if (wanted("close")) filling.close(wanted("close").form);
  else if (wanted("wire")?.closest("#panel") && wanted("wire").dataset.wire.startsWith("history:")) {
    void panel.page(Number(wanted("wire").dataset.wire.split(":").at(-1)));
  } else if (wanted("wire") && !target.closest("#viewer")) pressed(wanted("wire"), after);
  else return false;
  return true;
}

function again(entry) {
  const { line, pictures } = outbox.takeBack(entry);
  composer.put(line);
  // Which files it accepts depends on the command.
  for (const { file, name } of pictures) picture.attach(file, name);
}

document.addEventListener("click", (event) => {
  const plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.button);
  if (plain && follow(event.target)) event.preventDefault();
});
earlier.addEventListener("click", () => showEarlier().catch(() => {}));
document.getElementById("logout")?.addEventListener("submit", () => {
  composer.forget();
  void outbox.forget();
});

// After a reload the reader stays in place: at the end if they were there, otherwise the browser restores the position.
const PLACE = "easel:at-end";
window.addEventListener("pagehide", () => sessionStorage.setItem(PLACE, atBottom() ? "yes" : "no"));
if (!location.hash && sessionStorage.getItem(PLACE) !== "no") toBottom();

// A link of the gallery carries a line in its hash, to be sent or changed.
const brought = new URLSearchParams(location.hash.slice(1)).get("line");
if (brought) {
  const field = document.getElementById("line");
  field.value = brought;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  history.replaceState(null, "", location.pathname);
}

listen();
void learn();
void outbox.resume();
if (document.getElementById("panel").checkVisibility() && !document.getElementById("history").childElementCount) void panel.page();
if (matchMedia("(hover: hover)").matches) document.getElementById("line").focus({ preventScroll: true });
