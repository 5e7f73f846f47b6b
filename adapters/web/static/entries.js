// The conversation: entries come, change in place, and tell how far they are.

import { announce } from "./words.js";

const list = document.getElementById("entries");
const latest = document.getElementById("latest");
const earlier = document.getElementById("earlier");

/** What each entry was last made of, so that a repeat changes nothing; and which change of it is the newest. */
const made = new Map([...list.children].map((entry) => [entry.id, entry.outerHTML]));
const newest = new Map();

/** The entries of jobs that have ended; none of them opens again, whatever arrives late. */
const ended = new Set([...list.children].filter((entry) => !("open" in entry.dataset)).map((entry) => entry.id));

/** A picture that takes longer to arrive is shown while it does. */
const PATIENCE_MS = 4000;

/** Return the element that a piece of the server's HTML is. */
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

/** Change the conversation; a reader at its end stays there, any other stays where they are. */
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

/** Show a job's entry as it is now: in its place where it has one, at the end otherwise. */
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
    // Lines are answered in their order, so what has been accepted stands before those that are still on their way.
    const next = before ?? later(entry) ?? list.querySelector(":scope > [data-state=sending]");
    // What is older than all that is shown comes with the earlier ones, in its place.
    if (next && next === list.firstElementChild && !earlier.hidden) made.delete(entry.id);
    else add(entry, next);
    return;
  }
  await loaded(entry);
  if (newest.get(entry.id) !== change) return;
  replace(document.getElementById(entry.id), entry);
}

/** Return the first entry that was asked for later than this one, or nothing: news comes in any order. */
function later(entry) {
  return [...list.children].find((one) => Number(one.dataset.at) > Number(entry.dataset.at)) ?? null;
}

function replace(old, entry) {
  if (!old) return;
  // A preview that is there already stays until there is something better.
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

/** Leave open what somebody has uncovered: each picture, or what has become of its preview, which has no name but its place. */
function uncover(old, entry) {
  const previews = [...old.querySelectorAll("div.picture .cover")];
  for (const [number, cover] of entry.querySelectorAll(".cover").entries()) {
    const id = cover.closest("[data-picture]")?.dataset.picture;
    const before = old.querySelector(`[data-picture="${CSS.escape(id)}"] .cover`) ?? previews[number];
    cover.open = before?.open ?? false;
  }
}

/** Wait until the pictures of an entry can be painted at once, so that nothing flashes. */
async function loaded(entry) {
  const pictures = [...entry.querySelectorAll("img")];
  for (const picture of pictures) picture.loading = "eager";
  const all = Promise.allSettled(pictures.map((picture) => picture.decode()));
  if (pictures.length) await Promise.race([all, new Promise((done) => setTimeout(done, PATIENCE_MS))]);
}

/** Show how far a job is. */
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
  // Swapped when it can be painted: an empty frame for one moment would flicker.
  picture.decode().then(
    () => blank.replaceWith(picture),
    () => {},
  );
}

/** Say something beside what it is about; calm words are no problem. */
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

/** Show what the bot says in the entry of the line that it answers. */
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

/** Put older entries before all others without moving what is being read. */
export function addEarlier(pieces, more) {
  const first = list.firstElementChild;
  const read = first?.querySelector(".line");
  const top = read?.getBoundingClientRect().top;
  // Browsers keep the place too, some of them, by another measure; one of us has to.
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

/** Return the id of the oldest job that is shown. */
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
// A line that grows, or its fields, must not cover what is being read.
new ResizeObserver(() => following && toBottom()).observe(document.querySelector(".foot"));
