// Suggestions for the line: commands, parameters and values, as chips to type or to tap.

import { commandOf, flags, paramOf, written } from "./line.js";
import { ask } from "./talk.js";
import { announce, say } from "./words.js";

const field = document.getElementById("line");
const box = document.getElementById("offers");
const chips = document.getElementById("chips");
const hint = document.getElementById("hint");

/** The page carries this many suggestions per parameter; if there are more, the server is asked while the user types. */
const SENT_BEFOREHAND = 25;

let commands = [];
let stage = null;
let offers = [];
let active = -1;
let asked = 0;

/** Set the known commands; a user who typed before they arrived sees suggestions now. */
export function learn(known) {
  commands = known;
  if (field.value) look();
}

export const isOpen = () => !box.hidden;

/** Return whether the user has moved into the list. */
export const isInside = () => active >= 0;

/** Close the list until the user types again. */
export function close() {
  box.hidden = true;
  offers = [];
  choose(-1);
}

/** Read the line and show suggestions. */
export function look() {
  stage = document.activeElement === field ? stageOf(field.value, field.selectionStart) : null;
  if (!stage) {
    close();
    return;
  }
  show(stage.offers);
  void askFor(stage);
}

function show(found) {
  const before = offers.length;
  offers = found;
  chips.replaceChildren(...offers.map(chip));
  choose(-1);
  box.hidden = !offers.length && !hint.textContent;
  if (offers.length && offers.length !== before) announce(say("offered", { count: offers.length }));
}

function chip(offer, number) {
  const one = document.createElement("div");
  one.className = "chip";
  one.id = `offer-${number}`;
  one.role = "option";
  one.textContent = offer.label;
  one.ariaSelected = "false";
  if (offer.help) one.title = offer.help;
  return one;
}

function choose(number) {
  chips.children[active]?.setAttribute("aria-selected", "false");
  active = number;
  const chosen = chips.children[active];
  chosen?.setAttribute("aria-selected", "true");
  chosen?.scrollIntoView({ block: "nearest" });
  if (chosen) field.setAttribute("aria-activedescendant", chosen.id);
  else field.removeAttribute("aria-activedescendant");
  hint.textContent = offers[active]?.help || stage?.help || (offers.length === 1 ? offers[0].help : "") || "";
}

/** Select the next or the previous suggestion; before the first, the focus is on the line itself. */
export function move(step) {
  choose(Math.max(-1, Math.min(offers.length - 1, active + step)));
}

/** Put the selected suggestion, or the first, into the line. Return whether there was one. */
export function take(number = Math.max(active, 0)) {
  const offer = offers[number];
  if (!offer) return false;
  field.focus();
  field.setSelectionRange(stage.from, stage.to);
  // Insert like typed text, so that undo works. This call is deprecated, but there is no other way.
  if (!document.execCommand("insertText", false, offer.text)) {
    field.setRangeText(offer.text, stage.from, stage.to, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  return true;
}

/** Return the part of the line at the caret and its suggestions. */
function stageOf(text, caret) {
  const before = text.slice(0, caret);
  const slash = /^\s*\/([\w-]*)$/.exec(before);
  if (slash) return commandStage(before.indexOf("/"), caret, slash[1].toLowerCase());
  const { command, start } = commandOf(text, commands);
  if (!command || caret < start) return null;
  const name = /(?:^|\s)(--|[—–])([A-Za-z][\w-]*)?$/.exec(before);
  if (name) return nameStage(command, text, caret - name[1].length - (name[2] ?? "").length, caret, name[2] ?? "");
  if (start && !text.slice(start).trim()) return nameStage(command, text, caret, caret, "");
  return valueStage(command, before, caret);
}

function commandStage(from, to, typed) {
  const found = fitting(commands, typed, (one) => [one.name]);
  const known = found.length === 1 && found[0].name === typed;
  return { from, to, offers: known ? [] : found.map((one) => ({ label: `/${one.name}`, text: `/${one.name} `, help: one.help })), help: known ? found[0].help : "" };
}

function nameStage(command, text, from, to, typed) {
  const used = new Set(flags(text, command).filter((one) => one.at !== from).map((one) => one.param.name));
  const free = command.params.filter((one) => one.name !== command.free && !used.has(one.name));
  const found = fitting(free, typed, (one) => [one.name, ...one.also]);
  const blank = from > 0 && !/\s$/.test(text.slice(0, from)) ? " " : "";
  return { from, to, offers: found.map((one) => ({ label: one.name, text: `${blank}--${one.name} `, help: helpOf(one) })), help: "" };
}

function valueStage(command, before, caret) {
  const flag = flags(before, command).at(-1);
  if (!flag || flag.from > caret || caret === flag.nameEnd) return null;
  const raw = before.slice(flag.from);
  const open = /^["“”„«]?([^"“”„«»]*)$/.exec(raw);
  if (!open || (!/^["“”„«]/.test(raw) && /\s/.test(raw) && !paramOf(command, flag.param.name).suggestions.length)) return null;
  const typed = open[1].toLowerCase();
  const help = helpOf(flag.param);
  const names = valuesOf(flag.param);
  if (names.some((one) => one.toLowerCase() === typed)) return null;
  return { from: flag.from, to: caret, typed, flag, command, offers: fitting(names, typed, (one) => [one]).map((one) => value(flag.param, one)), help };
}

const value = (param, name) => ({ label: name, text: `${written(param, name)} `, help: "" });

function valuesOf(param) {
  if (param.kind === "yes-no") return ["yes", "no"];
  return param.choices.length ? param.choices : param.suggestions;
}

/** Return the items that begin with the typed text, followed by the items that contain it. */
function fitting(all, typed, names) {
  const begin = all.filter((one) => names(one).some((name) => name.toLowerCase().startsWith(typed)));
  const hold = all.filter((one) => !begin.includes(one) && names(one).some((name) => name.toLowerCase().includes(typed)));
  return [...begin, ...hold];
}

/** Return a parameter's help with its range. */
export function helpOf(param) {
  return [param.help, rangeOf(param)].filter(Boolean).join(" · ");
}

/** Return the range of a number as text, or nothing. */
export function rangeOf(param) {
  return param.low != null && param.high != null ? say("range", { low: param.low, high: param.high }) : "";
}

async function askFor({ flag, command, typed }) {
  if (!flag || !typed || flag.param.choices.length || flag.param.suggestions.length < SENT_BEFOREHAND) return;
  const number = ++asked;
  const query = new URLSearchParams({ command: command.name, param: flag.param.name, typed });
  try {
    const names = await (await ask(`/suggest?${query}`)).json();
    if (number === asked && isOpen()) show(names.map((one) => value(flag.param, one)));
  } catch {
    // Without the server, the suggestions that came with the page stay.
  }
}

chips.addEventListener("pointerdown", (event) => event.preventDefault());
chips.addEventListener("click", (event) => {
  const chosen = event.target.closest(".chip");
  if (chosen) take([...chips.children].indexOf(chosen));
});
field.addEventListener("input", look);
field.addEventListener("click", look);
field.addEventListener("blur", close);
