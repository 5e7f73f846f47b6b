// The conversation: adds entries, updates them in place, and shows their progress.

import { announce } from "./words.js";

const list = document.getElementById("entries");
const latest = document.getElementById("latest");
const earlier = document.getElementById("earlier");

/** The HTML that each entry was last made from, so that a repeat changes nothing; and the number of its newest change. */
const made = new Map([...list.children].map((entry) => [entry.id, entry.outerHTML]));
const newest = new Map();

/** The entries of ended jobs; none of them opens again, whatever arrives late. */
const ended = new Set([...list.children].filter((entry) => !("open" in entry.dataset)).map((entry) => entry.id));

/** A picture that takes longer to load is shown while it loads. */
const PATIENCE_MS = 4000;

/** Return the element of a piece of the server's HTML. */
export function element(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content.firstElementChild;
}

export function atBottom() {
  const { scrollHeight } = document.documentElement;
  return scrollHeight - window.innerHeight - window.scrollY < 96;
}

export function toBottom() {
  window.scrollTo({ top: document.documentElement.scrollHeight });
}

/** Change the conversation; a reader at its end stays at the end, any other reader keeps their position. */
export function keepPlace(change) {
  const follow = atBottom();
  change();
  if (follow) toBottom();
  else latest.hidden = atBottom();
}

/** Put an entry at the end of the conversation, or before another. */
export function add(entry, before = null) {
  entry.classList.add("new");
  keepPlace(() => list.insertBefore(entry, before));
}

/** Show the current state of a job's entry: in place if it exists, otherwise at the end. */
export async function show(html, before = null) {
  const entry = element(html);
  const now = entry.outerHTML;
  const isOpen = "open" in entry.dataset;
  if (made.get(entry.id) === now || (isOpen && ended.has(entry.id))) return;
  made.set(entry.id, now);
  if (!isOpen) ended.add(entry.id);
  const change = (newest.get(entry.id) ?? 0) + 1;
  newest.set(entry.id, change);
  if (!document.getElementById(entry.id)) {
    // Lines are answered in order, so accepted jobs stand before the lines still being sent.
    const next = before ?? later(entry) ?? list.querySelector(":scope > [data-state=sending]");
    // An entry older than all shown entries comes later with the earlier entries, in its place.
    if (next && next === list.firstElementChild && !earlier.hidden) made.delete(entry.id);
    else add(entry, next);
    return;
  }
  await loaded(entry);
  if (newest.get(entry.id) !== change) return;
  replace(document.getElementById(entry.id), entry);
}

/** Return the first entry requested later than this entry, or nothing: events arrive in any order. */
function later(entry) {
  return [...list.children].find((one) => Number(one.dataset.at) > Number(entry.dataset.at)) ?? null;
}

function replace(old, entry) {
  if (!old) return;
  // Keep the preview until there is a better image.
  const preview = old.querySelector("img.blank");
  const blank = entry.querySelector(".blank");
  if (preview && blank) blank.replaceWith(preview);
  uncover(old, entry);
  const answer = old.querySelector(":scope > .answer");
  if (answer) entry.querySelector(".line").after(answer);
  const focused = old.contains(document.activeElement) ? (document.activeElement.dataset.wire ?? "") : null;
  const ended = "open" in old.dataset && !("open" in entry.dataset);
  keepPlace(() => old.replaceWith(entry));
  if (focused !== null) (entry.querySelector(`[data-wire="${CSS.escape(focused)}"]`) ?? entry).focus({ preventScroll: true });
  if (ended) announce(entry.querySelector(".status").textContent);
}

/** Keep uncovered pictures uncovered: by id, or by position if the old entry showed a preview, which has no id. */
function uncover(old, entry) {
  const previews = [...old.querySelectorAll("div.picture .cover")];
  for (const [number, cover] of entry.querySelectorAll(".cover").entries()) {
    const id = cover.closest("[data-picture]")?.dataset.picture;
    const before = old.querySelector(`[data-picture="${CSS.escape(id)}"] .cover`) ?? previews[number];
    cover.open = before?.open ?? false;
  }
}

/** Wait until the pictures of an entry can be displayed at once, so that nothing flashes. */
async function loaded(entry) {
  const pictures = [...entry.querySelectorAll("img")];
  for (const picture of pictures) picture.loading = "eager";
  const all = Promise.allSettled(pictures.map((picture) => picture.decode()));
  if (pictures.length) await Promise.race([all, new Promise((done) => setTimeout(done, PATIENCE_MS))]);
}

/** Show the progress of a job. */
export function progress({ id, n, of, status, preview }) {
  for (const one of document.querySelectorAll(`[data-status-of="${CSS.escape(id)}"]`)) one.textContent = status;
  const entry = document.getElementById(`job-${id}`);
  const bar = entry?.querySelector("progress");
  if (!bar) return;
  entry.dataset.state = "running";
  bar.max = of;
  bar.value = n;
  if (preview) look(entry.querySelector(".blank"), preview);
}

function look(blank, preview) {
  if (!blank) return;
  if (blank.localName === "img") {
    blank.src = preview;
    return;
  }
  const picture = new Image(blank.getAttribute("width"), blank.getAttribute("height"));
  picture.className = blank.getAttribute("class");
  picture.alt = "";
  picture.src = preview;
  // Replace it only once it is decoded: an empty frame would flicker.
  picture.decode().then(
    () => blank.replaceWith(picture),
    () => {},
  );
}

/** Show a sentence beside its subject; `calm` means that it is not a problem. */
export function tell(near, sentence, { calm = false } = {}) {
  const place = near?.querySelector("[data-problem]");
  if (!place) {
    announce(sentence);
    return;
  }
  place.toggleAttribute("data-calm", calm);
  keepPlace(() => {
    place.hidden = !sentence;
    place.textContent = sentence;
  });
  if (sentence) announce(sentence);
}

/** Show the bot's reply in the entry of the line that it answers. */
export function answer(entry, said) {
  let place = entry.querySelector(":scope > .answer");
  if (!place) {
    place = document.createElement("div");
    place.className = "answer";
    entry.firstElementChild.after(place);
  }
  keepPlace(() => place.replaceChildren(said));
  announce(said.querySelector(".words")?.textContent ?? "");
}

/** Put older entries before all others without moving the text being read. */
export function addEarlier(pieces, more) {
  const first = list.firstElementChild;
  const read = first?.querySelector(".line");
  const top = read?.getBoundingClientRect().top;
  // Some browsers also keep the scroll position, by another measure; only one of us may do it.
  const { style } = document.documentElement;
  style.overflowAnchor = "none";
  for (const html of pieces) {
    const entry = element(html);
    if (!document.getElementById(entry.id)) list.insertBefore(entry, first);
  }
  earlier.hidden = !more;
  if (read) window.scrollBy({ top: read.getBoundingClientRect().top - top });
  requestAnimationFrame(() => requestAnimationFrame(() => (style.overflowAnchor = "")));
}

/** Return the id of the oldest job shown. */
export function oldest() {
  return list.querySelector("[data-job]")?.dataset.job ?? "";
}

latest.addEventListener("click", () => {
  toBottom();
  latest.hidden = true;
  list.lastElementChild?.focus({ preventScroll: true });
});

let following = true;
window.addEventListener(
  "scroll",
  () => {
    following = atBottom();
    if (following) latest.hidden = true;
  },
  { passive: true },
);
// A growing line, or its fields, must not cover the text being read.
new ResizeObserver(() => following && toBottom()).observe(document.querySelector(".foot"));
