// Queue and history: beside the conversation on wide screens, a sheet on small screens.

import { on } from "./live.js";
import { part } from "./talk.js";
import { announce } from "./words.js";

const panel = document.getElementById("panel");
const history = document.getElementById("history");
const words = document.getElementById("search-words");

const TYPING_MS = 250;
const SETTLING_MS = 800;

let asked = 0;
let timer = 0;

const isShown = () => panel.checkVisibility();

/** Fetch a page of the history; the first page replaces the list, later pages are appended. */
export async function page(number = 1) {
  const mine = ++asked;
  const query = new URLSearchParams({ words: words.value.trim(), page: number });
  let html;
  try {
    html = await part(`/history?${query}`);
  } catch {
    // Keep the current list; live.js reports that the server is away.
    return;
  }
  if (mine !== asked) return;
  const holder = document.createElement("template");
  holder.innerHTML = html;
  for (const over of number > 1 ? history.querySelectorAll(":scope > :not(.pictures)") : [...history.children]) over.remove();
  history.append(holder.content);
  if (words.value) announce(history.querySelector(".nothing")?.textContent ?? "");
}

function soon(milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(page, milliseconds);
}

words.addEventListener("input", () => soon(TYPING_MS));
document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  soon(0);
});
panel.addEventListener("toggle", (event) => event.newState === "open" && soon(0));
panel.addEventListener("click", ({ target }) => target.closest(".wait") && panel.matches(":popover-open") && panel.hidePopover());
on("ended", () => isShown() && !words.value && soon(SETTLING_MS));
on("back", () => isShown() && !history.childElementCount && soon(0));
