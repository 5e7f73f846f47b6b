// The files sent with a line: picked, pasted or dropped, and checked before the upload. Pictures, or one file if the command reads a file.

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

/** Files are recognised by name, because the type that browsers report depends on the installed programs. */
const FILES = [".json", ".csv"];

const opener = document.getElementById("attach");

/** The attachments of the line: each file, its parameter (empty for the first free parameter), and its chip. */
let attached = [];
let commands = [];

/** Set the known commands. */
export function learn(known) {
  commands = known;
  look();
}

const wantsFile = () => takesFile(field.value, commands);

const names = () => pictureNames(field.value, commands);

const isFile = ({ name = "" }) => FILES.some((ending) => name.toLowerCase().endsWith(ending));

/** Offer the kind of file that the line's command takes, and label each picture. */
function look() {
  label();
  file.multiple = names().length > 1;
  const kind = wantsFile() ? "file" : "picture";
  if (opener.dataset.kind === kind) return;
  opener.dataset.kind = kind;
  opener.textContent = say(`attach-${kind}`);
  file.accept = (kind === "file" ? FILES : KINDS).join(",");
}

/** Return the files to send with the line, each with its parameter, if it has one. */
export const current = () => attached.map(({ file: data, name }) => ({ file: data, name }));

/** Remove all attachments. */
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

/** Label each chip: if the command takes several pictures, with the name of the parameter that the server will fill. */
function label() {
  const free = names().filter((name) => attached.every((one) => one.name !== name));
  const several = names().length > 1;
  for (const one of attached) {
    const name = one.name || free.shift();
    if (!one.isFile) one.chip.querySelector(".role").textContent = several && name ? name : say("picture-role");
  }
}

/** Return why a picture, or a file if one is wanted, is not accepted, or nothing. */
export function faultOf(picture, asFile = false) {
  if (asFile ? !isFile(picture) : !KINDS.includes(picture.type)) return say(asFile ? "file-kind" : "picture-kind");
  return picture.size > most ? say("picture-large", { given: megabytes(picture.size), most: megabytes(most) }) : "";
}

/** Attach a picture to a parameter or to the first free parameter, or attach a file; or report why not. Replaces attachments if it must. */
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

/** Attach several files, as many as the command of the line takes. */
function attachAll(pictures) {
  for (const one of [...pictures].slice(0, wantsFile() ? 1 : Math.max(1, names().length))) attach(one);
}

const megabytes = (bytes) => String(Math.round(bytes / 100_000) / 10);

/** Show a problem of the line or its pictures. */
export function complain(sentence) {
  problem.textContent = sentence;
  problem.hidden = !sentence;
}

/** Attach a picture of this page that was dragged into the line. */
async function fetched(link) {
  const url = new URL(link, location.href);
  if (url.origin !== location.origin || !url.pathname.startsWith("/files/")) return;
  const picture = await (await ask(url.pathname)).blob();
  attach(new File([picture], "picture", { type: picture.type }));
}

/** Return whether a drag is for the line; a picture field handles its own drops. */
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
  // A picture dragged from this page comes as a file and as a link; the link leads to the original.
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
