// The pictures that go with a line: picked, pasted or dropped, checked here before they travel. To a command that reads a file it is that.

import { pictureNames, takesFile } from "./line.js";
import { ask } from "./talk.js";
import { say } from "./words.js";

const chips = document.getElementById("attached");
const pattern = document.getElementById("attachment").content.firstElementChild;
const file = document.getElementById("file");
const problem = document.getElementById("composer-problem");
const field = document.getElementById("line");
const most = Number(document.getElementById("composer").dataset.mostBytes) || 20_000_000;

const KINDS = ["image/png", "image/jpeg", "image/webp"];

/** Files go by their names: what browsers think that they are depends on what else is installed. */
const FILES = [".json", ".csv"];

const opener = document.getElementById("attach");

/** What goes with the line: each file, the parameter that it was put into (empty for the first that is free), and its chip. */
let attached = [];
let commands = [];

/** Tell which commands there are. */
export function learn(known) {
  commands = known;
  look();
}

const wantsFile = () => takesFile(field.value, commands);

const names = () => pictureNames(field.value, commands);

const isFile = ({ name = "" }) => FILES.some((ending) => name.toLowerCase().endsWith(ending));

/** Ask for what the command of the line takes, and say what each picture is for. */
function look() {
  label();
  file.multiple = names().length > 1;
  const kind = wantsFile() ? "file" : "picture";
  if (opener.dataset.kind === kind) return;
  opener.dataset.kind = kind;
  opener.textContent = say(`attach-${kind}`);
  file.accept = (kind === "file" ? FILES : KINDS).join(",");
}

/** Return what will be sent with the line: files, each with the parameter that it was put into, if any. */
export const current = () => attached.map(({ file: data, name }) => ({ file: data, name }));

/** Take everything off. */
export function detach() {
  attached.forEach(remove);
  for (const one of document.querySelectorAll("#fields [type=file]")) one.value = "";
}

function remove(one) {
  const shown = one.chip.querySelector("img");
  if (shown.src) URL.revokeObjectURL(shown.src);
  one.chip.remove();
  attached = attached.filter((other) => other !== one);
  chips.hidden = !attached.length;
  file.value = "";
  complain("");
  label();
}

/** Say on each chip what its picture is for: of several by the name of the parameter, as the server will fill them. */
function label() {
  const free = names().filter((name) => attached.every((one) => one.name !== name));
  const several = names().length > 1;
  for (const one of attached) {
    const name = one.name || free.shift();
    if (!one.isFile) one.chip.querySelector(".role").textContent = several && name ? name : say("picture-role");
  }
}

/** Return why a picture cannot be taken, or a file where one is wanted, or nothing. */
export function faultOf(picture, asFile = false) {
  if (asFile ? !isFile(picture) : !KINDS.includes(picture.type)) return say(asFile ? "file-kind" : "picture-kind");
  return picture.size > most ? say("picture-large", { given: megabytes(picture.size), most: megabytes(most) }) : "";
}

/** Put a picture on, for a parameter or for the first that is free, or a file; or say why it cannot be. It replaces what it leaves no room for. */
export function attach(picture, name = "") {
  const asFile = wantsFile();
  const most = asFile ? 1 : Math.max(1, names().length);
  const same = name && attached.find((one) => one.name === name);
  if (same) remove(same);
  while (attached.length >= most) remove(attached.findLast((one) => !one.name) ?? attached.at(-1));
  const fault = faultOf(picture, asFile);
  complain(fault);
  if (fault) return;
  const chip = pattern.cloneNode(true);
  const [shown, role, size] = ["img", ".role", ".size"].map((part) => chip.querySelector(part));
  const one = { file: picture, name, chip, isFile: asFile };
  shown.hidden = asFile;
  if (asFile) {
    role.textContent = picture.name;
    size.textContent = `${Math.ceil(picture.size / 1000)} kB`;
  } else {
    shown.src = URL.createObjectURL(picture);
    shown.onload = () => (size.textContent = `${shown.naturalWidth} × ${shown.naturalHeight}`);
  }
  chip.querySelector("button").addEventListener("click", () => {
    remove(one);
    field.focus();
  });
  attached.push(one);
  chips.append(chip);
  chips.hidden = false;
  label();
  field.focus();
}

/** Put several on, as many as the command of the line takes. */
function attachAll(pictures) {
  for (const one of [...pictures].slice(0, wantsFile() ? 1 : Math.max(1, names().length))) attach(one);
}

const megabytes = (bytes) => String(Math.round(bytes / 100_000) / 10);

/** Say what is wrong with the line or its pictures. */
export function complain(sentence) {
  problem.textContent = sentence;
  problem.hidden = !sentence;
}

/** Take a picture of this page, dragged into the line. */
async function fetched(link) {
  const url = new URL(link, location.href);
  if (url.origin !== location.origin || !url.pathname.startsWith("/files/")) return;
  const picture = await (await ask(url.pathname)).blob();
  attach(new File([picture], "picture", { type: picture.type }));
}

/** Return whether what is dragged is for the line; a field for a picture takes it by itself. */
const isOurs = ({ target, dataTransfer }) =>
  target.type !== "file" && (dataTransfer?.types.includes("Files") || dataTransfer?.types.includes("text/uri-list"));

document.addEventListener("dragover", (event) => {
  delete document.body.dataset.dropping;
  if (!isOurs(event)) return;
  event.preventDefault();
  document.body.dataset.dropping = say(wantsFile() ? "drop-file" : "drop");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) delete document.body.dataset.dropping;
});
document.addEventListener("drop", (event) => {
  delete document.body.dataset.dropping;
  if (!isOurs(event)) return;
  event.preventDefault();
  const link = event.dataTransfer.getData("text/uri-list");
  // A picture dragged from this page comes as both; its link has the original.
  if (link) void fetched(link);
  else attachAll(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => {
  const pasted = [...(event.clipboardData?.files ?? [])].filter((one) => (wantsFile() ? isFile(one) : one.type.startsWith("image/")));
  if (!pasted.length) return;
  event.preventDefault();
  attachAll(pasted);
});
opener.addEventListener("click", () => file.click());
field.addEventListener("input", look);
file.addEventListener("change", () => attachAll(file.files));
