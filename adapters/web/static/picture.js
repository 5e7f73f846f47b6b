// The picture that goes with a line: picked, pasted or dropped, checked here before it travels. To a command that reads a file it is that.

import { takesFile } from "./line.js";
import { ask } from "./talk.js";
import { say } from "./words.js";

const chip = document.getElementById("attached");
const shown = document.getElementById("attached-picture");
const role = document.getElementById("attached-role");
const size = document.getElementById("attached-size");
const file = document.getElementById("file");
const problem = document.getElementById("composer-problem");
const field = document.getElementById("line");
const most = Number(document.getElementById("composer").dataset.mostBytes) || 20_000_000;

const KINDS = ["image/png", "image/jpeg", "image/webp"];

/** Files go by their names: what browsers think that they are depends on what else is installed. */
const FILES = [".json", ".csv"];

const opener = document.getElementById("attach");

let attached = null;
let commands = [];

/** Tell which commands there are. */
export function learn(known) {
  commands = known;
  look();
}

const wantsFile = () => takesFile(field.value, commands);

const isFile = ({ name = "" }) => FILES.some((ending) => name.toLowerCase().endsWith(ending));

/** Ask for what the command of the line takes. */
function look() {
  const kind = wantsFile() ? "file" : "picture";
  if (opener.dataset.kind === kind) return;
  opener.dataset.kind = kind;
  opener.textContent = say(`attach-${kind}`);
  file.accept = (kind === "file" ? FILES : KINDS).join(",");
}

/** Return the picture that will be sent with the line, or nothing. */
export const current = () => attached;

/** Take the picture off. */
export function detach() {
  if (shown.src) URL.revokeObjectURL(shown.src);
  shown.removeAttribute("src");
  attached = null;
  chip.hidden = true;
  file.value = "";
  complain("");
}

/** Return why a picture cannot be taken, or a file where one is wanted, or nothing. */
export function faultOf(picture, asFile = false) {
  if (asFile ? !isFile(picture) : !KINDS.includes(picture.type)) return say(asFile ? "file-kind" : "picture-kind");
  return picture.size > most ? say("picture-large", { given: megabytes(picture.size), most: megabytes(most) }) : "";
}

/** Put a picture on, or a file, or say why it cannot be. */
export function attach(picture) {
  detach();
  const asFile = wantsFile();
  const fault = faultOf(picture, asFile);
  if (fault) {
    complain(fault);
    return;
  }
  attached = picture;
  shown.hidden = asFile;
  role.textContent = asFile ? picture.name : say("picture-role");
  size.textContent = asFile ? `${Math.ceil(picture.size / 1000)} kB` : "";
  if (!asFile) {
    shown.src = URL.createObjectURL(picture);
    shown.onload = () => (size.textContent = `${shown.naturalWidth} × ${shown.naturalHeight}`);
  }
  chip.hidden = false;
  field.focus();
}

const megabytes = (bytes) => String(Math.round(bytes / 100_000) / 10);

/** Say what is wrong with the line or its picture. */
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
  const [dropped] = event.dataTransfer.files;
  const link = event.dataTransfer.getData("text/uri-list");
  // A picture dragged from this page comes as both; its link has the original.
  if (link) void fetched(link);
  else if (dropped) attach(dropped);
});
document.addEventListener("paste", (event) => {
  const pasted = [...(event.clipboardData?.files ?? [])].find((one) => (wantsFile() ? isFile(one) : one.type.startsWith("image/")));
  if (!pasted) return;
  event.preventDefault();
  attach(pasted);
});
opener.addEventListener("click", () => file.click());
field.addEventListener("input", look);
file.addEventListener("change", () => file.files[0] && attach(file.files[0]));
document.getElementById("detach").addEventListener("click", () => {
  detach();
  field.focus();
});
