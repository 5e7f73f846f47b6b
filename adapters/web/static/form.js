// The parameters of the line's command as fields. Both edit the same line: a field changes it, and typing changes the fields.

import { rangeOf } from "./completion.js";
import { read, write } from "./line.js";
import { attach } from "./picture.js";
import { say } from "./words.js";

const field = document.getElementById("line");
const box = document.getElementById("fields");
const opener = document.getElementById("open-fields");

/** A slider shows at most this many values well; a seed has over four billion. */
const MOST_PLACES = 100;

/** The parameter kinds sent as files, and the accepted files. */
const ACCEPTED = { file: ".json,.csv", picture: "image/png,image/jpeg,image/webp" };

let commands = [];
let shown = null;

/** Set the known commands. */
export function learn(known) {
  commands = known;
  if (!box.hidden) fill();
}

/** Close the fields. Return whether they were open. */
export function close() {
  const was = !box.hidden;
  box.hidden = true;
  opener.ariaExpanded = "false";
  return was;
}

/** Show the values of the line in the fields. */
export function fill() {
  if (box.hidden) return;
  const now = read(field.value, commands);
  if (!now.command) return;
  if (shown !== now.command) build(now.command);
  for (const one of box.querySelectorAll("[data-param]")) {
    if (one !== document.activeElement) set(one, now.values.get(one.dataset.param) ?? "");
  }
}

function set(one, value) {
  if (one.type === "checkbox") one.checked = /^(yes|on|true|1)$/i.test(value);
  else if (one.type === "range") {
    one.toggleAttribute("data-unset", value === "");
    one.value = value === "" ? (Number(one.min) + Number(one.max)) / 2 : value;
  } else one.value = value;
}

function build(command) {
  shown = command;
  const asked = command.params.filter((one) => one.name !== command.free);
  box.replaceChildren(...asked.map(fieldOf));
  box.classList.toggle("none", !asked.length);
}

function fieldOf(param) {
  const holder = make("div", { className: "field" });
  const id = `field-${param.name}`;
  const input = inputOf(param);
  input.id = id;
  // A file is not part of the line's text; it is sent along with it.
  if (!ACCEPTED[param.kind]) input.dataset.param = param.name;
  input.setAttribute("aria-describedby", `${id}-help`);
  holder.append(
    make("label", { htmlFor: id, textContent: param.name }),
    make("span", { className: "range", textContent: rangeOf(param) }),
    hasPlaces(param) ? withSlider(param, input) : input,
    make("span", { className: "soft", id: `${id}-help`, textContent: param.help }),
  );
  if (input.list === null && param.suggestions.length && param.kind === "text") holder.append(suggested(param, input));
  return holder;
}

const hasPlaces = ({ low, high }) => low !== null && high !== null && high - low <= MOST_PLACES;

function inputOf(param) {
  if (ACCEPTED[param.kind]) {
    const brought = ({ target }) => target.files[0] && attach(target.files[0], param.kind === "picture" ? param.name : "");
    return make("input", { type: "file", accept: ACCEPTED[param.kind], onchange: brought });
  }
  if (param.kind === "yes-no") return make("input", { type: "checkbox" });
  if (param.choices.length) {
    const choice = make("select", {});
    choice.append(new Option("", ""), ...param.choices.map((one) => new Option(one, one)));
    return choice;
  }
  if (param.kind === "text") return make("input", { type: "text", maxLength: param.longest ?? 2000, spellcheck: false, autocomplete: "off" });
  const limits = { min: param.low ?? "", max: param.high ?? "", step: param.kind === "whole" ? "1" : "any" };
  return make("input", { type: "number", inputMode: param.kind === "whole" ? "numeric" : "decimal", ...limits });
}

function withSlider(param, input) {
  const holder = make("div", { className: "with-slider" });
  const step = param.kind === "whole" ? "1" : param.high <= 1 ? "0.05" : "0.5";
  const slider = make("input", { type: "range", min: param.low, max: param.high, step, ariaLabel: param.name });
  slider.dataset.param = param.name;
  holder.append(slider, input);
  return holder;
}

function suggested(param, input) {
  const list = make("datalist", { id: `field-${param.name}-list` });
  list.append(...param.suggestions.map((one) => make("option", { value: one })));
  input.setAttribute("list", list.id);
  return list;
}

function make(name, facts) {
  return Object.assign(document.createElement(name), facts);
}

box.addEventListener("input", ({ target }) => {
  if (!("param" in target.dataset)) return;
  const now = read(field.value, commands);
  if (!now.command) return;
  const value = target.type === "checkbox" ? (target.checked ? "yes" : "") : target.value.trim();
  if (value) now.values.set(target.dataset.param, value);
  else now.values.delete(target.dataset.param);
  for (const one of box.querySelectorAll(`[data-param="${target.dataset.param}"]`)) if (one !== target || one.type === "range") set(one, value);
  if (target.validity) target.toggleAttribute("aria-invalid", !target.validity.valid);
  field.value = write(now);
  field.dispatchEvent(new Event("input", { bubbles: true }));
});
// Enter in a field sends the line, as it does in the line itself.
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.isComposing) {
    event.preventDefault();
    field.form.requestSubmit();
  }
});
opener.addEventListener("click", () => {
  box.hidden = !box.hidden;
  opener.ariaExpanded = String(!box.hidden);
  fill();
  if (!box.hidden) box.querySelector("input, select")?.focus();
});
field.addEventListener("input", fill);
